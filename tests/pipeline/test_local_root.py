import errno
import os
from pathlib import Path

import pytest

from formats.errors import DataRefusedError
from pipeline.config import Config, ConfigError
from pipeline.local_root import (
    RootBusyError,
    exclusive_use,
    is_writable_by_everyone,
    resolve,
)


def config(**values):
    return Config(**{"data_root": "data", "root": "runs", **values})


@pytest.fixture
def folders(tmp_path):
    for split in ("training", "validation"):
        (tmp_path / "data" / split).mkdir(parents=True)
        (tmp_path / "data" / split / "shard-0.tfrecord").touch()
    return tmp_path / "data"


def test_layout_is_folders_when_there_is_a_training_folder(folders):
    assert resolve(config(data_root=str(folders))).ingestion.layout == "folders"


def test_a_test_folder_is_read_if_it_has_shards(folders):
    (folders / "test").mkdir()
    assert resolve(config(data_root=str(folders))).ingestion.layout == "folders"
    (folders / "test" / "shard-0.tfrecord").touch()
    assert resolve(config(data_root=str(folders))).ingestion.layout == "folders-with-test"


def test_layout_is_single_for_a_folder_of_shards(folders):
    resolved = resolve(config(data_root=str(folders / "training")))
    assert resolved.ingestion.layout == "single"


def test_a_configured_layout_is_kept(folders):
    explicit = config(data_root=str(folders / "training"), ingestion={"layout": "single"})
    assert resolve(explicit).ingestion.layout == "single"


@pytest.mark.parametrize(("key", "section"), [("push", "directory"), ("trainer", "checkpoints")])
def test_a_folder_that_is_written_late_is_checked_early(folders, monkeypatch, key, section):
    (folders.parent / "file").touch()
    (folders.parent / "link").symlink_to("nowhere")
    places = {
        "file": "Not a directory: it belongs to",
        "file/below": "Not a directory: .*/file belongs to",
        "link": "it is a link to nowhere, which does not exist",
        "link/below": "/link is a link to nowhere, which does not exist",
        "/proc/below": "No such file or directory: /proc belongs to root",
        "new": "",
    }
    for place, reason in places.items():
        values = {key: {section: str(folders.parent / place)}}
        if reason:
            with pytest.raises(ConfigError, match=f"{key}.{section}: cannot write to .*{reason}"):
                resolve(config(data_root=str(folders), **values))
        else:
            resolve(config(data_root=str(folders), **values))
    monkeypatch.setattr("pipeline.local_root.find_write_error", lambda _: PermissionError(13, "no"))
    with pytest.raises(ConfigError, match=f"{key}.{section}: cannot write to .*/new"):
        resolve(config(data_root=str(folders), **values))
    monkeypatch.setattr("pipeline.local_root.find_write_error", lambda _: OSError(28, "full"))
    with pytest.raises(
        ConfigError, match=r"cannot write to .*/new \(no space is left\); free some"
    ):
        resolve(config(data_root=str(folders), **values))


def test_local_paths_become_absolute(folders, monkeypatch):
    monkeypatch.chdir(folders.parent)
    resolved = resolve(config(push={"directory": "serving"}, trainer={"checkpoints": "state"}))
    assert resolved.data_root == str(folders)
    assert resolved.root == str(folders.parent / "runs")
    assert resolved.push_directory == str(folders.parent / "serving")
    assert resolved.checkpoint_root == str(folders.parent / "state")


def test_missing_shards_name_the_folder_and_the_remedy(folders):
    (folders / "validation" / "shard-0.tfrecord").unlink()
    with pytest.raises(
        ConfigError, match=r"no TFRecord shard .* in .*/validation, which is empty.*higgs generate"
    ):
        resolve(config(data_root=str(folders)))


def test_one_folder_with_two_splits_by_its_names_is_refused(tmp_path):
    for part in ("train", "test"):
        (tmp_path / f"higgs-{part}.tfrecord-00000-of-00001").touch()

    with pytest.raises(
        DataRefusedError, match=r"such as higgs-train\..* and higgs-test\..*Move the"
    ):
        resolve(config(data_root=str(tmp_path)))


def test_a_remote_root_is_refused():
    with pytest.raises(ConfigError, match="root: a local run needs a local folder, got gs://b/r"):
        resolve(config(root="gs://b/r"))


def test_the_layout_of_remote_data_must_be_given():
    remote = config(data_root="gs://b/d")
    with pytest.raises(ConfigError, match=r"ingestion\.layout: give folders, .* or single"):
        resolve(remote)
    explicit = config(data_root="gs://b/d", ingestion={"layout": "single"})
    assert resolve(explicit).data_root == "gs://b/d"


def test_a_store_that_the_environment_cannot_read_is_refused():
    remote = config(data_root="s3://b/d", ingestion={"layout": "single"})
    reason = r"data_root: TensorFlow( and Beam)? cannot read s3:// here \(s3://b/d\); install"
    with pytest.raises(ConfigError, match=reason):
        resolve(remote)


