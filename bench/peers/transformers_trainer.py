"""Transformers' Trainer on the same rows, measured in turns (bench/turns.mjs).

python transformers_trainer.py OPTIONS.json
    { model, train, warmUp, arguments }: `arguments` go into TrainingArguments, whose defaults hold otherwise

A turn is { seconds, tokens } of its steps, tokens without padding. The last words tell of memory and versions.
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


def say(value):
    print(json.dumps(value), flush=True)


class Collator(DataCollatorWithPadding):
    """Pads as Trainer does by default, and remembers how many tokens there were: batch n is that of step n."""

    tokens = []

    def __call__(self, features):
        self.tokens.append(sum(len(each["input_ids"]) for each in features))
        return super().__call__(features)


class InTurns(TrainerCallback):
    def __init__(self, warm_up, tokens):
        self.left = warm_up
        self.tokens = tokens
        self.first = 0
        self.seconds = []
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.perf_counter() - self.started)
        self.left -= 1
        if self.left == 0:
            say({"seconds": self.seconds, "tokens": self.tokens[self.first : state.global_step]})
            line = sys.stdin.readline()
            if not line:
                control.should_training_stop = True
                return
            self.left = int(line)
            self.first = state.global_step
            self.seconds = []
        self.started = time.perf_counter()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        options = json.load(file)
    tokenizer = AutoTokenizer.from_pretrained(options["model"])
    with open(options["train"], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})
    encoded = [
        {**tokenizer(row["text"], truncation=True, max_length=512), "labels": labels.index(row["label"])} for row in rows
    ]
    transformers.set_seed(42)
    # minilm's file holds half-precision weights; without this the peer would train in half precision, ten times slower.
    model = AutoModelForSequenceClassification.from_pretrained(options["model"], num_labels=len(labels), dtype=torch.float32)
    collator = Collator(tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, learning_rate=5e-5, seed=42, per_device_train_batch_size=8, save_strategy="no",
            report_to=[], disable_tqdm=True, use_cpu=True, **options["arguments"],
        )
        Trainer(
            model=model, args=arguments, train_dataset=encoded, data_collator=collator,
            callbacks=[InTurns(options["warmUp"], collator.tokens)],
        ).train()
    say({
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()},
    })


if __name__ == "__main__":
    main()
