"""Hugging Face's tokenizers (Rust) on the same texts, measured in turns (bench/turns.mjs), on one thread.

python rust_tokenizers.py OPTIONS.json
    { tokenizer, texts, ids }: a tokenizer.json, a JSON list of texts, and where all ids are written first, as int32

A turn is { encode_batch: [...], encode_batch_fast: [...] }, seconds of processor time for all texts; the second leaves out the places of tokens in the text.
"""

import array
import json
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers  # noqa: E402, reads the environment


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        options = json.load(file)
    with open(options["texts"], encoding="utf-8") as file:
        texts = json.load(file)
    tokenizer = tokenizers.Tokenizer.from_file(options["tokenizer"])
    tokenizer.enable_truncation(512)
    tokenizer.no_padding()
    with open(options["ids"], "wb") as file:
        for row in tokenizer.encode_batch(texts):
            array.array("i", row.ids).tofile(file)
    print(json.dumps({"version": tokenizers.__version__}), flush=True)
    for line in sys.stdin:
        turn = {"encode_batch": [], "encode_batch_fast": []}
        for _ in range(int(line)):
            for name, seconds in turn.items():
                start = time.process_time()
                getattr(tokenizer, name)(texts)
                seconds.append(time.process_time() - start)
        print(json.dumps(turn), flush=True)
    print(json.dumps({"done": True}), flush=True)


if __name__ == "__main__":
    main()
