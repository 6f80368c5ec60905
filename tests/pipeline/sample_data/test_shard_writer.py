import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from event_makers import in_chunks, make_events, same_events
from hypothesis import given
from hypothesis import strategies as st
from shard_makers import read_folder

from formats.folder_lock import FolderBusyError
from formats.published.manifest import Manifest
from pipeline.sample_data.shard_writer import (
    OutputExistsError,
    SplitSize,
    write_dataset,
    write_shards,
)


def make_manifest(shards):
    events = sum(shard.events for shard in shards)
    return Manifest(created="", sources=(), read=events, written=events, shards=shards)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.slow
@given(st.integers(0, 60), st.integers(1, 25), st.integers(1, 25))
def test_shards_have_the_requested_size_for_any_chunks(tmp_path_factory, count, chunk, shard_size):
    folder = tmp_path_factory.mktemp("shards")
    events = make_events(count)

    entries = write_shards(in_chunks(events, chunk), folder, shard_size)

    shards = -(-count // shard_size)
    assert (sum(entry.events for entry in entries), len(entries)) == (count, shards)
    assert names(folder) == [f"shard-{i:05d}.tfrecord" for i in range(shards)]
    counts = [path.stat().st_size // 179 for path in sorted(folder.iterdir())]
    assert counts[:-1] == [shard_size] * max(shards - 1, 0)
    assert same_events(read_folder(folder), events)


def test_dataset_has_both_splits_and_nothing_else(tmp_path):
    training, validation = make_events(70, 1), make_events(30, 2)

    sizes = write_dataset(
        tmp_path / "new", [training], [validation], shard_size=40, overwrite=False
    )

    assert sizes == {"training": SplitSize(70, 2), "validation": SplitSize(30, 1)}
    assert names(tmp_path / "new") == [
        "training",
        "training/shard-00000.tfrecord",
        "training/shard-00001.tfrecord",
        "validation",
        "validation/shard-00000.tfrecord",
    ]
    assert same_events(read_folder(tmp_path / "new" / "training"), training)
    assert same_events(read_folder(tmp_path / "new" / "validation"), validation)


def test_a_test_set_is_written_and_replaced_with_the_others(tmp_path):
    parts = [make_events(30, 1), make_events(20, 2), make_events(10, 3)]

    sizes = write_dataset(tmp_path, *([part] for part in parts), make_manifest=make_manifest)

    assert [size.events for size in sizes.values()] == [30, 20, 10]
    for split, part in zip(("training", "validation", "test"), parts, strict=True):
        assert same_events(read_folder(tmp_path / split), part)
    write_dataset(tmp_path, [parts[2]], [], overwrite=True)
    assert names(tmp_path) == ["training", "training/shard-00000.tfrecord"]


def test_a_test_set_of_the_user_is_not_replaced(tmp_path):
    write_dataset(tmp_path, [make_events(5)], [], make_manifest=make_manifest)
    (tmp_path / "training").rename(tmp_path / "test")

    with pytest.raises(OutputExistsError, match="contains test, which this command did not write"):
        write_dataset(tmp_path, [make_events(5)], [], overwrite=True)


def test_files_that_could_not_be_replaced_are_not_replaced_later(tmp_path, monkeypatch):
    """In a sticky folder, the first rename of another user's file fails."""
    old = make_events(20)
    write_dataset(tmp_path, [old], [], make_manifest=make_manifest)
    rename = Path.rename

    def refuse(path, target):
        if path.name == "manifest.json":
            raise PermissionError(1, "Operation not permitted", str(path))
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(PermissionError):
            write_dataset(tmp_path, [make_events(9)], [], overwrite=True)
    with pytest.raises(OutputExistsError, match="already contains 1 shard"):
        write_dataset(tmp_path, [make_events(9)], [])

    assert same_events(read_folder(tmp_path / "training"), old)


def test_a_second_command_does_not_write_to_the_same_folder(tmp_path):
    """Both would use the same hidden folder, and remove or mix their shards."""
    events = make_events(50)

    def with_a_second_command():
        yield from in_chunks(events, 10)
        with pytest.raises(FolderBusyError, match=f"another command is writing to {tmp_path}/d;"):
            write_dataset(tmp_path / "d", [make_events(9)], [])

    write_dataset(tmp_path / "d", with_a_second_command(), [], shard_size=10)

    assert same_events(read_folder(tmp_path / "d" / "training"), events)


def test_without_validation_events_there_is_no_such_folder(tmp_path):
    write_dataset(tmp_path, [make_events(5)], [])

    assert names(tmp_path) == ["training", "training/shard-00000.tfrecord"]


def test_existing_shards_are_not_overwritten(tmp_path):
    write_dataset(tmp_path, [make_events(5)], [make_events(5)])

    with pytest.raises(OutputExistsError, match=r"already contains 2 shards\. .*--overwrite"):
        write_dataset(tmp_path, [make_events(9)], [])


def test_shards_that_cannot_be_listed_are_not_overwritten(tmp_path, monkeypatch):
    write_dataset(tmp_path, [make_events(5)], [])
    before, iterdir = names(tmp_path), Path.iterdir

    def refuse(path):
        if path.name == "training":
            raise PermissionError(13, "Permission denied", path)
        return iterdir(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", refuse)
        with pytest.raises(PermissionError, match="training"):
            write_dataset(tmp_path, [make_events(9)], [])
    assert names(tmp_path) == before


def test_overwriting_removes_the_old_data(tmp_path):
    write_dataset(tmp_path, [make_events(50)], [make_events(5)], shard_size=10)
    new = make_events(9, seed=4)

    write_dataset(tmp_path, [new], [], overwrite=True)

    assert names(tmp_path) == ["training", "training/shard-00000.tfrecord"]
    assert same_events(read_folder(tmp_path / "training"), new)


@pytest.mark.parametrize(
    "name",
    [
        "training/notes.txt",
        "training/mine.tfrecord",
        "validation/shard-00000.tfrecord.bak",
        "training/.hidden",
        "HIGGS.csv.gz",
        "Training/shard-00000.tfrecord",
        "part-00000.parquet",
        "shard-00000.tfrecord",
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_others_are_neither_replaced_nor_mixed_with(tmp_path, name, overwrite):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")

    with pytest.raises(OutputExistsError, match=f"contains {name.split('/')[0]}.*did not write"):
        write_dataset(tmp_path, [make_events(9)], [], overwrite=overwrite)

    assert file.read_text() == "mine"
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_hidden_files_of_the_system_do_not_matter(tmp_path):
    (tmp_path / ".DS_Store").touch()
    write_dataset(tmp_path, [make_events(9)], [])
    assert names(tmp_path / "training") == ["shard-00000.tfrecord"]


def failing(events, after):
    for i, chunk in enumerate(in_chunks(events, 10)):
        if i == after:
            raise RuntimeError("no more events")
        yield chunk


@pytest.mark.parametrize("part", ["training", "validation"])
def test_failure_leaves_nothing(tmp_path, part):
    parts = {"training": [make_events(50)], "validation": [make_events(50)]}
    parts[part] = failing(make_events(50), after=3)

    with pytest.raises(RuntimeError, match="no more events"):
        write_dataset(tmp_path, **parts, shard_size=20)

    assert names(tmp_path) == []


def test_failure_keeps_the_data_to_be_overwritten(tmp_path):
    old = make_events(20)
    write_dataset(tmp_path, [old], [old])

    with pytest.raises(RuntimeError):
        write_dataset(tmp_path, failing(make_events(50), after=3), [], overwrite=True)

    assert same_events(read_folder(tmp_path / "training"), old)
    assert same_events(read_folder(tmp_path / "validation"), old)


class KilledError(BaseException):
    """Simulates a kill: nothing is written to the disk after it."""


def kill_at_step(patch, step):
    """Allows a number of renames and deletions of folders, then raises."""
    remaining = [None] * step

    def counted(function):
        def call(*args, **kwargs):
            if not remaining:
                raise KilledError
            remaining.pop()
            return function(*args, **kwargs)

        return call

    patch.setattr(Path, "rename", counted(Path.rename))
    patch.setattr(shutil, "rmtree", counted(shutil.rmtree))


@pytest.mark.parametrize("new_validation", [0, 7])
@pytest.mark.parametrize("old_validation", [0, 5])
@pytest.mark.parametrize("step", range(9))
def test_killed_overwrite_leaves_the_old_or_the_new_data(
    tmp_path, monkeypatch, step, old_validation, new_validation
):
    old = {"training": make_events(20, 1), "validation": make_events(old_validation, 2)}
    new = {"training": make_events(30, 3), "validation": make_events(new_validation, 4)}
    write_dataset(tmp_path, [old["training"]], [old["validation"]])

    def holds(data):
        return all(same_events(read_folder(tmp_path / split), data[split]) for split in data)

    with monkeypatch.context() as patch, contextlib.suppress(KilledError):
        kill_at_step(patch, step)
        write_dataset(tmp_path, [new["training"]], [new["validation"]], overwrite=True)
    if (tmp_path / "training").exists():
        assert holds(old) or holds(new)
    with pytest.raises(OutputExistsError, match="already contains"):
        write_dataset(tmp_path, [make_events(9)], [])

    assert holds(old) or holds(new)
    assert ".complete" not in names(tmp_path)


ENDLESS = """
import sys
from pathlib import Path
from pipeline.sample_data.monte_carlo import generate
from pipeline.sample_data.shard_writer import write_dataset
write_dataset(Path(sys.argv[1]), generate(10**9, 0), [], shard_size=2000)
"""


@pytest.mark.slow
def test_killed_run_leaves_no_shard_that_a_reader_would_find(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)])
    staging = tmp_path / ".incomplete" / "training"
    deadline = time.monotonic() + 30
    while len(list(staging.glob("shard-*.tfrecord"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert len(list(staging.glob("shard-*.tfrecord"))) >= 3
    assert [path.name for path in tmp_path.iterdir()] == [".incomplete"]
    for complete in staging.glob("shard-*.tfrecord"):
        assert complete.stat().st_size == 2000 * 179

    write_dataset(tmp_path, [make_events(9)], [])

    assert names(tmp_path) == ["training", "training/shard-00000.tfrecord"]
