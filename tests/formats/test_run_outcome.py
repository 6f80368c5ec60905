import pytest
from ml_metadata.proto import metadata_store_pb2

from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord


def test_artifact_is_its_place_and_its_plain_properties():
    artifact = metadata_store_pb2.Artifact(uri="/model")
    artifact.custom_properties["pushed"].int_value = 1
    artifact.custom_properties["loss"].double_value = 0.5
    artifact.custom_properties["version"].string_value = "17"
    artifact.custom_properties["nested"].struct_value["a"] = 1
    artifact.custom_properties["nothing"].SetInParent()
    expected = {"pushed": 1, "loss": 0.5, "version": "17"}
    assert Output.from_mlmd(artifact) == Output("/model", expected)


def test_record_is_read_as_it_was_written():
    record = RunRecord('{"seed": 7}', "0.1.0", {"tfx": "1.16.0"}, "failed", "no <disk>")
    assert RunRecord.from_json(record.to_json()) == record


def test_record_of_another_version_is_read_as_far_as_it_is_known():
    found = RunRecord.from_json('{"code_version": "9.0", "of_the_future": 1}')
    assert found == RunRecord(code_version="9.0")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "JSONDecodeError: Expecting property name"),
        ("[1]", "expected names and values, got [1]"),
        ('{"packages": ["tfx"]}', "of another kind than expected: packages"),
        ('{"ending": 3, "failure": null}', "of another kind than expected: ending, failure"),
    ],
)
def test_record_that_is_none_has_a_fault_and_nothing_else(text, fault):
    found = RunRecord.from_json(text)
    assert found.fault.startswith(fault)
    assert found == RunRecord(fault=found.fault)


def test_outputs_and_states_of_nodes():
    output = Output("/model", {})
    run = RunOutcome("r", {"Trainer": NodeRun("Trainer", "cached", 1.0, {"model": output})})
    assert run.output("Trainer", "model") is output
    assert run.output("Trainer", "model_run") is None
    assert run.output("Pusher", "pushed_model") is None
    assert (run.state("Trainer"), run.state("Pusher")) == ("cached", None)
    assert (run.is_cached("Trainer"), run.is_cached("Pusher")) == (True, False)
