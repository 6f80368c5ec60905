"""A sample of the faults of `make faults`: nothing is lost, wrongly pushed or left broken."""

import shutil
from pathlib import Path

import pytest
from campaign import execute, is_metadata, plan, prepare, prepare_heavy, scratch_folder
from changes import CHANGES
from damage import FOLDERS, targets
from file_layer import compiler
from judgement import auc, lost, pushed
from scenarios import AGAIN, FIRST, GENERATE, HEAVY, REFUSED, REPLACE, SCORE, SECOND
from workshop import Workshop

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not compiler(), reason="no C compiler: faults cannot be injected"),
]
SEED = 1
INGESTION = HEAVY[0]


@pytest.fixture(scope="module")
def workshop():
    with scratch_folder() as folder, Workshop(Path(folder)) as workshop:
        yield workshop


@pytest.fixture(scope="module")
def prepared(workshop):
    prepared = prepare(workshop)
    return prepared | prepare_heavy(workshop, prepared, (INGESTION,))


@pytest.fixture(scope="module")
def tasks(workshop, prepared):
    workshop.restore(SECOND.base)
    return plan(prepared, targets(workshop), SEED)


def test_calls_of_libraries_other_than_sqlite_are_counted(prepared):
    calls = [*prepared[FIRST.name].calls, *prepared[INGESTION.name].calls]
    assert 0 < sum(is_metadata(call) for call in calls) < len(calls)
    # Arrow's Parquet files are written by way of Beam, under temporary names.
    examples = [(name, path) for _, name, path in calls if "CollisionExampleGen/examples" in path]
    parquet = {path for name, path in examples if name == "rename" and path.endswith(".parquet")}
    writes = [path for name, path in examples if name == "write" and "/.staging/" in path]
    assert len(parquet) == 3
    assert len(writes) > 10


@pytest.mark.parametrize(
    ("scenario", "count"),
    [
        (FIRST, 6),
        (INGESTION, 2),
        (AGAIN, 3),
        (SECOND, 6),
        (REFUSED, 3),
        (GENERATE, 30),
        (REPLACE, 30),
        (SCORE, 12),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_run_recovers_from_a_fault(workshop, prepared, tasks, scenario, count):
    chosen = [task for task in tasks if task.scenario == scenario.name and not task.file]
    check(workshop, prepared, chosen[:count], least=count * 3 // 4)


def test_a_run_recovers_from_a_damaged_file(workshop, prepared, tasks):
    """One file of an artifact, of a manifest and of a pushed version."""
    chosen = [
        next(task for task in tasks if task.file.startswith(f"{folder}/")) for folder in FOLDERS
    ]
    check(workshop, prepared, chosen, least=len(FOLDERS))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_run_handles_changes_by_people(workshop, prepared, change):
    """Changes by people: the run reports them, and pushes what an undisturbed one would."""
    scenario, reference = change.scenario, prepared[change.scenario.name].reference
    workshop.restore(change.base or scenario.base)
    change.apply(workshop)
    before = {name: files for name, files in workshop.versions().items() if files}
    done = again = workshop.run(scenario)
    assert change.words in done.output
    assert "Traceback" not in done.output
    assert lost(before, workshop, [pushed(done.output)]) == []
    if change.withdrawn:
        assert (done.code, workshop.versions()) == (1, before)
        shutil.rmtree(workshop.work / "serving" / max(before))
        again = workshop.run(scenario)
    assert again.code == reference.code, again.output
    assert auc(again.output) == reference.auc
    versions = {name: files for name, files in workshop.versions().items() if files}
    assert len(versions) == change.versions
    assert all(files in reference.models for files in versions.values())


def check(workshop, prepared, tasks, least):
    """Every fault has a message, loses nothing, pushes nothing wrong, and the next run recovers."""
    judged = [execute(workshop, prepared, task) for task in tasks]
    outcomes = [outcome for outcome, _ in filter(None, judged)]
    assert len(outcomes) >= least
    bad = [(outcome, output) for outcome, output in filter(None, judged) if not outcome.is_good]
    assert not bad, "\n\n".join(f"{outcome}\n{output}" for outcome, output in bad)
