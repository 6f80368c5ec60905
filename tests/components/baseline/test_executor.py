"""The version of a push directory that a candidate is compared with, and its messages."""

import pytest
import tensorflow as tf
from export_makers import push
from pushes import Pushes
from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types.standard_artifacts import Model

from components.baseline.driver import Driver
from components.baseline.executor import Executor
from formats import names
from formats.artifact_manifest import take_manifest
from formats.errors import DamagedBaselineError
from formats.features import FEATURES


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


@pytest.fixture
def pushes(tmp_path, serving, complete_run):  # noqa: F811
    return Pushes(tmp_path / "higgs", serving, complete_run)


@pytest.fixture
def baseline(tmp_path, pushes, serving):
    """Runs the node for a candidate with the given weights; without any, before the training."""

    def run(weights=None, when_damaged="refuse"):
        model = Model()
        model.uri = str(tmp_path / f"baseline-{len(list(tmp_path.iterdir()))}")
        inputs = candidate(pushes, weights)
        properties = {"push_directory": str(serving), "when_damaged": when_damaged}
        Executor().Do(inputs, {"model": [model]}, properties)
        return model

    return run


def candidate(pushes, weights):
    if weights is None:
        return {}
    artifact = Model()
    artifact.uri = str(pushes.write_model(weights).parent)
    return {"candidate": [artifact]}


def version(model):
    absent = bool(model.get_int_custom_property(names.ABSENT_PROPERTY))
    number = model.get_string_custom_property(names.BASELINE_VERSION_PROPERTY)
    assert absent == (number == "")
    return number


def remark(model):
    return model.get_string_custom_property(names.BASELINE_REMARK_PROPERTY)


def damage(serving, number):
    (serving / number / "variables" / "variables.data").write_text("spoiled")


def test_without_a_version_the_baseline_is_absent_and_the_remark_says_so(baseline, serving):
    model = baseline("a")
    assert version(model) == ""
    assert model.get_string_custom_property("newest_version") == "0"
    assert remark(model) == "none, because no model is in service; only the lower bounds decide"


def test_the_newest_version_is_copied_to_where_the_evaluator_looks(baseline, pushes, serving):
    pushes.push("a")
    number = pushes.version("b")
    model = baseline("c")
    assert version(model) == number
    assert remark(model) == f"version {number}"
    assert model.get_string_custom_property("newest_version") == number
    copy = f"{model.uri}/Format-Serving"
    assert take_manifest(copy) == take_manifest(f"{serving}/{number}")


def test_a_version_of_another_pipeline_is_the_baseline_too(
    baseline,
    serving,
    tmp_path,
    complete_run,  # noqa: F811
):
    number = Pushes(tmp_path / "other", serving, complete_run, "other").version("x")
    assert version(baseline("a")) == number


def test_a_candidate_in_service_is_not_its_own_baseline(baseline, pushes, caplog):
    first, second = pushes.version("a"), pushes.version("b")
    assert version(baseline("b")) == first
    assert version(baseline("a")) == second
    with caplog.at_level("INFO", "higgs.baseline"):
        assert version(baseline()) == second
    assert caplog.messages == [f"model in service: version {second}"]


def test_a_candidate_that_is_the_only_version_has_no_baseline(baseline, pushes, serving):
    pushes.push("a")
    model = baseline("a")
    assert version(model) == ""
    assert remark(model) == "none, because no model other than this one was pushed"


def test_a_withdrawn_version_is_not_a_baseline(baseline, pushes, serving):
    first, second = pushes.version("a"), pushes.version("b")
    (serving / second).rename(serving / "withdrawn")
    assert version(baseline("c")) == first


def test_a_damaged_model_in_service_is_refused_with_its_name_and_the_remedies(
    baseline, pushes, serving
):
    pushes.push("a")
    number = pushes.version("b")
    damage(serving, number)
    with pytest.raises(DamagedBaselineError) as caught:
        baseline("c")
    message = str(caught.value)
    assert message.startswith(f"version {number} in {serving}, the model in service, is damaged: ")
    assert "variables/variables.data has 7 of 1 bytes" in message
    assert "delete its folder" in message
    assert "evaluation.damaged_baseline=ignore" in message


def test_a_damaged_model_is_ignored_on_request_and_named(baseline, pushes, serving):
    first, second = pushes.version("a"), pushes.version("b")
    damage(serving, second)
    model = baseline("c", "ignore")
    assert version(model) == first
    assert remark(model).startswith(f"version {second} is damaged and ignored: variables/")
    assert remark(model).endswith(f"; version {first}")
    damage(serving, first)
    assert version(baseline("c", "ignore")) == ""


def test_damage_of_the_candidates_own_version_does_not_affect_the_baseline(
    baseline, pushes, serving
):
    # The Pusher pushes it again.
    first, second = pushes.version("a"), pushes.version("b")
    damage(serving, second)
    assert version(baseline("b")) == first


def test_damage_of_older_versions_does_not_affect_the_baseline(baseline, pushes, serving):
    first, _, third = (pushes.version(weights) for weights in "abc")
    damage(serving, first)
    assert version(baseline("d")) == third
    assert remark(baseline("d")) == f"version {third}"


def test_a_version_of_unknown_origin_must_load_and_have_the_evaluated_signature(baseline, serving):
    push(serving, "7")
    with pytest.raises(DamagedBaselineError, match=r"version 7 .* cannot be loaded"):
        baseline("b")
    tf.saved_model.save(tf.Module(), str(serving / "8"))
    with pytest.raises(DamagedBaselineError, match=r"version 8 .* has no signature score_columns"):
        baseline("b")


def test_a_version_of_another_tensorflow_must_load(baseline, pushes, monkeypatch):
    monkeypatch.setattr(tf, "__version__", "3.0.0")
    number = pushes.version("a")
    with pytest.raises(DamagedBaselineError, match=f"version {number} .* cannot be loaded"):
        baseline("b")


def test_a_version_for_other_features_is_refused_with_the_difference(baseline, pushes, serving):
    first = pushes.version("a")
    pushes.features = [*FEATURES[:-1], "m_top"]
    number = pushes.version("b")
    with pytest.raises(DamagedBaselineError) as caught:
        baseline("c")
    assert f"version {number} in {serving}, the model in service, is damaged: " in str(caught.value)
    fault = "its features differ from those of the events in m_top, m_wwbb"
    assert fault in str(caught.value)
    assert version(baseline("c", "ignore")) == first


def key(pushes, serving, weights):
    info = ExecutionInfo(
        input_dict=candidate(pushes, weights), exec_properties={"push_directory": str(serving)}
    )
    return Driver(None).run(info).exec_properties["in_service"].string_value


def test_the_cache_sees_what_is_pushed_and_withdrawn_but_not_the_candidates_own_push(
    pushes, serving
):
    before = key(pushes, serving, "a")
    pushes.push("a")
    assert key(pushes, serving, "a") == before
    against_a = key(pushes, serving, "b")
    assert against_a != before
    number = pushes.version("b")
    assert key(pushes, serving, "b") == against_a
    assert key(pushes, serving, "a") not in (before, against_a)
    damage(serving, number)
    assert f"{number}: variables/variables.data has 7 of 1 bytes" in key(pushes, serving, "c")
    (serving / number).rename(serving / "withdrawn")
    assert key(pushes, serving, "b") == against_a
    # Not a version, but later pushes have larger numbers, and the Pusher notices if it is gone.
    (serving / "99999999999").mkdir()
    assert key(pushes, serving, "b") == f"{against_a.rpartition(' ')[0]} 99999999999"
