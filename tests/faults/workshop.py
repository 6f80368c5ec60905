"""A folder in which scenarios are prepared, disturbed, repeated and inspected."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from file_layer import FileLayer, build
from folder_digests import file_digests
from scenarios import EVAL_EVENTS, SETTINGS, TEST_EVENTS, TRAIN_EVENTS, Scenario
from score_models import write_onnx

HERE = Path(__file__).parent
SOURCES = HERE.parents[1]
PROVENANCE = "assets.extra/provenance.json"
"""Differs between two pushes of one model."""


@dataclass(frozen=True)
class Finished:
    """How a command ended.

    Attributes:
        code: exit code; negative for the signal that ended it.
        output: what it printed.
        hit: phase, name and path of the call that failed; None if none did.
        nodes: the nodes that started.
        known: folders of the pushes that ML Metadata knows.
    """

    code: int
    output: str
    hit: tuple[int, str, str] | None
    nodes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


class Workshop:
    """Runs commands in forks of one warm process, under the file layer."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.work, self.data = folder / "work", folder / "data"
        (folder / "recordings").mkdir(exist_ok=True)
        self.layer = FileLayer(folder / "control")
        environment = {
            **os.environ,
            "LD_PRELOAD": str(build(folder)),
            "FAULT_CONTROL": str(folder / "control"),
            "PYTHONPATH": os.pathsep.join([str(SOURCES), str(HERE)]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "COLUMNS": "160",
        }
        with (folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, str(HERE / "run_server.py")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        if self._answer() != "ready":
            raise RuntimeError((folder / "server.log").read_text()[-3000:])

    def __enter__(self) -> "Workshop":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()

    def _answer(self) -> str:
        return self._server.stdout.readline().strip()

    def run(
        self, scenario: Scenario, fault: str = "EIO", at: int = -1, *, again: bool = False
    ) -> Finished:
        """Runs a scenario's command, with a fault unless `at` is negative."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        request = {
            "arguments": self._arguments(scenario, again),
            "folders": [str(self.work), str(self.work / "serving")],
            "fault": fault,
            "at": at,
            "recordings": str(self.folder / "recordings"),
            "real": list(scenario.real if at >= 0 else ()),
            "variant": scenario.variant,
            "metadata": str(self.work / "metadata" / "metadata.sqlite"),
            "output": str(self.folder / "output"),
            "answer": str(answer),
        }
        print(json.dumps(request), file=self._server.stdin, flush=True)
        code = int(self._answer())
        index = self.layer.hit
        details = json.loads(answer.read_text()) if answer.exists() else {}
        return Finished(
            code,
            (self.folder / "output").read_text(errors="replace"),
            self.layer.calls()[index] if 0 <= index < len(self.layer.calls()) else None,
            tuple(details.get("nodes", ())),
            tuple(details.get("known", ())),
        )

    def _arguments(self, scenario: Scenario, again: bool) -> list[str]:
        if scenario.command == "generate":
            options = [f"--{key}={value}" for key, value in scenario.settings.items()]
            events = ["--events=120", "--validation-events=40", "--shard-size=50"]
            overwrite = ["--overwrite"] if scenario.base or again else []
            return ["generate", *events, *options, *overwrite, f"--out={self.work}"]
        if scenario.command == "score":
            options = [f"--model={self.folder}/model.onnx", f"--input={self.data}/validation"]
            return ["score", *options, f"--out={self.work}"]
        pairs = {
            "data_root": self.data,
            "score.data_root": self.data / "test",
            "root": self.work,
            **SETTINGS,
            **scenario.settings,
        }
        config = str(SOURCES / "configs" / "demo.yaml")
        return ["run", "--config", config, *(f"--set={k}={v}" for k, v in pairs.items())]

    def generate_data(self) -> None:
        """Makes the events of the runs, and a model that scores them."""
        write_onnx(self.folder / "model.onnx")
        if not self.data.exists():
            self._generate(self.data, EVAL_EVENTS, TRAIN_EVENTS)
            self._generate(self.folder / "more", TEST_EVENTS, seed=1)
            (self.folder / "more" / "validation").rename(self.data / "test")

    def _generate(self, folder: Path, validation: int, training: int = 1, seed: int = 0) -> None:
        higgs = str(Path(sys.executable).with_name("higgs"))
        numbers = {
            "events": training + validation,
            "validation-events": validation,
            "shard-size": 400,
            "seed": seed,
        }
        options = [f"--{name}={number}" for name, number in numbers.items()]
        command = [higgs, "generate", *options, f"--out={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def save(self, name: str) -> None:
        """Keeps the state of the work folder under a name."""
        copy_folder(self.work, self.folder / "bases" / name)

    def restore(self, name: str) -> None:
        """Brings a state back, to the same place; an empty name empties the folder."""
        shutil.rmtree(self.work, ignore_errors=True)
        if name:
            copy_folder(self.folder / "bases" / name, self.work)

    def versions(self) -> dict[str, dict[str, str]]:
        """The files of each version in service, as digests."""
        folder = self.work / "serving"
        if not folder.exists():
            return {}
        return {
            path.name: model_digests(path)
            for path in sorted(folder.iterdir())
            if path.name.isdecimal()
        }

    def models(self) -> list[dict[str, str]]:
        """The files of each trained model, as digests."""
        folders = self.work.glob("artifacts/Trainer/model/*/Format-Serving")
        return [model_digests(path) for path in folders]


def copy_folder(source: Path, target: Path) -> None:
    """Copies a folder with its times; an earlier copy is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/cp", "-a", str(source), str(target)], check=True)


def model_digests(folder: Path) -> dict[str, str]:
    """Digest by file of a model, without what a push adds."""
    return {path: digest for path, digest in file_digests(folder).items() if path != PROVENANCE}
