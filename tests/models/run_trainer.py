"""Runs the trainer in a process of its own, to be killed; run by test_trainer.

Argument: the attributes of TFX's ``FnArgs`` as JSON.
"""

import json
import sys
import types

from models.trainer import run_fn

if __name__ == "__main__":
    run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
