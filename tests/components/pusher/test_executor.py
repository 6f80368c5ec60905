"""The versions after each push, whatever happened before or during it."""

import errno
import functools
import logging
import os
import shutil
import signal
from pathlib import Path

import pytest
import tensorflow as tf
from pushes import Pushes
from tfx.dsl.io.filesystem_registry import DEFAULT_FILESYSTEM_REGISTRY
from tfx.dsl.io.plugins.tensorflow_gfile import TensorflowFilesystem

from components.pusher import executor, publication
from components.pusher.executor import ModelChangedError, NotComparedError
from formats import verified_copy
from formats.artifact_manifest import manifest_digest, take_manifest, verify
from formats.provenance import FILE_NAME, Provenance
from formats.push_directory import MARK_FILE, MAX_VERSION
from formats.verified_copy import DamagedCopyError

pytestmark = pytest.mark.usefixtures("clock")


def provenance(folder):
    return Provenance.from_json((folder / FILE_NAME).read_text())


def test_a_version_holds_the_model_and_its_provenance(pushes, serving):
    pushed = pushes.push("a", run="run-7", baseline="12")
    folder = serving / "1000"
    assert pushed.get_string_custom_property("pushed_destination") == str(folder)
    record = provenance(folder)
    assert verify(str(folder), record.manifest) == [f"{FILE_NAME} was added"]
    assert record.manifest == take_manifest(str(pushes.folder / "model" / "Format-Serving"))
    assert (record.version, record.pipeline, record.run) == ("1000", "higgs", "run-7")
    assert (record.evaluation.auc, record.evaluation.events) == (0.8, 20_000)
    assert record.evaluation.baseline_version == "12"
    assert [(gate.name, gate.limit) for gate in record.evaluation.gates] == [("AUC", 0.7)]
    assert record.evaluation.gates[0].margin == pytest.approx(0.1)
    low, high = record.evaluation.gates[0].interval
    assert 0.79 < low < 0.8 < high < 0.81
    assert {name: split.events for name, split in record.data.items()} == {
        "train": 400,
        "eval": 200,
    }
    assert record.data["train"].fingerprint == f"{400:016x}"
    assert len(record.schema_sha256) == 64
    assert ", sources " in record.code_version
    assert record.packages == {"python": "3.10.0", "tensorflow": tf.__version__}


def test_only_the_files_that_serving_check_has_blessed_are_pushed(pushes, serving):
    checked = manifest_digest(take_manifest(str(pushes.write_model("a"))))
    assert pushes.version("a", checked=checked) == "1000"
    with pytest.raises(ModelChangedError) as error:
        pushes.push("b", checked=checked)
    assert "/model/Format-Serving was changed after ServingCheck had blessed it" in str(error.value)
    assert f"blessed: {checked[:12]}), so it is not pushed" in str(error.value)
    assert pushes.versions() == ["1000"]


@pytest.mark.slow
def test_a_model_that_was_not_compared_with_a_later_push_is_not_pushed(pushes, serving):
    # Another pipeline pushes between this one's Baseline and Pusher.
    pushes.push("other")
    with pytest.raises(NotComparedError) as error:
        pushes.push("a", newest="999", baseline="12")
    assert str(error.value) == (
        f"version 1000 was pushed to {serving} while this run compared its model with version 12, "
        "so the model is not pushed; run again to compare it with that version"
    )
    with pytest.raises(NotComparedError, match=r"compared its model with version none, so"):
        pushes.push("a", newest="0")
    assert pushes.versions() == ["1000"]
    assert pushes.version("a", newest="1000", baseline="1000") == "1001"
    # The candidate itself, damaged since, is not another model.
    (serving / "1001" / "saved_model.pb").unlink()
    assert pushes.version("a", newest="1000", baseline="1000") == "1002"


