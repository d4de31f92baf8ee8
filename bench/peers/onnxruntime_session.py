"""A session of onnxruntime, asked in turns (bench/turns.mjs): seconds and logits of each turn's batches.

python onnxruntime_session.py PAPER    { onnx, dtype, threads, turns }
"""

import json
import pathlib
import resource
import sys
import time

import numpy
import onnxruntime


def main():
    paper = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = paper["threads"]  # 0: its own choice
    name = "model.onnx" if paper["dtype"] == "fp32" else "model_quantized.onnx"
    path = str(pathlib.Path(paper["onnx"]) / "onnx" / name)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def classify(rows):
        longest = max(len(row["ids"]) for row in rows)
        ids = numpy.zeros((len(rows), longest), dtype=numpy.int64)
        mask = numpy.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row["ids"])] = row["ids"]
            mask[place, : len(row["ids"])] = 1
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    for batch in paper["turns"][0]:
        classify(batch)
    print(json.dumps({"ready": True}), flush=True)
    for turn, _ in enumerate(sys.stdin):
        started = time.perf_counter()
        logits = [classify(batch) for batch in paper["turns"][turn]]
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "logits": numpy.concatenate(logits).tolist()}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peakRss": peak, "version": onnxruntime.__version__}), flush=True)


if __name__ == "__main__":
    main()
