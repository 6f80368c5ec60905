"""Runs on a copy of a root, and on the copy after it was moved."""

from running import higgs


def test_a_run_on_a_copy_reuses_every_node_of_the_copy(moved_root, project):
    again = moved_root.again
    assert again.code == 0, again.output
    assert {state for name, state in again.states.items() if name != "Baseline"} == {"cached"}
    assert f"moved or copied from {project.root}" in again.output
    assert "by an earlier run; nothing changed since" in again.output
    assert f"model       {project.folder}/copied root/serving/{again.version}\n" in again.output
    assert f"{project.root}/" not in again.output


def test_a_run_on_a_copy_does_not_touch_the_original(moved_root):
    assert moved_root.is_original_unchanged


def test_a_moved_root_keeps_its_baseline(moved_root, project):
    worse = moved_root.worse
    assert worse.code == 3, worse.output
    assert f"moved or copied from {project.folder}/copied root" in worse.output
    assert worse.states["CollisionExampleGen"] == "cached"
    assert worse.states["Evaluator"] == "done"
    assert "gate: difference in AUC -0." in worse.output
    assert "at least -0.0020 needed: MISSED by 0." in worse.output


def test_a_moved_root_is_traced_where_it_is(moved_root, first_run, project):
    done = higgs("lineage", first_run.done.version, "--root", moved_root.root)
    assert done.code == 0, done.output
    assert f"{moved_root.root}/artifacts/Trainer/model/" in done.output
    assert f"{project.root}/" not in done.output
    assert "AUC 0." in done.output
