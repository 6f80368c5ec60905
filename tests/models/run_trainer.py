"""Runs the trainer in a process of its own.

Arguments: the attributes of TFX's ``FnArgs`` as JSON, and optionally ``killed``: the process then
kills itself when it has written its first checkpoint.
"""

import json
import os
import signal
import sys
import types

from models.trainer import run_fn
from models.training.checkpoints import Checkpoints

if __name__ == "__main__":
    if sys.argv[2:] == ["killed"]:
        save = Checkpoints.save

        def save_and_die(checkpoints):
            save(checkpoints)
            os.kill(os.getpid(), signal.SIGKILL)

        Checkpoints.save = save_and_die
    run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
