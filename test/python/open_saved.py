"""A folder as Transformers opens it: { folder, texts, maxLength, strings, vocabulary } to { problems, labels, dtype, logits, ids, vocabularyIds }.

`problems`: what loading the weights had to say. `texts` are classified, `strings` tokenized: once by the folder's tokenizer, once by
what DistilBertTokenizer makes of `vocabulary`, a folder that holds vocab.txt alone.
"""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertTokenizer

given = json.load(sys.stdin)
model, report = AutoModelForSequenceClassification.from_pretrained(given["folder"], output_loading_info=True, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(given["folder"])
limit = {"truncation": True, "max_length": given["maxLength"]}
model.eval()
with torch.no_grad():
    # One text at a time: no padding takes part.
    logits = [model(**tokenizer(text, return_tensors="pt", **limit)).logits[0].tolist() for text in given["texts"]]
print(json.dumps({
    "problems": {name: sorted(map(str, found)) for name, found in report.items() if found},
    "labels": [model.config.id2label[index] for index in range(model.config.num_labels)],
    "dtype": str(AutoModelForSequenceClassification.from_pretrained(given["folder"]).dtype),
    "logits": logits,
    "ids": tokenizer(given["strings"], **limit)["input_ids"],
    "vocabularyIds": DistilBertTokenizer.from_pretrained(given["vocabulary"])(given["strings"], **limit)["input_ids"],
}))
