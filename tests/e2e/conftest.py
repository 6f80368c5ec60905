"""One real run of the pipeline, shared by the tests that inspect its output."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import any_browser, browser  # noqa: F401 (fixtures)
from running import WORSE, Finished, higgs, higgs_process

from pipeline.metadata_store import RunOutcome, latest_run
from pipeline.sample_data import monte_carlo, shard_writer

TRAIN_EVENTS, EVAL_EVENTS, TEST_EVENTS = 4_000, 2_000, 1_000

# A few seconds of training, enough for an AUC that the gates can judge.
SMALL = {
    "trainer.preset": "demo",
    "trainer.units": 64,
    "trainer.batch_size_per_replica": 256,
    "trainer.epochs": 8,
    "evaluation.auc_lower_bound": 0.7,
}

# Secrets, which a run must not write anywhere.
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "planted-secret-key",
    "DATABASE_URL": "postgres://ann:planted-password@localhost/x",
    "GITHUB_TOKEN": "planted-token",
    "GOOGLE_API_KEY": "planted-api-key",
    "HTTPS_PROXY": "http://ann:planted-proxy-password@localhost:9",
}

# The derived columns take as long as everything else; only the shared run has them, and the refit.
FAST = {
    **SMALL,
    "trainer.derived_columns": "false",
    "trainer.trees": 20,
    "trainer.refit_events": 0,
}


# Of two such hooks, that of the inner folder is called first: the outer one reads the marker.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True)
class Project:
    """Data, a configuration and a root to run on."""

    folder: Path

    @property
    def data(self):
        return self.folder / "data"

    @property
    def root(self):
        return self.folder / "runs"

    @property
    def config(self):
        return self.folder / "run.yaml"

    def run(self, start=higgs, environment=None, **changes):
        """`higgs run` with overridden keys; dots are written as double underscores."""
        pairs = (f"{key.replace('__', '.')}={value}" for key, value in changes.items())
        arguments = ("run", "--config", self.config, *(f"--set={pair}" for pair in pairs))
        return start(*arguments, **(environment or {}))


def make_project(folder, data=None, options=SMALL):
    """A small configuration in a folder of its own; on its own data unless other data is given."""
    folder.mkdir(exist_ok=True)
    project = Project(folder)
    lines = [f"data_root: {data or project.data}", f"root: {project.root}"]
    for group in ("trainer", "evaluation"):
        lines.append(f"{group}:")
        lines += [f"  {k.split('.')[1]}: {v}" for k, v in options.items() if k.startswith(group)]
    project.config.write_text("\n".join(lines) + "\n")
    return project


@pytest.fixture(scope="session")
def events(tmp_path_factory):
    """Generated events in the published layout, several shards per split."""
    out = tmp_path_factory.mktemp("events") / "data"
    done = higgs(
        "generate",
        f"--events={TRAIN_EVENTS + EVAL_EVENTS}",
        f"--validation-events={EVAL_EVENTS}",
        "--shard-size=1500",
        "--seed=1",
        f"--out={out}",
    )
    assert done.code == 0, done.output
    return out


@pytest.fixture(scope="session")
def project(tmp_path_factory, events):
    """The data with a test set beside it, and a root of its own."""
    project = make_project(tmp_path_factory.mktemp("project"))
    shutil.copytree(events, project.data)
    test = monte_carlo.generate(TEST_EVENTS, seed=2)
    shard_writer.write_shards(test, project.data / "test", TEST_EVENTS)
    return project


@dataclass(frozen=True)
class FirstRun:
    """What the first run printed and what it left, read before any later run."""

    done: Finished
    outcome: RunOutcome


@pytest.fixture(scope="session")
def first_run(project, events):
    # The set to score is the eval split, so that both have the same scores.
    done = project.run(higgs_process, SECRETS, score__data_root=events / "validation")
    assert done.code == 0, done.output
    return FirstRun(done, latest_run(str(project.root / "metadata" / "metadata.sqlite")))


@dataclass(frozen=True)
class RefusedRun:
    """What a later run that missed two gates printed and left, read before any later run."""

    done: Finished
    outcome: RunOutcome
    page: Path


@pytest.fixture(scope="session")
def refused_run(first_run, project, tmp_path_factory):
    done = project.run(evaluation__auc_lower_bound=0.995, evaluation__least_events=2001)
    assert done.code == 3, done.output
    page = re.search(r"^report +(\S+)$", done.output, re.MULTILINE)[1]
    kept = shutil.copy(page, tmp_path_factory.mktemp("refused") / "page.html")
    return RefusedRun(done, latest_run(str(project.root / "metadata" / "metadata.sqlite")), kept)


@dataclass(frozen=True)
class MovedRoot:
    """A copy of the root, and how runs on it ended.

    Attributes:
        root: where the copy is now.
        again: an unchanged run on the copy.
        worse: a run that the baseline refuses, after the copy was moved.
        is_original_unchanged: whether the first of them left the original root as it was.
    """

    root: Path
    again: Finished
    worse: Finished
    is_original_unchanged: bool


@pytest.fixture(scope="session")
def moved_root(first_run, project):
    original = _content(project.root)
    copy = shutil.copytree(project.root, project.folder / "copied root")
    again = project.run(root=copy)
    moved = copy.rename(project.folder / "moved")
    worse = project.run(root=moved, **WORSE, evaluation__auc_lower_bound=0.1)
    return MovedRoot(moved, again, worse, _content(project.root) == original)


def _content(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def fresh_project(tmp_path, events):
    """The same data under a root where nothing has run."""
    return make_project(tmp_path / "project", events, FAST)


@pytest.fixture
def own_data(tmp_path, events):
    """A copy of the data that a test may spoil, and a root of its own."""
    project = make_project(tmp_path / "project", options=FAST)
    shutil.copytree(events, project.data)
    return project
