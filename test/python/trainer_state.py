"""trainer_state.json as Transformers reads it: { path } to the fields of its TrainerState."""

import dataclasses
import json
import sys

from transformers import TrainerState

print(json.dumps(dataclasses.asdict(TrainerState.load_from_json(json.load(sys.stdin)["path"]))))
