"""Transformers' Trainer on the rows of the guide, every step recorded.

python peer.py OPTIONS.json     writes `result` when the run is finished; a run that was killed goes on at its last epoch.

OPTIONS.json holds
  model         folder of the model; `dropout`: null for the rates of its config.json, or a rate for all three
  train, eval   CSV files with the columns text and label
  seed          of head, order of rows and dropout
  maxSteps      steps on the schedule, -1 for 3 epochs
  loggingSteps  as in TrainingArguments
  groups        how a batch is computed: null for at once, "similar" in groups of rows of similar length, "alone" row by row
  machine       noted in the result
  work          folder for checkpoints, removed at the end
  result        file for the result; the start values of the head are written to `head`, float32, as they lie in memory
"""

import csv
import datetime
import json
import os
import resource
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import numpy
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

HEAD = ["pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"]
RATES = ["dropout", "attention_dropout", "seq_classif_dropout"]
# Rows up to this many tokens share a group whatever their lengths: a call of the model costs more than their padding.
SHORT = 32
RECORD = "record.json"


def read_rows(path, tokenizer, labels=None):
    """Encoded rows of a CSV file, and the sorted labels."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = labels or sorted({row["label"] for row in rows})
    texts = [row["text"] for row in rows]
    encoded = tokenizer(texts, truncation=True, max_length=512)["input_ids"]
    return [{"input_ids": ids, "labels": labels.index(row["label"])} for ids, row in zip(encoded, rows)], labels


def similar(lengths):
    """Positions of `lengths` in groups whose longest is at most 1.5 times their shortest, or SHORT."""
    groups, limit = [], -1.0
    for position in sorted(range(len(lengths)), key=lambda position: lengths[position]):
        if lengths[position] > limit:
            groups.append([])
            limit = max(SHORT, 1.5 * lengths[position])
        groups[-1].append(position)
    return groups


def alone(lengths):
    return [[position] for position in range(len(lengths))]


class Record:
    """What was seen, saved with every checkpoint, so that a run in pieces is recorded whole."""

    def __init__(self):
        self.losses, self.rows, self.logits = [], [], None
        self.seconds, self.peak_rss, self.pieces = 0.0, 0, 1
        self.clock = time.perf_counter()

    def update(self):
        now = time.perf_counter()
        self.seconds, self.clock = self.seconds + now - self.clock, now
        self.peak_rss = max(self.peak_rss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

    def save(self, path):
        self.update()
        path.write_text(json.dumps({name: value for name, value in vars(self).items() if name != "clock"}))

    def load(self, path):
        vars(self).update(json.loads(path.read_text()))
        self.pieces += 1


class SaveRecord(TrainerCallback):
    def __init__(self, record):
        self.record = record

    def on_save(self, args, state, control, **kwargs):
        self.record.save(Path(args.output_dir) / f"checkpoint-{state.global_step}" / RECORD)


class RecordingTrainer(Trainer):
    """Trainer; which rows a step was given and its loss are noted on the way."""

    def __init__(self, record, **kwargs):
        super().__init__(**kwargs)
        self.record = record

    def training_step(self, model, inputs, num_items_in_batch=None):
        self.record.rows.append(inputs.pop("row").tolist())
        loss = self.loss_and_gradient(model, inputs, num_items_in_batch)
        self.record.losses.append(loss.item())
        return loss

    def loss_and_gradient(self, model, inputs, num_items_in_batch):
        return super().training_step(model, inputs, num_items_in_batch)


class SplittingTrainer(RecordingTrainer):
    """The mean over the batch as the weighted sum of the means over its groups: the same loss and gradient with less padding."""

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def loss_and_gradient(self, model, inputs, num_items_in_batch):
        model.train()
        total = torch.zeros(())
        for loss, _, _ in self.parts(model, inputs):
            self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        with torch.no_grad():
            losses, logits, groups = zip(*self.parts(model, inputs))
        order = torch.tensor(sum(groups, [])).argsort()
        return sum(losses), torch.cat(logits)[order], inputs["labels"]

    def parts(self, model, inputs):
        """For each group its share of the batch's loss, its logits and its rows of the batch."""
        mask = inputs["attention_mask"]
        for group in self.groups(mask.sum(1).tolist()):
            longest = int(mask[group].sum(1).max())
            part = {"input_ids": inputs["input_ids"][group, :longest], "attention_mask": mask[group, :longest]}
            loss, logits = model(**part, labels=inputs["labels"][group])[:2]
            yield loss * (len(group) / len(mask)), logits, group


def last_checkpoint(work):
    """The newest checkpoint that was saved with its record."""
    whole = [path.parent for path in Path(work).glob(f"checkpoint-*/{RECORD}")]
    return max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)


def main():
    options = json.loads(Path(sys.argv[1]).read_text())
    started, load = datetime.datetime.now(datetime.timezone.utc), os.getloadavg()[0]
    tokenizer = AutoTokenizer.from_pretrained(options["model"])
    train, labels = read_rows(options["train"], tokenizer)
    held, _ = read_rows(options["eval"], tokenizer, labels)

    transformers.set_seed(options["seed"])
    config = AutoConfig.from_pretrained(options["model"], num_labels=len(labels))
    if options["dropout"] is not None:
        config.update({name: options["dropout"] for name in RATES})
    # The file holds half-precision weights; without this the peer would train in half precision.
    model = AutoModelForSequenceClassification.from_pretrained(options["model"], config=config, dtype=torch.float32)
    parameters = dict(model.named_parameters())
    numpy.concatenate([parameters[name].detach().numpy().ravel() for name in HEAD]).astype("<f4").tofile(options["head"])

    arguments = TrainingArguments(
        output_dir=options["work"], seed=options["seed"], learning_rate=5e-5, num_train_epochs=3, max_steps=options["maxSteps"],
        per_device_train_batch_size=8, per_device_eval_batch_size=8, logging_steps=options["loggingSteps"],
        eval_strategy="epoch", save_strategy="epoch", save_total_limit=2, remove_unused_columns=False,
        report_to=[], disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False,
    )
    record = Record()

    def measure(result):
        record.logits = result.predictions.tolist()
        return {"accuracy": float((result.predictions.argmax(-1) == result.label_ids).mean())}

    groups = {None: None, "similar": similar, "alone": alone}[options["groups"]]
    kind = RecordingTrainer if groups is None else partial(SplittingTrainer, groups)
    trainer = kind(
        record=record,
        model=model, args=arguments, data_collator=DataCollatorWithPadding(tokenizer), callbacks=[SaveRecord(record)],
        train_dataset=[{**row, "row": index} for index, row in enumerate(train)], eval_dataset=held, compute_metrics=measure,
    )
    resume = last_checkpoint(options["work"])
    if resume is not None:
        record.load(resume / RECORD)
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    record.update()

    result = {
        "side": "theirs",
        "losses": record.losses,
        "rows": record.rows,
        "log": [entry for entry in trainer.state.log_history if "loss" in entry],
        "evaluations": [entry for entry in trainer.state.log_history if "eval_loss" in entry],
        "labels": labels,
        "logits": record.logits,
        "wallSeconds": record.seconds,
        "pieces": record.pieces,
        "peakRssBytes": record.peak_rss,
        "threads": torch.get_num_threads(),
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__},
        "machine": options["machine"],
        "loadAverage": [load, os.getloadavg()[0]],
        "date": started.isoformat(timespec="seconds"),
    }
    temporary = Path(options["result"] + ".tmp")
    temporary.write_text(json.dumps(result))
    temporary.replace(options["result"])
    shutil.rmtree(options["work"], ignore_errors=True)


if __name__ == "__main__":
    main()
