"""The two pictures of docs/parity.md: python pictures.py DATA.json FOLDER, DATA being what page.mjs puts together."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same data give the same bytes.
matplotlib.rcParams.update({
    "svg.hashsalt": "parity", "font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.alpha": 0.3, "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
})
import matplotlib.pyplot as plt  # noqa: E402  (after the settings)
import numpy as np  # noqa: E402
from matplotlib.ticker import LogLocator, NullLocator  # noqa: E402

OURS, THEIRS, AGAIN = "#d1495b", "#00629b", "#8a8a8a"
SMOOTHED_OVER = 50


def save(figure, path):
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")


def steps(data, path):
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(9, 6.5), height_ratios=[3, 2], layout="constrained")
    at = np.arange(1, len(data["ours"]) + 1)
    top.plot(at, data["theirs"], color=THEIRS, linewidth=3.5, alpha=0.45, label="Transformers")
    top.plot(at, data["ours"], color=OURS, linewidth=1.1, label="distiltune")
    top.set(ylabel="training loss", title=f"{len(at)} steps, dropout 0, the same rows in the same order")
    top.legend()
    bottom.semilogy(at, data["gap"], color=OURS, linewidth=1.1, label="distiltune from Transformers")
    bottom.semilogy(at, data["yardstick"], color=AGAIN, linewidth=1.1, label="Transformers from itself")
    bottom.set(xlabel="step", ylabel="gap of the loss")
    bottom.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
    save(figure, path)


def epochs(data, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=[3, 2], layout="constrained")
    for name, color, mark in (("theirs", THEIRS, "o"), ("ours", OURS, "s")):
        side, label = data[name], {"theirs": "Transformers", "ours": "distiltune"}[name]
        window = np.ones(SMOOTHED_OVER) / SMOOTHED_OVER
        smooth = np.convolve(side["losses"], window, "valid")
        left.plot(np.arange(SMOOTHED_OVER, len(side["losses"]) + 1), smooth, color=color, linewidth=1.3, label=f"{label}, training")
        left.plot(side["at"], side["validation"], mark, color=color, markersize=8, markeredgecolor="white", label=f"{label}, validation")
        right.plot(range(1, len(side["accuracy"]) + 1), side["accuracy"], f"-{mark}", color=color, label=f"{label}, seed {data['seed']}")
    for index, values in enumerate(data["seeds"]):
        right.plot(range(1, len(values) + 1), values, ":", color=AGAIN, linewidth=1.5, label="Transformers, recorded seeds" if index == 0 else None)
    left.set(xlabel="step", ylabel="loss", yscale="log", title=f"Training loss (mean of {SMOOTHED_OVER} steps) and validation loss")
    right.set(xlabel="epoch", ylabel="accuracy", title="Accuracy on the evaluation posts", xticks=range(1, len(data["ours"]["accuracy"]) + 1))
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_locator(NullLocator())
    left.legend(fontsize=9)
    right.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    save(figure, path)


if __name__ == "__main__":
    everything, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    steps(everything["steps"], folder / "parity-steps.svg")
    epochs(everything["epochs"], folder / "parity-epochs.svg")