def test_a_root_is_locked_once_and_free_afterwards(tmp_path):
    again = exclusive_use(tmp_path)
    busy = rf"in use by another run \(process {os.getpid()}\)"
    with exclusive_use(tmp_path), pytest.raises(RootBusyError, match=busy):
        again.__enter__()
    with exclusive_use(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(ConfigError, match=r"has no locks.*give a root on another"):
        exclusive_use(tmp_path).__enter__()


def test_hidden_and_unfinished_files_are_not_shards(folders):
    shard = folders / "validation" / "shard-0.tfrecord"
    shard.rename(shard.with_name("._shard-0.tfrecord"))
    with pytest.raises(ConfigError, match="no TFRecord shard"):
        resolve(config(data_root=str(folders)))


@pytest.mark.parametrize("name", ["run [v1]", "a*", "what?", "{SPAN}"])
def test_paths_that_tfx_would_treat_as_patterns_are_refused(folders, name):
    with pytest.raises(ConfigError, match=r"root: TFX treats .* in a path as a pattern: rename"):
        resolve(config(data_root=str(folders), root=name))


@pytest.mark.parametrize("uri", ["gs://b/[v1]", "gs://b/v?"])
def test_uris_that_tfx_would_treat_as_patterns_are_refused(uri):
    remote = config(data_root=uri, ingestion={"layout": "single"})
    with pytest.raises(ConfigError, match=r"data_root: TFX treats .* in a path as a pattern: rena"):
        resolve(remote)


def test_the_home_folder_is_expanded(folders, monkeypatch):
    monkeypatch.setenv("HOME", str(folders.parent))
    assert resolve(config(data_root="~/data")).data_root == str(folders)


@pytest.mark.parametrize("name", ["artifacts", "manifests", "logs", "serving"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, name):
    (tmp_path / name).touch()
    message = f"root: {tmp_path}/{name} is not a folder; move it away, or give another root"
    with pytest.raises(ConfigError, match=message), exclusive_use(tmp_path):
        pass


def test_a_dangling_link_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "serving").symlink_to("nowhere")
    with (
        pytest.raises(ConfigError, match=f"{tmp_path}/serving is not a folder; move it away"),
        exclusive_use(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("key", "name", "reason"),
    [
        ("root", "n" * 256, "a name has 256 bytes, at most 255 are possible"),
        ("root", "é" * 128, "a name has 256 bytes"),
        ("root", "/".join(["n" * 200] * 3), "bytes, at most 460 are possible; use a shorter one"),
        ("push.directory", "/".join(["n" * 200] * 20), "bytes, at most 3,800 are possible"),
        ("push.directory", "n" * 256, "a name has 256 bytes"),
        ("trainer.checkpoints", "n" * 256, "a name has 256 bytes"),
        ("data_root", "n" * 256, "a name has 256 bytes"),
    ],
)
def test_paths_below_which_no_file_can_be_opened_are_refused(folders, key, name, reason):
    values = {"data_root": str(folders)}
    section, _, option = key.rpartition(".")
    path = str(folders / name)
    values |= {section: {option: path}} if section else {key: path}
    with pytest.raises(ConfigError, match=f"^{key}: .*{reason}"):
        resolve(config(**values))


def test_a_folder_whose_name_is_not_utf_8_is_refused(folders, monkeypatch):
    odd = Path(os.fsdecode(os.fsencode(folders) + b"/\xff"))
    odd.mkdir()
    monkeypatch.chdir(odd)
    with pytest.raises(ConfigError, match=r"^root: TensorFlow opens only paths in UTF-8; .*udcff"):
        resolve(config(data_root=str(folders), root="runs"))


def test_a_root_that_cannot_be_written_is_bad_usage(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="root: cannot write to"),
        exclusive_use(tmp_path / "file"),
    ):
        pass


@pytest.mark.parametrize("name", ["artifacts", "metadata"])
def test_folders_of_another_user_are_named_with_their_owner(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir(mode=0o755)
    denied = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(
        "pipeline.local_root.find_write_error",
        lambda folder: denied if folder.name == name else None,
    )
    owner = r"\(Permission denied: it belongs to \w+, mode 0755\)"
    with (
        pytest.raises(ConfigError, match=rf"cannot write to .*/{name} {owner}; give a"),
        exclusive_use(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("../elsewhere")]
)
def test_a_lock_that_is_not_a_file_is_named(tmp_path, make):
    root = tmp_path / "root"
    root.mkdir()
    make(root / ".lock")
    with (
        pytest.raises(ConfigError, match=rf"root: {root}/\.lock is a link, .*; remove it"),
        exclusive_use(root),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_root_that_is_a_link_to_nothing_is_named(tmp_path):
    (tmp_path / "root").symlink_to("nowhere")
    with (
        pytest.raises(ConfigError, match=r"cannot write to .*/root \(.*it is a link to nowhere"),
        exclusive_use(tmp_path / "root"),
    ):
        pass


@pytest.fixture
def umask():
    """Sets the umask; the one before is restored."""
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o000, 0o664), (0o002, 0o664), (0o077, 0o600)])
def test_files_of_a_run_are_never_writable_by_every_user(tmp_path, umask, mask, mode):
    umask(mask)
    with exclusive_use(tmp_path / "root"):
        (tmp_path / "root" / "file").touch()
    assert (tmp_path / "root" / "file").stat().st_mode & 0o777 == mode
    assert not (tmp_path / "root").stat().st_mode & 0o002


@pytest.mark.parametrize(("mode", "expected"), [(0o777, True), (0o1777, False), (0o775, False)])
def test_a_root_that_every_user_can_write_to(tmp_path, mode, expected):
    (tmp_path / "root").mkdir()
    (tmp_path / "root").chmod(mode)
    assert is_writable_by_everyone(tmp_path / "root") is expected
