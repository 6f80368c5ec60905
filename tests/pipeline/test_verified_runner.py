"""Real runs of three small nodes, whose artifacts are damaged between and during the runs."""

import logging
import shutil
import sqlite3
from pathlib import Path

import pytest
from damages import DAMAGES, add, delete, delete_folder, flip
from tiny_pipeline import tiny_pipeline

from formats.artifact_manifest import DIGEST_PROPERTY
from formats.manifest_record import ManifestRecord
from formats.run_outcome import Output
from pipeline import metadata_store
from pipeline.artifact_records import ArtifactRecords
from pipeline.user_errors import MetadataError
from pipeline.verified_runner import (
    ArtifactChangedError,
    VerifiedLauncher,
    VerifiedRunner,
    describe_damage,
)


class Root:
    """A root on which the pipeline runs."""

    def __init__(self, folder, caplog):
        self.folder, self._caplog = folder, caplog
        self.metadata_path = str(folder / "metadata.sqlite")

    def run(self, **changes):
        """Runs the pipeline; returns each node's state, and what was logged about artifacts."""
        self._caplog.clear()
        pipeline = tiny_pipeline(self.folder, self.metadata_path, **changes)
        with self._caplog.at_level(logging.INFO, "higgs.artifacts"):
            VerifiedRunner(str(self.folder), self.metadata_path).run(pipeline)
        nodes = metadata_store.latest_run(self.metadata_path).nodes
        return [node.state for node in nodes.values()], [
            record.getMessage()
            for record in self._caplog.records
            if record.name == "higgs.artifacts"
        ]

    def file(self, pattern):
        """The newest file of the root that matches."""
        return max(self.folder.glob(pattern), key=lambda path: path.stat().st_ctime_ns)

    def content(self):
        """Everything in service: content by path."""
        serving = self.folder / "serving"
        return {
            str(path.relative_to(serving)): path.read_text()
            for path in serving.rglob("*")
            if path.is_file()
        }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A root on which the pipeline has run once."""
    folder = tmp_path_factory.mktemp("finished") / "root"
    folder.mkdir()
    metadata_path = str(folder / "metadata.sqlite")
    VerifiedRunner(str(folder), metadata_path).run(tiny_pipeline(folder, metadata_path))
    return folder


@pytest.fixture
def root(finished, caplog):
    """That root, restored after the test; its metadata holds absolute paths."""
    backup = finished.with_name("backup")
    shutil.copytree(finished, backup, symlinks=True)
    yield Root(finished, caplog)
    shutil.rmtree(finished)
    backup.rename(finished)


MODEL = "artifacts/Train/model/*/variables/index"
# A file of each output, and the nodes that run when it is damaged.
FILES = {
    "artifacts/Ingest/examples/*/Split-train/1.parquet": ["done", "done", "done"],
    MODEL: ["cached", "done", "done"],
    "artifacts/Push/pushed_model/*/variables/index": ["cached", "cached", "done"],
}


@pytest.mark.slow
def test_an_undisturbed_run_is_reused_completely_and_without_a_message(root):
    # The root was restored by copies, so times and inodes differ from those that were recorded.
    assert root.run() == (["cached", "cached", "cached"], [])
    assert root.run(rate=2) == (["cached", "done", "done"], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "damage"),
    [(MODEL, damage) for damage in DAMAGES]
    + [(pattern, damage) for pattern in FILES for damage in (delete, flip) if pattern != MODEL],
)
def test_a_damaged_output_is_rebuilt_with_all_that_depends_on_it(root, pattern, damage):
    before = root.content()
    file = root.file(pattern)
    damage(file)
    states, [message] = root.run()
    assert states == FILES[pattern]
    folder, node = root.folder / "/".join(pattern.split("/")[:3]), pattern.split("/")[1]
    assert message.startswith(str(folder.parent))
    assert " is damaged (" in message
    assert DAMAGES[damage] in message
    assert message.endswith(f"; {node} will rebuild it")
    # The run ends as an undisturbed one.
    after = root.content()
    assert {path: after[path] for path in before} == before
    assert set(after.values()) == set(before.values())
    assert root.run() == (["cached", "cached", "cached"], [])


@pytest.mark.slow
@pytest.mark.parametrize("damage", [delete, flip, delete_folder])
def test_a_damaged_version_is_pushed_again_under_a_new_number(root, damage):
    damage(root.folder / "serving" / "1" / "variables" / "index")
    states, [message] = root.run()
    assert states == ["cached", "cached", "done"]
    assert message.startswith(f"version 1 in {root.folder}/serving/1 is damaged (variables")
    assert message.endswith("; Push will push the model again")
    assert (root.folder / "serving" / "2" / "variables" / "index").read_text().startswith("1 [")
    assert root.run() == (["cached", "cached", "cached"], [])


def test_a_file_that_others_add_to_a_version_is_not_damage(root):
    add(root.folder / "serving" / "1" / "variables" / "index")
    assert root.run() == (["cached", "cached", "cached"], [])


def test_missing_inputs_are_ingested_again_before_a_changed_training(root):
    whole = root.content()["1/variables/index"]
    for number in (0, 2):
        root.file(f"artifacts/Ingest/examples/*/Split-train/{number}.parquet").unlink()
    states, [message] = root.run(rate=2)
    assert states == ["done", "done", "done"]
    assert "(Split-train/0.parquet is missing (8 bytes); Split-train/2.parquet is miss" in message
    assert root.content()["2/variables/index"] == whole.replace("1 [", "2 [")


@pytest.mark.slow
def test_an_input_deleted_during_a_run_fails_the_node_and_the_next_run_rebuilds_it(root):
    with pytest.raises(ArtifactChangedError) as error:
        root.run(rate=2, damaged="1.parquet")
    assert (
        "was changed while Train needed it: Split-train/1.parquet is missing (8 bytes); run "
        in (str(error.value))
    )
    assert list(root.content()) == list(root.content())
    assert {path.split("/")[0] for path in root.content()} == {"1"}
    states, [message] = root.run(rate=2)
    assert states == ["done", "done", "done"]
    assert message.endswith("; Ingest will rebuild it")


def test_metadata_deleted_during_a_run_is_named_and_nothing_else_is_written(root, monkeypatch):
    run = VerifiedLauncher._run_executor

    def delete_metadata(launcher, info):
        Path(root.metadata_path).unlink()
        return run(launcher, info)

    monkeypatch.setattr(VerifiedLauncher, "_run_executor", delete_metadata)
    before = root.content()
    with pytest.raises(MetadataError, match=r"sqlite was deleted or replaced .*--recover"):
        root.run(rate=2)
    assert root.content() == before


def test_metadata_deleted_before_the_first_node_is_not_created_again(root):
    runner = VerifiedRunner(str(root.folder), root.metadata_path)
    Path(root.metadata_path).unlink()
    with pytest.raises(MetadataError, match="was deleted or replaced during the run"):
        runner.run(tiny_pipeline(root.folder, root.metadata_path))
    assert not Path(root.metadata_path).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", ["UPDATE Artifact SET state = 4", "DELETE FROM Event", "DELETE FROM Association"]
)
def test_metadata_without_an_output_of_this_run_is_not_a_reason_to_skip_nodes(
    root, monkeypatch, change
):
    launch = VerifiedLauncher.launch

    def change_metadata(launcher):
        if launcher._pipeline_node.node_info.id == "Train":
            with sqlite3.connect(root.metadata_path) as connection:
                connection.execute(change)
        return launch(launcher)

    monkeypatch.setattr(VerifiedLauncher, "launch", change_metadata)
    with pytest.raises(MetadataError, match=r"^Train does not find .* Ingest, in /.*sqlite: anoth"):
        root.run(rate=2)
    monkeypatch.undo()
    states, _ = root.run(rate=2)
    assert states[1:] == ["done", "done"]
    assert root.content()["2/variables/index"].startswith("2 [")


@pytest.mark.slow
def test_an_older_output_is_not_reused_either(root):
    index = root.file(MODEL)
    # Several executions have this output.
    root.run(rate=1)
    root.run(rate=2)
    delete(index)
    assert root.run(rate=2) == (["cached", "cached", "cached"], [])
    states, [message] = root.run(rate=1)
    assert states == ["cached", "done", "done"]
    assert message.endswith("; Train will rebuild it")


@pytest.mark.slow
def test_outputs_of_other_runs_are_not_looked_at(root, monkeypatch):
    for rate in (2, 3, 4):
        root.run(rate=rate)
    checked = []
    find = ArtifactRecords.find_problems

    def find_problems(records, folder, *arguments, **options):
        checked.append(folder)
        return find(records, folder, *arguments, **options)

    monkeypatch.setattr(ArtifactRecords, "find_problems", find_problems)
    root.run(rate=1)
    # The three outputs of the first run, its version, and what its nodes read.
    assert len(checked) <= 6
    assert not [folder for folder in checked if folder.endswith(("serving/2", "serving/4"))]


@pytest.mark.slow
def test_a_lost_record_is_taken_again_from_intact_files_only(root):
    shutil.rmtree(root.folder / "manifests")
    assert root.run() == (["cached", "cached", "cached"], [])
    assert (root.folder / "manifests" / "serving" / "1.json").is_file()
    shutil.rmtree(root.folder / "manifests")
    delete(root.file(MODEL))
    states, [message] = root.run()
    assert states == ["cached", "done", "done"]
    assert "its files do not match their digest in ML Metadata" in message


def test_a_forged_record_does_not_vouch_for_other_files(root):
    index = root.file(MODEL)
    record = root.file("manifests/artifacts/Train/model/*.json")
    index.write_text("forged")
    record.write_text(ManifestRecord.take(str(index.parents[1])).model_dump_json())
    states, [message] = root.run()
    assert states == ["cached", "done", "done"]
    assert "its files do not match their digest in ML Metadata" in message


def test_every_output_has_the_digest_of_its_manifest_before_it_is_published(root):
    nodes = metadata_store.latest_run(root.metadata_path).nodes
    assert list(nodes) == ["Ingest", "Train", "Push"]
    for node in nodes.values():
        assert [len(output.properties[DIGEST_PROPERTY]) for output in node.outputs.values()] == [64]


def test_a_push_of_an_earlier_release_is_reused_while_its_model_is_there(tmp_path):
    """It has no manifest."""
    version = tmp_path / "serving" / "17"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    properties = {"pushed": 1, "pushed_version": "17", "pushed_destination": str(version)}
    push = Output("/pushed/1", properties)
    assert describe_damage(ArtifactRecords(tmp_path), "Pusher", push) == ""
    (version / "saved_model.pb").unlink()
    assert describe_damage(ArtifactRecords(tmp_path), "Pusher", push) == (
        f"version 17 in {version} is damaged (saved_model.pb is missing); "
        "Pusher will push the model again"
    )
