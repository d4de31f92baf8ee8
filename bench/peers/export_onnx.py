"""Writes a classifier's folder as Transformers.js wants it: onnx/model.onnx (fp32), onnx/model_quantized.onnx (dynamic int8), and the rest.

python export_onnx.py MODEL_DIR TARGET_DIR
"""

import pathlib
import shutil
import sys

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoModelForSequenceClassification


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def main():
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32).eval()
    (target / "onnx").mkdir(parents=True)
    fp32, int8 = target / "onnx" / "model.onnx", target / "onnx" / "model_quantized.onnx"
    example = torch.ones(2, 16, dtype=torch.long)
    sizes = {0: "batch", 1: "sequence"}
    # Called like this, the newer exporter (dynamo=True, torch 2.13) made a graph whose logits were wrong by half their size.
    torch.onnx.export(
        Logits(model), (example, example), str(fp32), dynamo=False, opset_version=17,
        input_names=["input_ids", "attention_mask"], output_names=["logits"],
        dynamic_axes={"input_ids": sizes, "attention_mask": sizes, "logits": {0: "batch"}},
    )
    quantize_dynamic(fp32, int8, weight_type=QuantType.QInt8)
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    main()
