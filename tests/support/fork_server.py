"""Runs Python commands in forks of itself, because importing TFX takes most of a short command.

Usage: python fork_server.py SOCKET

SOCKET is the file descriptor of a listening socket. Each connection carries one request in one
line of JSON, and is answered with the exit code. The server imports at the first connection, and
ends when its standard input does. It imports packages only, so that a fork imports the project's
code as a new process would.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from pathlib import Path


def import_packages() -> None:
    """Imports what commands and nodes use, without the packages that start threads.

    The garbage collector would visit every imported object again and again.
    """
    gc.disable()
    import catboost  # noqa: F401
    import jinja2  # noqa: F401
    import matplotlib.backends.backend_svg
    import matplotlib.pyplot  # noqa: F401
    import pydantic  # noqa: F401
    import tensorboard.summary.v2  # noqa: F401
    import tensorflow_model_analysis  # noqa: F401
    import tf2onnx.convert  # noqa: F401
    import tf_keras  # noqa: F401
    from apache_beam.runners.portability import portable_runner  # noqa: F401
    from tfx.components.trainer import executor  # noqa: F401
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor  # noqa: F401
    from tfx.orchestration.local import local_dag_runner  # noqa: F401

    speed_up_beam()
    gc.freeze()
    gc.enable()


def speed_up_beam() -> None:
    """Leaves out what Beam repeats: a quarter of the time of a node with few events.

    It would inspect the methods of each instance of a DoFn in each step instead of those of its
    class, and reset dill's log level after each pickled object, which clears the caches of all
    loggers.
    """
    import dill
    from apache_beam.transforms import userstate

    original = userstate.get_dofn_specs
    specs = {}

    def get_dofn_specs(dofn):
        if type(dofn) not in specs:
            specs[type(dofn)] = original(dofn)
        return specs[type(dofn)]

    userstate.get_dofn_specs = get_dofn_specs
    dill._dill._trace = lambda _: None


def run(command: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Replaces this process by ``python -m MODULE ...`` or ``SCRIPT ...``; never returns."""
    target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for fd in (1, 2):
        os.dup2(target, fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    is_module = command[:2] == ["python", "-m"]
    sys.argv = command[2:] if is_module else list(command)
    # As Python does; TFX's command line replaces the first folder by another.
    sys.path.insert(0, folder if is_module else str(Path(command[0]).parent))
    code = 0
    try:
        if is_module:
            runpy.run_module(command[2], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def answer(connection: socket.socket) -> None:
    """Runs the request of a connection and answers it; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        child = os.fork()
        if child == 0:
            run(**request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=stream, flush=True)
    os._exit(0)


def reap(*_: object) -> None:
    """Collects the forks that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main() -> None:
    # The script's folder would be searched before the installed packages.
    del sys.path[0]
    listener = socket.socket(fileno=int(sys.argv[1]))
    is_ready = False
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        connection, _ = listener.accept()
        if not is_ready:
            import_packages()
            signal.signal(signal.SIGCHLD, reap)
            is_ready = True
        if os.fork() == 0:
            answer(connection)
        connection.close()


if __name__ == "__main__":
    main()
