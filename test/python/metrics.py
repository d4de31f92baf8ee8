"""Metrics by scikit-learn: [{ logits, actual }] to [{ metrics, labels }]; null where scikit-learn has no value either.

Logits are float32 values; probabilities and losses are computed in double.
"""

import json
import math
import sys
import warnings

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    cohen_kappa_score,
    confusion_matrix,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

warnings.simplefilter("ignore")  # of sets without a class; what comes of them is compared


def number(value):
    return None if math.isnan(value) else float(value)


def averages(actual, predicted, average, labels):
    values = precision_recall_fscore_support(actual, predicted, average=average, labels=labels, zero_division=0)
    return dict(zip(("precision", "recall", "f1"), map(float, values)))


def measured(logits, actual):
    logits, actual = np.array(logits, dtype=np.float64), np.array(actual)
    classes = list(range(logits.shape[1]))
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = logits.argmax(1)
    each = precision_recall_fscore_support(actual, predicted, average=None, labels=classes, zero_division=0)
    labels = []
    for label, values in enumerate(zip(*each)):
        own, score = actual == label, probabilities[:, label]
        labels.append({
            **dict(zip(("precision", "recall", "f1", "support"), map(float, values))),
            "rocAuc": number(roc_auc_score(own, score)) if 0 < own.sum() < len(own) else None,
            "averagePrecision": number(average_precision_score(own, score)) if own.any() else None,
        })
    return {
        "metrics": {
            "loss": log_loss(actual, probabilities, labels=classes),
            "logLoss": log_loss(actual, probabilities, labels=classes),
            "accuracy": accuracy_score(actual, predicted),
            **averages(actual, predicted, "macro", classes),
            "micro": averages(actual, predicted, "micro", classes),
            "weighted": averages(actual, predicted, "weighted", classes),
            "macroPresent": averages(actual, predicted, "macro", None),
            "mcc": matthews_corrcoef(actual, predicted),
            "kappa": number(cohen_kappa_score(actual, predicted)),
            "confusion": confusion_matrix(actual, predicted, labels=classes).tolist(),
        },
        "labels": labels,
    }


print(json.dumps([measured(**given) for given in json.load(sys.stdin)]))