def test_a_version_holds_the_requested_formats(pushes, serving, clock):
    checked = manifest_digest(take_manifest(str(pushes.write_model("a"))))
    assert pushes.version("a", checked=checked, onnx=False) == "1000"
    assert not (serving / "1000" / "model.onnx").exists()
    assert "model.onnx" not in provenance(serving / "1000").manifest
    assert pushes.version("a", checked=checked, onnx=False) == "1000"
    # The same model with another format, which is another version.
    clock.seconds = 2000
    assert pushes.version("a", checked=checked) == "2000"
    assert (serving / "2000" / "model.onnx").read_text() == "ONNX a"
    models = [provenance(serving / version).model_sha256 for version in ("1000", "2000")]
    assert models[0] == models[1]


def test_a_model_that_lost_its_onnx_file_is_not_pushed(pushes, monkeypatch):
    write_model = pushes.write_model
    monkeypatch.setattr(
        pushes, "write_model", lambda weights: (write_model(weights) / "model.onnx").unlink()
    )
    with pytest.raises(FileNotFoundError, match=r"has no model.onnx: the trained model was dele"):
        pushes.push("a")
    assert pushes.versions() == []
    assert pushes.version("a", onnx=False) == "1000"


def test_tritons_configuration_lies_beside_the_versions(pushes, serving):
    pushes.push("a")
    assert not (serving / "config.pbtxt").exists()
    # The version exists already; the configuration does not.
    pushes.push("a", triton=True)
    assert sorted(path.name for path in serving.iterdir() if path.name[0] != ".") == [
        "1000",
        "config.pbtxt",
    ]


def test_a_repeated_push_keeps_its_version(pushes, serving):
    first, second = pushes.push("a"), pushes.push("a")
    assert pushes.versions() == ["1000"]
    for pushed in (first, second):
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_version") == "1000"
        assert pushed.get_string_custom_property("pushed_destination") == f"{serving}/1000"
        assert Path(pushed.uri, "variables/variables.data").read_text() == "a"


def test_two_pushes_in_one_second_are_two_versions(pushes, serving):
    assert [pushes.version("a"), pushes.version("b")] == ["1000", "1001"]
    assert (serving / "1001" / "variables" / "variables.data").read_text() == "b"
    assert provenance(serving / "1001").version == "1001"


@pytest.mark.slow
def test_a_clock_set_back_by_an_hour_does_not_lower_the_version(pushes, clock):
    first = pushes.version("a")
    clock.seconds -= 3600
    assert int(pushes.version("b")) == int(first) + 1
    clock.seconds += 7200
    assert pushes.version("c") == "4600"


