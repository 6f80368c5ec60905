"""Runs `higgs` commands in forks of itself: one JSON request per line in, one answer per line out.

Started with the file layer preloaded. TFX and TensorFlow are imported once.
"""

import functools
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from importlib import resources
from pathlib import Path

# Kept apart from the output of the imports.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# Otherwise it would search the imported objects for garbage again and again.
gc.disable()

# Beam and rich import some of these late: in every fork.
import apache_beam.runners.portability.portable_runner  # noqa: E402
import apache_beam.runners.worker.worker_pool_main  # noqa: E402
import apache_beam.testing.test_stream  # noqa: E402
import apache_beam.typehints.intrinsic_one_ops  # noqa: E402, F401
import matplotlib.pyplot  # noqa: E402, F401
import rich._emoji_codes  # noqa: E402, F401
import tensorflow_model_analysis  # noqa: E402, F401
import tf_keras  # noqa: E402, F401
from file_layer import FileLayer  # noqa: E402
from tfx.components.trainer import executor  # noqa: E402, F401
from tfx.orchestration.portable import launcher  # noqa: E402

import models.trainer  # noqa: E402, F401
from components.report import html_page  # noqa: E402
from formats import package_versions, source_version  # noqa: E402
from pipeline import (  # noqa: E402
    code_version,
    local_run,  # noqa: F401
    metadata_store,
    run_recording,
)
from pipeline.cli import data_commands, main, run_command  # noqa: E402, F401
from pipeline.config import load_config  # noqa: E402
from pipeline.graph import ROW_READER, create_pipeline  # noqa: E402

LONGEST_SECONDS = 900
DEMO = str(resources.files("configs") / "demo.yaml")

layer = FileLayer(Path(os.environ["FAULT_CONTROL"]))


def share_constants() -> None:
    """Computes once what depends on the installed code alone: most of the time of a cached run."""
    versions, version = package_versions.package_versions(), source_version.project_version()
    run_recording.package_versions = lambda: versions
    run_recording.project_version = lambda: version
    for name in ("source_digest", "import_closure"):
        setattr(code_version, name, remembered(getattr(code_version, name)))
    code_version._imported = functools.cache(code_version._imported)
    importlib.import_module(ROW_READER.rpartition(".")[0])
    every_node = ("ingestion.layout=folders-with-test", "score.data_root=any")
    create_pipeline(load_config(DEMO, every_node))
    environment = html_page._environment()
    for template in environment.list_templates(["html"]):
        environment.get_template(template)
    html_page._environment = lambda: environment


def remembered(function):
    """A function of a set of names, called once for each set."""
    results: dict = {}

    def call(names):
        key = frozenset(names)
        if key not in results:
            results[key] = function(key)
        return results[key]

    return call


def mark_phases() -> None:
    """Numbers the nodes in the order in which they start, for the counted calls."""
    launch = launcher.Launcher.launch
    number = iter(range(1, 1000))

    def marked(self):
        layer.enter(next(number))
        nodes.append(self._pipeline_node.node_info.id)
        try:
            return launch(self)
        finally:
            layer.enter(0)

    nodes: list[str] = []
    launcher.Launcher.launch = marked
    return nodes


def run(request: dict) -> int:
    """Runs one command in this process."""
    from markupsafe import Markup

    from components.report.figures import gallery

    if request.get("recordings"):
        import recorded_nodes

        recorded_nodes.install(
            Path(request["recordings"]), layer, request["real"], request["variant"]
        )
    if not request.get("draws"):
        # Drawing takes a second and writes nothing.
        gallery.to_svg = lambda *_: Markup()
    nodes = mark_phases()
    layer.arm(request["folders"], request["fault"], request["at"])
    try:
        main.main(request["arguments"], prog_name="higgs")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 70  # No exception may get here.
    layer.pause(True)
    if request.get("metadata"):
        answer = {"nodes": nodes, "known": known_versions(request["metadata"])}
        Path(request["answer"]).write_text(json.dumps(answer))
    return code


def known_versions(metadata: str) -> list[str]:
    """Folders of the pushes that ML Metadata knows."""
    if not Path(metadata).exists():
        return []
    return [
        push.destination
        for _, push in metadata_store.pushed_models(metadata_store.open_store(metadata))
    ]


def wait(child: int) -> int:
    """The exit code of a fork; 124 if it hangs."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124


def serve(request: dict) -> int:
    """Forks, runs and waits; the exit code is negative for a signal."""
    child = os.fork()
    if child:
        return wait(child)
    code = 1
    try:
        with Path(request["output"]).open("wb", buffering=0) as stream:
            for fd in (1, 2):
                os.dup2(stream.fileno(), fd)
        sys.argv = ["higgs"]
        code = run(request)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


share_constants()
gc.freeze()
gc.enable()
print("ready", file=answers, flush=True)
for line in sys.stdin:
    print(serve(json.loads(line)), file=answers, flush=True)
