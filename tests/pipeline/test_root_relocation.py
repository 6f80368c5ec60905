"""Roots that were moved, copied or linked, and what their metadata names afterwards."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from formats import names
from pipeline import root_relocation
from pipeline.metadata_check import database, metadata_file
from pipeline.metadata_store import latest_run, open_store, pushed_models
from pipeline.root_relocation import copy_database, read_metadata, relocate, relocated
from pipeline.user_errors import MetadataError


def paths(root):
    """Every path that the metadata of a root names."""
    artifacts = open_store(str(metadata_file(root))).get_artifacts()
    values = [value for artifact in artifacts for value in artifact.custom_properties.values()]
    texts = [value.string_value for value in values if value.string_value.startswith("/")]
    return sorted([artifact.uri for artifact in artifacts] + texts)


def paths_below(root):
    return [
        f"{root}/artifacts/Evaluator/blessing/11",
        f"{root}/artifacts/Pusher/pushed_model/12",
        f"{root}/artifacts/Trainer/model/8",
        f"{root}/artifacts/Trainer/model/8",
        f"{root}/serving/17",
    ]


@pytest.mark.parametrize("name", ["new", "old root/in it", "it's 100%_new", "nëw"])
def test_a_moved_root_has_its_artifacts_and_pushes(used_root, name):
    place = used_root.with_name("between")
    used_root.rename(place)
    new = used_root.parent / name
    new.parent.mkdir(exist_ok=True)
    place.rename(new)
    assert relocate(new) == [str(used_root)]
    assert paths(new) == paths_below(new)
    assert relocate(new) == []
    [(artifact, push)] = pushed_models(open_store(str(metadata_file(new))))
    assert artifact.uri == f"{new}/artifacts/Pusher/pushed_model/12"
    assert push.destination == f"{new}/serving/17"


def test_a_root_that_was_moved_into_its_parent_is_found(used_root, tmp_path):
    for path in list(used_root.iterdir()):
        path.rename(tmp_path / path.name)
    assert relocate(tmp_path) == [str(used_root)]
    assert paths(tmp_path) == paths_below(tmp_path)


def test_a_copy_leaves_the_original_alone(used_root, tmp_path):
    before = metadata_file(used_root).read_bytes()
    copy = shutil.copytree(used_root, tmp_path / "copy")
    assert relocate(copy) == [str(used_root)]
    assert paths(copy) == paths_below(copy)
    assert metadata_file(used_root).read_bytes() == before


def test_a_copy_made_of_hard_links_gets_metadata_of_its_own(used_root, tmp_path):
    before = metadata_file(used_root).read_bytes()
    copy = shutil.copytree(used_root, tmp_path / "copy", copy_function=os.link)
    assert metadata_file(copy).samefile(metadata_file(used_root))
    relocate(copy)
    assert paths(copy) == paths_below(copy)
    assert metadata_file(used_root).read_bytes() == before


@pytest.mark.parametrize("name", ["artifacts", "serving", "metadata", "metadata/metadata.sqlite"])
def test_a_copy_of_a_link_is_refused_because_both_roots_would_share_it(used_root, tmp_path, name):
    disk = tmp_path / "disk"
    (used_root / name).rename(disk)
    (used_root / name).symlink_to(disk)
    copy = shutil.copytree(used_root, tmp_path / "copy", symlinks=True)
    before = metadata_file(used_root).read_bytes()
    with pytest.raises(MetadataError, match=r"/copy/.* and .*/old root/.* are the same, because"):
        relocate(copy)
    assert metadata_file(used_root).read_bytes() == before
    whole = shutil.copytree(used_root, tmp_path / "whole copy")
    assert relocate(whole) == [str(used_root)]
    # The root itself may have such links.
    moved = used_root.rename(tmp_path / "moved")
    shutil.rmtree(copy)
    assert relocate(moved) == [str(used_root)]


def test_a_root_that_did_not_move_is_not_written(used_root):
    before = metadata_file(used_root).stat().st_mtime_ns
    assert relocate(used_root) == []
    assert metadata_file(used_root).stat().st_mtime_ns == before


def test_a_root_with_two_names_is_found_by_either(used_root, tmp_path):
    (tmp_path / "link").symlink_to(used_root)
    for root in (tmp_path / "link", used_root, tmp_path / "link" / ".." / used_root.name):
        relocate(root)
        assert paths(root) == paths_below(root)


def test_runs_recorded_in_several_places_are_all_found(recorder, tmp_path):
    places = [tmp_path / "a", tmp_path / "a" / "b"]
    for number, place in enumerate(places):
        uri = f"{place}/artifacts/Trainer/model/{number}"
        recorder.put_run(f"run {number}", Trainer=("COMPLETE", "model", uri, {}))
    assert relocate(tmp_path) == [str(place) for place in places]
    assert paths(tmp_path) == [f"{tmp_path}/artifacts/Trainer/model/{n}" for n in (0, 1)]


def test_what_was_outside_the_root_stays_where_it_is(recorder, tmp_path):
    old, importer = "/old", "tfx.dsl.components.common.importer.Importer"
    imported = "/else/artifacts/Trainer/model/3"
    push = {"pushed": 1, "pushed_version": "5", "pushed_destination": "/older/models/5"}
    recorder.put_run(
        "first",
        Trainer=("COMPLETE", "model", f"{old}/artifacts/Trainer/model/8", {"note": f"{old}er"}),
        Pusher=("COMPLETE", "pushed_model", f"{old}/artifacts/Pusher/pushed_model/9", push),
        **{importer: ("COMPLETE", "model", imported, {})},
    )
    assert relocate(tmp_path) == [old]
    assert paths(tmp_path) == sorted(
        [
            imported,
            "/older",
            "/older/models/5",
            f"{tmp_path}/artifacts/Trainer/model/8",
            f"{tmp_path}/artifacts/Pusher/pushed_model/9",
        ]
    )


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/a/b/serving/17", "/a/b", "/a/b/serving/17"),
        ("/a/serving/17", "/a/b", "/a/b/serving/17"),
        ("/a", "/a/b", "/a/b"),
        ("/ab/serving", "/x", "/ab/serving"),
    ],
)
def test_one_place_within_another(path, root, expected):
    assert relocated(path, ["/a"], root) == expected


def test_reading_leaves_out_what_a_failed_commit_has_left(used_root):
    path = metadata_file(used_root)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM Artifact")
    before = path.read_bytes()
    with read_metadata(used_root) as copy:
        assert latest_run(copy).output(names.MODEL) is None
    assert path.read_bytes() == before


def test_reading_sees_the_new_places_and_writes_nothing(used_root):
    new = used_root.rename(used_root.with_name("new"))
    before = {path: path.stat().st_mtime_ns for path in new.rglob("*")}
    with read_metadata(new) as copy:
        run = latest_run(copy)
    assert run.uri(names.MODEL) == f"{new}/artifacts/Trainer/model/8"
    assert run.push.destination == f"{new}/serving/17"
    assert {path: path.stat().st_mtime_ns for path in new.rglob("*")} == before
    assert not Path(copy).exists()


def test_reading_follows_a_relative_root(used_root, monkeypatch):
    new = used_root.rename(used_root.with_name("new"))
    monkeypatch.chdir(new.parent)
    for relative in ("new", "./new", "new/../new", "new/artifacts/.."):
        with read_metadata(Path(relative)) as copy:
            assert latest_run(copy).uri(names.MODEL) == f"{new}/artifacts/Trainer/model/8"


def test_reading_without_a_temporary_folder_says_so(used_root, monkeypatch):
    def fail(**_):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in [/tmp]")

    monkeypatch.setattr(root_relocation.tempfile, "TemporaryDirectory", fail)
    with pytest.raises(MetadataError, match=r"no temporary folder .*; set TMPDIR to one"):
        read_metadata(used_root).__enter__()


def test_a_full_disk_is_named_with_the_copy(used_root):
    full = Path("/dev/full")
    with (
        database(used_root, metadata_file(used_root), "ro") as connection,
        pytest.raises(
            MetadataError, match=r"cannot copy the metadata to /dev/full: .* is full; free some"
        ),
    ):
        copy_database(connection, full)