@pytest.mark.slow
@pytest.mark.parametrize("emptied", ["version", "directory's versions"])
def test_a_withdrawn_version_is_never_assigned_again(pushes, serving, clock, emptied):
    pushes.push("a")
    clock.seconds = 2000
    pushes.push("b")
    for folder in [serving / "2000"] if emptied == "version" else [*serving.glob("[0-9]*")]:
        shutil.rmtree(folder)
    clock.seconds = 500
    assert pushes.version("b") == "2001"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("9999", "10000"),
        ("09999", "10000"),
        ("v2", "1000"),
        ("9" * 30, "1000"),
        ("٣٣٣٣٣", "1000"),
        ("-5000", "1000"),
        ("latest", "1000"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_version_is_larger_than_any_other_number_in_the_directory(
    pushes, serving, entry, expected, kind
):
    serving.mkdir()
    (serving / entry).mkdir() if kind == "folder" else (serving / entry).write_text("")
    assert pushes.version("a") == expected


def test_without_a_number_left_the_reason_is_given(pushes, serving):
    (serving / str(MAX_VERSION)).mkdir(parents=True)
    reason = f"no version is left above {MAX_VERSION} in {serving}, .* or .last_version if"
    with pytest.raises(ValueError, match=reason):
        pushes.push("a")
    assert sorted(path.name for path in serving.iterdir()) == [str(MAX_VERSION)]


def test_nothing_is_pushed_to_a_directory_that_lost_its_versions_during_the_run(pushes, serving):
    """Its file system was unmounted between Baseline and Pusher: what is there now is hidden."""
    assert pushes.version("a") == "1000"
    shutil.move(serving, serving.with_name("unmounted"))
    with pytest.raises(NotComparedError, match=f"{serving} had version 1000 .* is mounted, then"):
        pushes.push("b", newest="1000", baseline="1000")
    assert pushes.versions() == []
    shutil.rmtree(serving)
    shutil.move(serving.with_name("unmounted"), serving)
    # A version that was withdrawn meanwhile does not count.
    shutil.rmtree(serving / "1000")
    assert pushes.version("b", newest="1000", baseline="1000") == "1001"


def test_an_unreadable_mark_does_not_stop_a_push(pushes, serving):
    pushes.push("a")
    (serving / MARK_FILE).write_bytes(b"\xff\x00torn")
    assert pushes.version("b") == "1001"
    assert (serving / MARK_FILE).read_text() == "1001\n"


@pytest.mark.parametrize(
    "parts", ["a saved_model.pb x", "saved_model.pb", "50% #1 ä", "1000/variables"]
)
def test_every_file_is_pushed_for_any_path(tmp_path, complete_run, parts):
    pushes = Pushes(tmp_path / parts / "root", tmp_path / parts / "serving", complete_run)
    pushes.push("a")
    model = take_manifest(str(pushes.folder / "model" / "Format-Serving"))
    assert len(model) == 3
    assert verify(str(pushes.serving / "1000"), model) == [f"{FILE_NAME} was added"]


def test_other_weights_are_a_new_version(pushes):
    pushes.push("a")
    assert pushes.version("b") == "1001"


@pytest.mark.slow
def test_a_model_that_was_replaced_returns_as_a_new_version(pushes):
    for weights in ("a", "b", "a"):
        pushes.push(weights)
    assert pushes.versions() == ["1000", "1001", "1002"]


def test_a_damaged_version_is_pushed_again_with_a_warning(pushes, serving, caplog):
    pushes.push("a")
    (serving / "1000" / "variables" / "variables.data").unlink()
    with caplog.at_level(logging.WARNING, "higgs.pusher"):
        assert pushes.version("a") == "1001"
    assert "version 1000 is damaged and is pushed again: variables/variables.data" in caplog.text


def test_a_version_that_others_added_to_is_not_pushed_again(pushes, serving):
    pushes.push("a")
    (serving / "1000" / "assets.extra" / "tf_serving_warmup_requests").write_text("requests")
    assert pushes.version("a") == "1000"


def test_a_model_without_blessing_is_not_recorded_as_pushed(pushes):
    pushes.push("a")
    assert pushes.push("a", blessed=False).get_int_custom_property("pushed") == 0
    assert pushes.versions() == ["1000"]


def test_an_emptied_model_is_never_pushed(pushes, serving, monkeypatch):
    monkeypatch.setattr(pushes, "write_model", lambda _: None)
    (pushes.folder / "model" / "Format-Serving" / "variables").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"has no saved_model.pb: the trained model was"):
        pushes.push("a")
    assert not serving.exists()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["write", "fsync", "replace", "rename", "lie"])
def test_a_push_that_fails_leaves_nothing(pushes, serving, monkeypatch, fault):
    pushes.push("a")
    before = sorted(serving.rglob("*"))

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    if fault == "write":
        monkeypatch.setattr(verified_copy, "write_file", fail)
    elif fault == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif fault == "lie":
        monkeypatch.setattr(publication, "copy_files", copy_wrongly)
    else:
        monkeypatch.setattr(Path, fault, fail)
    with pytest.raises(OSError, match=r"Input/output error|differs from the model"):
        pushes.push("b")
    monkeypatch.undo()
    assert sorted(serving.rglob("*")) == before
    assert pushes.versions() == ["1000"]
    assert int(pushes.version("b")) > 1000


