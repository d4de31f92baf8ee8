"""The same classifier in every form Transformers and torch save: { model, out, texts, maxLength } to { FORM: logits of the texts }.

`model` is a folder with weights and tokenizer; its weights get noise, so that no test passes on the fixture itself. `out` gets one folder a form.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

given = json.load(sys.stdin)
out, limit = Path(given["out"]), {"truncation": True, "max_length": given["maxLength"]}
tokenizer = AutoTokenizer.from_pretrained(given["model"])


def fresh(dtype=torch.float32):
    set_seed(7)
    model = AutoModelForSequenceClassification.from_pretrained(given["model"], dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model.to(dtype).eval()


def logits(model):
    """In float32, which 16-bit weights are widened to without loss."""
    model = model.to(torch.float32)
    with torch.no_grad():
        return [model(**tokenizer(text, return_tensors="pt", **limit)).logits[0].tolist() for text in given["texts"]]


def without_weights(folder):
    """A folder with the model's config and tokenizer, for weights in another form."""
    fresh().save_pretrained(folder)
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    return folder


def safetensors(folder, dtype=torch.float32, **options):
    model = fresh(dtype)
    model.save_pretrained(folder, **options)
    return model


def binary(folder, zipped=True, dtype=torch.float32):
    model = fresh(dtype)
    torch.save(model.state_dict(), without_weights(folder) / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    return model


def sharded_binary(folder):
    model = fresh()
    without_weights(folder)
    entries = list(model.state_dict().items())
    parts = {f"pytorch_model-0000{part + 1}-of-00003.bin": dict(entries[part::3]) for part in range(3)}
    for name, tensors in parts.items():
        torch.save(tensors, folder / name)
    index = {
        "metadata": {"total_size": sum(tensor.numel() * tensor.element_size() for _, tensor in entries)},
        "weight_map": {key: name for name, tensors in parts.items() for key in tensors},
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    return model


def checkpoint(folder):
    """A folder that Trainer left: optimizer, generators and arguments beside the model."""
    rows = [{**tokenizer(text, **limit), "labels": row % 3} for row, text in enumerate(given["texts"][:8])]
    arguments = TrainingArguments(
        output_dir=folder / "run", max_steps=2, save_steps=2, per_device_train_batch_size=1, report_to=[], disable_tqdm=True, use_cpu=True,
        learning_rate=1e-3, logging_strategy="no",
    )
    trainer = Trainer(model=fresh(), args=arguments, train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    for path in (folder / "run" / "checkpoint-2").iterdir():
        shutil.move(path, folder / path.name)
    return trainer.model.eval()


FORMS = {
    "safetensors": safetensors,
    "sharded safetensors": lambda folder: safetensors(folder, max_shard_size="100KB"),
    "fp16 safetensors": lambda folder: safetensors(folder, torch.float16),
    "bf16 safetensors": lambda folder: safetensors(folder, torch.bfloat16),
    "pytorch_model.bin": binary,
    "legacy pytorch_model.bin": lambda folder: binary(folder, zipped=False),
    "fp16 pytorch_model.bin": lambda folder: binary(folder, dtype=torch.float16),
    "bf16 legacy pytorch_model.bin": lambda folder: binary(folder, zipped=False, dtype=torch.bfloat16),
    "sharded pytorch_model.bin": sharded_binary,
    "checkpoint of Trainer": checkpoint,
}

# What libraries print on the way is not part of the answer.
answer, sys.stdout = sys.stdout, sys.stderr
results = {}
for name, save in FORMS.items():
    folder = out / name
    folder.mkdir()
    model = save(folder)
    tokenizer.save_pretrained(folder)
    results[name] = {"files": sorted(path.name for path in folder.iterdir()), "logits": logits(model)}
json.dump(results, answer)
