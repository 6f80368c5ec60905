"""Runs the trainer in a process that test_trainer kills.

Argument: the attributes of TFX's ``FnArgs`` as JSON.
"""

import json
import sys
import types

from models.trainer import run_fn

if __name__ == "__main__":
    run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