def test_every_folder_is_synced_even_if_it_can_no_longer_be_listed(pushes, monkeypatch):
    check, scandir, synced = publication.check_copy, os.scandir, []

    def check_and_lock(folder, manifest):
        check(folder, manifest)
        monkeypatch.setattr(os, "scandir", refuse)

    def refuse(path):
        if publication.STAGING_PREFIX in str(path):
            raise OSError(errno.EIO, "Input/output error", path)
        return scandir(path)

    monkeypatch.setattr(publication, "check_copy", check_and_lock)
    monkeypatch.setattr(publication, "sync", lambda path: synced.append(path.name))
    pushes.push("a")
    assert {"variables", Path(FILE_NAME).parent.name} < {*synced}


def copy_wrongly(model, folder, manifest):
    """A disk that stores a wrong byte."""
    verified_copy.copy_files(model, folder, manifest)
    Path(folder, "variables", "variables.data").write_text("B")


def test_a_copy_that_differs_is_named(pushes, serving, monkeypatch):
    monkeypatch.setattr(publication, "copy_files", copy_wrongly)
    with pytest.raises(DamagedCopyError, match=r"variables/variables.data has other content"):
        pushes.push("b")
    assert [path.name for path in serving.iterdir()] == []


def test_another_process_that_takes_the_version_first_gets_it(pushes, serving, monkeypatch):
    rename = Path.rename

    def rename_later(self, target):
        if not (serving / "1000").exists():
            (serving / "1000" / "variables").mkdir(parents=True)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_later)
    assert pushes.version("a") == "1001"
    assert provenance(serving / "1001").version == "1001"


def test_remains_of_killed_pushes_of_this_pipeline_are_removed(pushes, serving):
    for name in (".pushing.higgs.0a", ".pushing.higgs-2.0b", ".pushing.other.0c", "mine"):
        (serving / name / "variables").mkdir(parents=True)
    (serving / f".{MARK_FILE}.1234").write_text("10")
    pushes.push("a")
    left = sorted(path.name for path in serving.iterdir())
    assert left == [MARK_FILE, ".pushing.higgs-2.0b", ".pushing.other.0c", "1000", "mine"]


def test_remains_that_cannot_be_removed_do_not_stop_a_push(pushes, serving, monkeypatch, caplog):
    """A killed push of another user has left it; servers ignore it."""
    left = serving / ".pushing.higgs.0a"
    left.mkdir(parents=True)
    remove = shutil.rmtree
    monkeypatch.setattr(
        shutil, "rmtree", lambda path, **options: path == left or remove(path, **options)
    )
    assert pushes.version("a") == "1000"
    assert f"cannot remove {left}, which an interrupted push has left" in caplog.text


def start(function):
    """Calls a function in a child process; returns the process's id. Imports take too long."""
    child = os.fork()
    if child:
        return child
    try:
        function()
        os._exit(0)
    finally:
        os._exit(1)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_copy(monkeypatch):
    written = []

    def write(*arguments):
        written.append(arguments)
        if len(written) == 2:
            die()
        write_file(*arguments)

    write_file = verified_copy.write_file
    monkeypatch.setattr(verified_copy, "write_file", write)


def die_before_record(monkeypatch):
    monkeypatch.setattr(executor, "copy_files", lambda *_: die())


@pytest.mark.parametrize("die_at", [die_in_copy, die_before_record])
def test_the_run_after_a_killed_push_finds_its_version_or_none(
    pushes, serving, monkeypatch, die_at, clock
):
    def push_and_die():
        die_at(monkeypatch)
        pushes.push("a", run="killed")

    assert os.waitpid(start(push_and_die), 0)[1] == signal.SIGKILL
    clock.seconds += 60
    if die_at is die_in_copy:
        assert pushes.versions() == []
        assert [path.name.split(".")[:3] for path in serving.iterdir()] == [
            ["", "pushing", "higgs"]
        ]
        assert pushes.version("a") == "1060"
    else:
        assert provenance(serving / "1000").run == "killed"
        assert pushes.version("a") == "1000"
        assert pushes.versions() == ["1000"]
    assert not list(serving.glob(".pushing*"))


