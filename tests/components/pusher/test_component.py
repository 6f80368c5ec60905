import pytest
from tfx.proto import pusher_pb2
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from tfx.utils import proto_utils

from components.pusher.executor import Executor


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


@pytest.fixture
def push(tmp_path, serving, monkeypatch):
    """Pushes an export with the given weights; each call happens at a later second."""
    seconds = iter(range(100, 200))
    monkeypatch.setattr("tfx.components.pusher.executor.time.time", lambda: next(seconds))

    def run(weights, *, blessed=True):
        export = tmp_path / "model" / "Format-Serving"
        (export / "variables").mkdir(parents=True, exist_ok=True)
        (export / "saved_model.pb").write_text("graph")
        (export / "variables" / "variables.data").write_text(weights)
        pushed = artifact(PushedModel, tmp_path / f"pushed-{len(list(tmp_path.iterdir()))}")
        Executor().Do(
            {
                "model": [artifact(Model, tmp_path / "model")],
                "model_blessing": [artifact(ModelBlessing, tmp_path, blessed=int(blessed))],
                "infra_blessing": [artifact(InfraBlessing, tmp_path, blessed=1)],
            },
            {"pushed_model": [pushed]},
            {"push_destination": proto_utils.proto_to_json(destination(serving))},
        )
        return pushed

    return run


def artifact(kind, uri, **properties):
    made = kind()
    made.uri = str(uri)
    for key, value in properties.items():
        made.set_int_custom_property(key, value)
    return made


def destination(serving):
    filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(serving))
    return pusher_pb2.PushDestination(filesystem=filesystem)


def versions(serving):
    return sorted(folder.name for folder in serving.iterdir())


def test_a_repeated_push_keeps_its_version(push, serving):
    first, second = push("a"), push("a")
    assert versions(serving) == ["100"]
    for pushed in (first, second):
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_version") == "100"
        assert pushed.get_string_custom_property("pushed_destination") == f"{serving}/100"
        assert (serving.parent / pushed.uri / "variables/variables.data").read_text() == "a"


def test_other_weights_are_a_new_version(push, serving):
    push("a")
    assert push("b").get_string_custom_property("pushed_version") == "101"
    assert versions(serving) == ["100", "101"]


def test_a_model_that_was_replaced_returns_as_a_new_version(push, serving):
    for weights in ("a", "b", "a"):
        push(weights)
    assert versions(serving) == ["100", "101", "102"]


def test_a_copy_that_was_interrupted_is_not_taken_for_a_push(push, serving):
    push("a")
    (serving / "100" / "saved_model.pb").unlink()
    assert push("a").get_string_custom_property("pushed_version") == "101"


def test_a_version_with_a_missing_file_is_replaced(push, serving):
    push("a")
    (serving / "100" / "variables" / "variables.data").unlink()
    assert push("a").get_string_custom_property("pushed_version") == "101"


def test_a_model_without_blessing_is_not_recorded_as_pushed(push, serving):
    push("a")
    assert push("a", blessed=False).get_int_custom_property("pushed") == 0
    assert versions(serving) == ["100"]
