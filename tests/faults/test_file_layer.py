"""The preloaded layer itself: what it counts, and what its faults do."""

import os
import subprocess
import sys

import pytest
from file_layer import DEADLY, FAULTS, FileLayer, applies, build, compiler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not compiler(), reason="no C compiler: faults cannot be injected"),
]

# One call of each kind, in this order.
SCRIPT = """
import os, pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1])
(folder / "new").mkdir()
fd = os.open(folder / "new" / "file", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"12345678")
os.fsync(fd)
os.ftruncate(fd, 4)
os.close(fd)
os.rename(folder / "new" / "file", folder / "renamed")
shutil.copyfile(folder / "renamed", folder / "copy")
os.unlink(folder / "renamed")
shutil.rmtree(folder / "new")
open(folder.parent / "elsewhere", "w").write("not counted")
"""
CALLS = ["mkdir", "create", "write", "fsync", "ftruncate", "rename", "create"]
CALLS += ["sendfile", "sendfile", "unlink", "rmdir"]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def run(library, tmp_path):
    layer, folder = FileLayer(tmp_path / "control"), tmp_path / "folder"
    folder.mkdir()

    def run(fault="EIO", at=-1):
        layer.arm([str(folder)], fault, at)
        environment = {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(tmp_path / "control")}
        done = subprocess.run(
            [sys.executable, "-I", "-c", SCRIPT, str(folder)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        return done, layer, folder

    return run


def test_every_change_below_the_folder_is_counted_and_nothing_else(run):
    done, layer, folder = run()
    assert done.returncode == 0, done.stderr
    assert [name for _, name, _ in layer.calls()] == CALLS
    assert layer.calls()[5][2] == str(folder / "renamed")
    assert layer.hit == -1


# After a failed sendfile, Python copies with write.
@pytest.mark.parametrize("at", [at for at, call in enumerate(CALLS) if call != "sendfile"])
def test_a_call_fails_with_the_chosen_error(run, at):
    done, layer, _ = run("EIO", at)
    assert layer.hit == at
    assert done.returncode == 1
    assert "[Errno 5] Input/output error" in done.stderr


def test_permission_is_refused_to_the_next_call_that_needs_it(run):
    done, layer, folder = run("EACCES", CALLS.index("write"))
    assert layer.hit == CALLS.index("rename")
    assert f"[Errno 13] Permission denied: '{folder}/new/file'" in done.stderr


def test_a_full_disk_stays_full(run):
    done, layer, folder = run("ENOSPC", CALLS.index("write"))
    assert "[Errno 28] No space left on device" in done.stderr
    assert layer.hit == CALLS.index("write")
    assert (folder / "new" / "file").read_bytes() == b""


@pytest.mark.parametrize(("fault", "size"), [("SIGKILL", 0), ("torn write, SIGKILL", 4)])
def test_a_kill_leaves_what_was_written_before(run, fault, size):
    done, _, folder = run(fault, CALLS.index("write"))
    assert done.returncode == -9
    assert (folder / "new" / "file").stat().st_size == size


def test_a_torn_write_leaves_half_and_reports_an_error(run):
    done, _, folder = run("torn write, EIO", 0)
    assert "[Errno 5]" in done.stderr
    assert (folder / "new" / "file").read_bytes() == b"1234"


def test_plan_and_layer_agree_on_what_a_fault_can_hit(run, tmp_path):
    for fault in (fault for fault in FAULTS if fault not in DEADLY):
        first = next(index for index, call in enumerate(CALLS) if applies(fault, call))
        for path in (tmp_path / "folder").iterdir():
            subprocess.run(["/bin/rm", "-r", str(path)], check=True)
        _, layer, _ = run(fault, 0)
        assert layer.hit == first, fault