@pytest.mark.slow
def test_pipelines_that_push_at_the_same_time_get_versions_of_their_own(
    tmp_path, serving, complete_run
):
    names = ("one", "two", "three")
    pipelines = {name: Pushes(tmp_path / name, serving, complete_run, name) for name in names}

    def push_five(name):
        for number in range(5):
            pipelines[name].push(f"{name} {number}")

    children = [start(functools.partial(push_five, name)) for name in names]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert pipelines["one"].versions() == [str(1000 + number) for number in range(15)]
    weights = {}
    for version in pipelines["one"].versions():
        name = provenance(serving / version).pipeline
        weights.setdefault(name, []).append(
            (serving / version / "variables" / "variables.data").read_text()
        )
    assert weights == {name: [f"{name} {number}" for number in range(5)] for name in names}


class Memory(TensorflowFilesystem):
    """TensorFlow's in-memory file system, which creates folders as an object store does."""

    SUPPORTED_SCHEMES = ("ram://",)

    @staticmethod
    def open(name, mode="r"):
        if "w" in mode:
            tf.io.gfile.makedirs(name.rpartition("/")[0])
            if tf.io.gfile.exists(name):  # it would append
                tf.io.gfile.remove(name)
        return tf.io.gfile.GFile(name, mode)


@pytest.fixture
def bucket(tmp_path, complete_run):
    """A pipeline that pushes to an object store."""
    DEFAULT_FILESYSTEM_REGISTRY.register(Memory, priority=5)
    return Pushes(tmp_path / "remote", f"ram://bucket{tmp_path}", complete_run)


@pytest.mark.slow
def test_an_object_store_gets_the_same_versions(bucket, clock):
    assert [bucket.version("a"), bucket.version("a")] == ["1000", "1000"]
    clock.seconds -= 3600
    assert bucket.version("b") == "1001"
    record = Provenance.from_json(tf.io.gfile.GFile(f"{bucket.serving}/1001/{FILE_NAME}").read())
    assert verify(f"{bucket.serving}/1001", record.manifest) == [f"{FILE_NAME} was added"]
    tf.io.gfile.rmtree(f"{bucket.serving}/1001")
    assert bucket.version("c") == "1002"


def test_a_failed_push_to_an_object_store_leaves_no_version(bucket, monkeypatch):
    def copy_wrongly(model, folder, manifest):
        verified_copy.copy_files(model, folder, manifest)
        with tf.io.gfile.GFile(f"{folder}/variables/variables.data", "w") as file:
            file.write("B")

    with monkeypatch.context() as patched:
        patched.setattr(publication, "copy_files", copy_wrongly)
        with pytest.raises(DamagedCopyError):
            bucket.push("b")
    assert not tf.io.gfile.exists(f"{bucket.serving}/1000/saved_model.pb")
    assert bucket.version("b") == "1001"


def test_remains_of_a_killed_push_in_an_object_store_are_removed_by_its_pipeline(
    bucket, monkeypatch
):
    class KilledError(BaseException):
        pass

    def die(*_):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(publication, "copy_files", die)
        with pytest.raises(KilledError):
            bucket.push("a")
    left = f"{bucket.serving}/1000/{FILE_NAME}"
    assert tf.io.gfile.exists(left)
    bucket.pipeline = "other"
    assert bucket.version("b") == "1001"
    assert tf.io.gfile.exists(left)
    bucket.pipeline = "higgs"
    assert bucket.version("b") == "1001"
    assert not tf.io.gfile.exists(left)
