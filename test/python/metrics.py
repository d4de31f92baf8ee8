"""Metrics by scikit-learn: [{ logits, actual }] to [{ metrics, labels }], named and rounded as nothing but scikit-learn does.

Logits are float32 values; probabilities and losses are computed in double.
"""

import json
import sys

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support


def measured(logits, actual):
    logits = np.array(logits, dtype=np.float64)
    classes = range(logits.shape[1])
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = logits.argmax(1)
    options = {"labels": list(classes), "zero_division": 0}
    precision, recall, f1, _ = precision_recall_fscore_support(actual, predicted, average="macro", **options)
    each = zip(*precision_recall_fscore_support(actual, predicted, average=None, **options))
    return {
        "metrics": {
            "loss": log_loss(actual, probabilities, labels=list(classes)),
            "accuracy": accuracy_score(actual, predicted),
            "precision": precision, "recall": recall, "f1": f1,
        },
        "labels": [dict(zip(("precision", "recall", "f1", "support"), map(float, values))) for values in each],
    }


print(json.dumps([measured(**given) for given in json.load(sys.stdin)]))
