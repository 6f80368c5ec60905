"""Runs on a copy of a root in which files were deleted, as cleaners do."""

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from running import WORSE

from formats import names
from formats.training_record import FILE_NAME, TrainingRecord
from pipeline.metadata_store import latest_run

# Any model is pushed.
PUSHED = {**WORSE, "evaluation__auc_lower_bound": 0.1, "evaluation__auc_max_drop": 1}


@pytest.fixture(scope="module")
def damaged(first_run, project):
    """A run after data and models were cleaned up, and one after the pushed version was."""
    root = shutil.copytree(project.root, project.folder / "cleaned root")
    examples, *_ = root.glob("artifacts/CollisionExampleGen/examples/*")
    first, *others = sorted(examples.glob("Split-train/*.parquet"))
    for file in others:
        file.unlink()
    for file in root.glob("artifacts/Trainer/model/**/*"):
        if file.is_file():
            file.unlink()
    cleaned = project.run(root=root, **PUSHED)
    assert cleaned.code == 0, cleaned.output
    outcome = latest_run(str(root / "metadata" / "metadata.sqlite"))
    shutil.rmtree(root / "serving" / cleaned.version / "variables")
    pushed = project.run(root=root, **PUSHED)
    yield {"cleaned": cleaned, "pushed": pushed, "outcome": outcome, "root": root, "kept": first}
    shutil.rmtree(root)


def test_deleted_files_are_named_and_their_nodes_run_again(damaged):
    cleaned, folder = damaged["cleaned"], damaged["kept"].parents[1]
    lines = [line for line in cleaned.output.splitlines() if " is damaged (" in line]
    (examples,) = (line for line in lines if "CollisionExampleGen" in line)
    assert (
        f"    {folder} is damaged (Split-train/data_parquet-00001.parquet is missing (" in examples
    )
    assert re.search(r"missing \([0-9,]+ bytes\)\); CollisionExampleGen will rebuild it$", examples)
    # The model would be of other Examples now, so it is not checked.
    assert len(lines) == 1
    assert set(cleaned.states.values()) - {"cached"} == {"done"}
    assert {node for node, state in cleaned.states.items() if state == "cached"} <= {
        names.SCHEMA_IMPORT
    }


def test_the_run_ends_as_an_undisturbed_one(damaged):
    outcome, cleaned = damaged["outcome"], damaged["cleaned"]
    split = f"{outcome.uri(names.EXAMPLES)}/Split-train"
    assert pq.read_table(split).num_rows == outcome.events["train"] == 4000
    record = Path(outcome.uri(names.MODEL_RUN), FILE_NAME).read_text(encoding="utf-8")
    assert sum(TrainingRecord.from_json(record).events.values()) == 4000
    assert "4,000 train events" in cleaned.output
    assert f"\nPUSHED version {cleaned.version}\n" in cleaned.output


def test_a_version_without_its_weights_is_pushed_again_under_a_new_number(damaged):
    cleaned, pushed = damaged["cleaned"], damaged["pushed"]
    assert pushed.code == 0, pushed.output
    folder = damaged["root"] / "serving" / cleaned.version
    assert f"version {cleaned.version} in {folder} is damaged (variables/" in pushed.output
    assert "Pusher will push the model again" in pushed.output
    assert {node for node, state in pushed.states.items() if state == "done"} == {names.PUSHER}
    assert int(pushed.version) > int(cleaned.version)
    assert (folder.parent / pushed.version / "variables" / "variables.index").stat().st_size
    assert "nothing changed since" not in pushed.output
