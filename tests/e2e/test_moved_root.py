"""Runs on a copy of a root, and on the copy after it was moved."""

import shutil

import pytest
from running import WORSE, higgs


def content(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def elsewhere(first_run, project):
    """An unchanged run on a copy, and a run that the baseline refuses after the copy was moved."""
    original = content(project.root)
    copy = shutil.copytree(project.root, project.folder / "copied root")
    again = project.run(root=copy)
    # The first shared run may not be the last one any more.
    version = first_run.done.version
    moved = copy.rename(project.folder / "moved")
    worse = project.run(root=moved, **WORSE, evaluation__auc_lower_bound=0.11)
    yield {
        "again": again,
        "worse": worse,
        "moved": moved,
        "version": version,
        "unchanged": content(project.root) == original,
    }
    shutil.rmtree(moved)


def test_a_run_on_a_copy_reuses_every_node_of_the_copy(elsewhere, project):
    again = elsewhere["again"]
    assert again.code == 0, again.output
    assert {state for name, state in again.states.items() if name != "Baseline"} == {"cached"}
    assert f"moved or copied from {project.root}" in again.output
    assert "by an earlier run; nothing changed since" in again.output
    assert f"model       {project.folder}/copied root/serving/{again.version}\n" in again.output
    assert f"{project.root}/" not in again.output


def test_a_run_on_a_copy_does_not_touch_the_original(elsewhere):
    assert elsewhere["unchanged"]


def test_a_moved_root_keeps_its_baseline(elsewhere, project):
    worse = elsewhere["worse"]
    assert worse.code == 3, worse.output
    assert f"moved or copied from {project.folder}/copied root" in worse.output
    assert worse.states["CollisionExampleGen"] == "cached"
    assert worse.states["Evaluator"] == "done"
    assert "gate: difference in AUC -0." in worse.output
    assert "at least -0.0020 needed: MISSED by 0." in worse.output


def test_a_moved_root_is_traced_where_it_is(elsewhere, project):
    done = higgs("lineage", elsewhere["version"], "--root", elsewhere["moved"])
    assert done.code == 0, done.output
    assert f"{elsewhere['moved']}/artifacts/Trainer/model/" in done.output
    assert f"{project.root}/" not in done.output
    assert "AUC 0." in done.output
