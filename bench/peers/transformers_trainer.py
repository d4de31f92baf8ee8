"""Transformers' Trainer at its defaults on the same rows: prints one JSON line { steps, seconds, stepsPerSecond, peakRssBytes, versions }.

python transformers_trainer.py MODEL_DIR TRAIN_CSV STEPS
"""

import csv
import json
import resource
import sys
import tempfile
import time

import torch
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

WARM_UP_STEPS = 3


class Clock(TrainerCallback):
    """Starts after the warm-up steps, so that allocation and kernel choice are not counted."""

    def __init__(self):
        self.start = self.end = 0.0

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == WARM_UP_STEPS:
            self.start = time.perf_counter()
        self.end = time.perf_counter()


def main():
    model_dir, train_csv, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    with open(train_csv, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})
    encoded = [
        {**tokenizer(row["text"], truncation=True, max_length=512), "labels": labels.index(row["label"])} for row in rows
    ]
    transformers.set_seed(42)
    # The file holds half-precision weights; without this the peer would train in half precision, ten times slower.
    model = AutoModelForSequenceClassification.from_pretrained(model_dir, num_labels=len(labels), dtype=torch.float32)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=WARM_UP_STEPS + steps, learning_rate=5e-5, seed=42,
            per_device_train_batch_size=8, save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
        )
        Trainer(
            model=model, args=arguments, train_dataset=encoded, data_collator=DataCollatorWithPadding(tokenizer), callbacks=[clock]
        ).train()
    seconds = clock.end - clock.start
    print(json.dumps({
        "steps": steps,
        "seconds": seconds,
        "stepsPerSecond": steps / seconds,
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()},
    }))


if __name__ == "__main__":
    main()
