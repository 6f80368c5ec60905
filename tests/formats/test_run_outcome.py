import pytest
from ml_metadata.proto import metadata_store_pb2

from formats import names
from formats.run_outcome import NodeRun, Output, Push, RunOutcome, RunRecord


def test_artifact_is_its_location_and_its_plain_properties():
    artifact = metadata_store_pb2.Artifact(uri="/model")
    artifact.custom_properties["pushed"].int_value = 1
    artifact.custom_properties["loss"].double_value = 0.5
    artifact.custom_properties["version"].string_value = "17"
    artifact.custom_properties["nested"].struct_value["a"] = 1
    artifact.custom_properties["nothing"].SetInParent()
    expected = {"pushed": 1, "loss": 0.5, "version": "17"}
    assert Output.from_mlmd(artifact) == Output("/model", expected)


def test_properties_from_compiled_pipelines_are_read_too():
    artifact = metadata_store_pb2.Artifact(uri="/model")
    artifact.custom_properties["pushed"].struct_value["__value__"] = 1.0
    artifact.custom_properties["version"].struct_value["__value__"] = "17"
    artifact.custom_properties["blessed"].struct_value["__value__"] = True
    artifact.custom_properties["absent"].bool_value = False
    expected = {"pushed": 1, "version": "17", "blessed": 1, "absent": 0}
    assert Output.from_mlmd(artifact) == Output("/model", expected)


@pytest.mark.parametrize(
    ("properties", "blessed"), [({}, None), ({"blessed": 0}, False), ({"blessed": 1}, True)]
)
def test_blessing(properties, blessed):
    assert Output("/blessing", properties).is_blessed is blessed


def test_record_is_read_as_it_was_written():
    record = RunRecord(
        configuration='{"seed": 7}',
        code_version="0.1.0",
        packages={"tfx": "1.16.0"},
        ending="failed",
        failure="no <disk>",
    )
    assert RunRecord.from_json(record.model_dump_json()) == record


def test_unknown_fields_of_a_record_are_ignored():
    record = RunRecord.from_json('{"code_version": "9.0", "of_the_future": 1}')
    assert record == RunRecord(code_version="9.0")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "content: Invalid JSON"),
        ("[1]", "content: Input should be an object"),
        ('{"packages": ["tfx"]}', "packages: Input should be an object"),
        ('{"ending": 3, "failure": null}', "ending: Input should be a valid string; failure: "),
    ],
)
def test_invalid_record_holds_only_the_fault(text, fault):
    record = RunRecord.from_json(text)
    assert record.fault.startswith(fault)
    assert record == RunRecord(fault=record.fault)


def make_outcome(state="done", **outputs):
    """A run with outputs by their names in `names`."""
    nodes = {}
    for name, output in outputs.items():
        node, key = getattr(names, name)
        nodes[node] = NodeRun(node, state, 1.0, {key: output})
    return RunOutcome("r", nodes)


def test_outputs_and_states_of_nodes():
    model = Output("/model")
    run = make_outcome("cached", MODEL=model)
    assert run.output(names.MODEL) is model
    assert run.output(names.MODEL_RUN) is None
    assert run.output(names.PUSHED_MODEL) is None
    assert (run.uri(names.MODEL), run.uri(names.PUSHED_MODEL)) == ("/model", None)
    assert (run.state(names.TRAINER), run.state(names.PUSHER)) == ("cached", None)
    assert (run.is_cached(names.TRAINER), run.is_cached(names.PUSHER)) == (True, False)


@pytest.mark.parametrize(
    ("properties", "push"),
    [
        ({"pushed": 0, "pushed_version": "17"}, None),
        (
            {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/17"},
            Push("17", "/serving/17"),
        ),
        ({"pushed": 1}, Push("unknown", "unknown")),
    ],
)
def test_push(properties, push):
    assert make_outcome(PUSHED_MODEL=Output("/pushed", properties)).push == push


def test_run_that_did_not_reach_pusher_has_no_push():
    assert make_outcome().push is None


def test_ingested_events_are_counted_by_split():
    def events(properties):
        return make_outcome(EXAMPLES=Output("/examples", properties)).events

    assert events({"events_eval": 5, "events_train": 7}) == {"train": 7, "eval": 5}
    assert events({"events_eval": 5}) == {"eval": 5}
    assert events({"events_train": "many"}) == {}
    assert make_outcome().events == {}
