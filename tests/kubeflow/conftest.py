"""The compiled files, an image to run them in, and what became of several runs of each."""

import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from engine.cloud import Cloud
from engine.dag import Engine, Task
from engine.image import Stage
from engine.kubeflow import KubeflowEngine
from engine.processes import Commands, Forks
from engine.vertex import VertexEngine

from kubeflow.cloud_targets import TARGETS
from kubeflow.compiler import compile_pipeline
from pipeline.config import load_config

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SUFFIX = {"vertex": ".json", "kubeflow": ".yaml"}
TRAIN_EVENTS, EVAL_EVENTS = 4_000, 2_000

# A few seconds of training on a few thousand events, and Beam in the node's own process.
SMALL = (
    "trainer.preset=demo",
    "trainer.units=64",
    "trainer.batch_size_per_replica=256",
    "trainer.epochs=8",
    "evaluation.auc_lower_bound=0.7",
    "beam.args=[]",
)

# Without a baseline; with one; one that the gate refuses.
RUNS = {
    "first": (),
    "second": ("seed=1", "evaluation.auc_max_drop=1.0"),
    "unblessed": ("seed=1", "evaluation.auc_lower_bound=0.99"),
    "refused": (),
}


@pytest.fixture
def golden(request):
    """Holds a text against a golden file, or writes that with `make golden`."""

    def compare(name: str, text: str) -> None:
        # A digest of the code would change with every edit.
        text = re.sub(r"(--code_version=|sources )[0-9a-f]{12}", r"\1CODE", text)
        file = Path(__file__).with_name("golden") / name
        if request.config.getoption("--golden"):
            file.write_text(text)
        assert text == file.read_text(), f"{name} differs; if it should, run `make golden`"

    return compare


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compiles a shipped configuration, with keys laid over; gives the file."""
    folder = tmp_path_factory.mktemp("compiled")

    def compile_for(target: str, *overrides: str) -> Path:
        config = load_config(ROOT / "configs" / f"{target}.yaml", overrides)
        out = folder / f"{len(list(folder.iterdir()))}{SUFFIX[target]}"
        compile_pipeline(TARGETS[target](config), out)
        return out

    return compile_for


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The folder of commands of an environment made as kubeflow/Dockerfile makes it."""
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base"
    subprocess.run(
        [BIN / "uv", "venv", "--quiet", "--seed", "--python", sys.executable, base], check=True
    )
    moved = {"/opt/venv": folder / "venv", "/src": folder / "src"}
    Stage(ROOT, moved, base / "bin").build(ROOT / "kubeflow" / "Dockerfile", "build")
    return folder / "venv" / "bin"


@dataclass
class History:
    """An engine, and what became of each run by its name."""

    engine: Engine
    pushed: Path
    cloud: Cloud | None = None
    runs: dict[str, dict[str, Task]] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)

    def file(self, run, task, output):
        return self.engine.path(self.runs[run][task].output(output))


@pytest.fixture(scope="session")
def histories(tmp_path_factory, compiled, image):
    """Both engines at once: each goes from node to node, and there are two cores."""
    specs = {
        target: {
            name: compiled(target, *SMALL, *changes).read_text() for name, changes in RUNS.items()
        }
        for target in TARGETS
    }
    live = {"vertex": _live_on_vertex, "kubeflow": _live_on_kubeflow}
    with ThreadPoolExecutor(2) as pool:
        return {
            target: pool.submit(live[target], tmp_path_factory.mktemp(target), specs[target], image)
            for target in TARGETS
        }


@pytest.fixture(scope="session")
def vertex(histories):
    return _result(histories["vertex"])


@pytest.fixture(scope="session")
def kubeflow(histories):
    return _result(histories["kubeflow"])


@pytest.fixture(scope="session", params=sorted(TARGETS))
def history(request):
    """Each engine's history in turn."""
    return request.getfixturevalue(request.param)


def _result(future: "Future[History]") -> History:
    return future.result()


def _live_on_vertex(folder: Path, specs, image: Path) -> History:
    folder.joinpath("cloud").mkdir()
    cloud = Cloud(folder / "cloud", Commands(image))
    history = History(
        VertexEngine(folder / "engine", None), folder / "bucket/pipelines/higgs/serving", cloud
    )
    moved = {"gs://my-bucket/higgs": _events(folder), "gs://my-bucket": folder / "bucket"}
    _live(history, specs, image, moved, cloud.environment())
    cloud.close()
    return history


def _live_on_kubeflow(folder: Path, specs, image: Path) -> History:
    history = History(KubeflowEngine(folder / "engine", None), folder / "models")
    moved = {"/mnt/data/higgs": _events(folder), "/mnt/models/higgs": folder / "models"}
    _live(history, specs, image, moved, {})
    return history


def _live(history: History, specs, image: Path, moved, environment) -> None:
    """The first run starts every node's own command; the others are forks."""
    history.engine.start = Commands(image, **environment)
    forks = None
    for name, text in specs.items():
        for there, here in moved.items():
            text = text.replace(there, str(here))
        if name == "refused":
            spoil(next(iter(moved.values())))
        history.runs[name] = history.engine.run(text)
        history.versions[name] = sorted(path.name for path in history.pushed.iterdir())
        if forks is None:
            history.engine.start = forks = Forks(image, **environment)
    forks.close()


def _events(folder: Path) -> Path:
    out = folder / "events"
    command = [
        BIN / "higgs",
        "generate",
        "--events",
        str(TRAIN_EVENTS + EVAL_EVENTS),
        "--seed",
        "1",
    ]
    command += ["--validation-events", str(EVAL_EVENTS), "--shard-size", "1500", "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out


def spoil(data: Path) -> None:
    """Adds a shard, so that the data are others, and cuts it off in a record."""
    shard = sorted((data / "training").iterdir())[0]
    content = shard.read_bytes()
    (data / "training" / f"extra-{shard.name}").write_bytes(content[: len(content) // 2 - 7])
