"""Runs modules in forks of itself: one JSON request per line in, one exit code per line out."""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path

# Kept apart from the output of the imports.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
# The script's folder would be searched before the installed packages.
del sys.path[0]

import tensorflow_model_analysis  # noqa: E402, F401
import tf_keras  # noqa: E402, F401
from tfx.components.trainer import executor  # noqa: E402, F401
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor  # noqa: E402, F401


def run(module: str, arguments: list[str], log: str) -> None:
    """Replaces this process by the command; never returns."""
    with Path(log).open("wb", buffering=0) as stream:
        for fd in (1, 2):
            os.dup2(stream.fileno(), fd)
    os.chdir(Path(log).parent)
    sys.argv = [module, *arguments]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(**json.loads(line))
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
