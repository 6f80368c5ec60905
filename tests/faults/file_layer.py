"""The preloaded file layer: how it is built, and the control block that it shares with Python."""

import ctypes
import mmap
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_files.c")

# In the order of `enum fault`.
FAULTS = ("EIO", "ENOSPC", "EACCES", "SIGKILL", "torn write, EIO", "torn write, SIGKILL")
FAULTS += ("SIGTERM", "SIGHUP")
SIGNALS = ("SIGTERM", "SIGHUP")
# What may end a process without a message: a signal does before and after the run itself.
DEADLY = ("SIGKILL", "torn write, SIGKILL", *SIGNALS)
CALLS = 8192
NEVER = -1


def applies(fault: str, call: str) -> bool:
    """Whether a fault can hit a call: a full disk refuses new data, permissions refuse names."""
    if fault == "ENOSPC":
        return call in ("write", "flush", "sendfile", "ftruncate", "create", "mkdir")
    if fault == "EACCES":
        return call in ("open", "create", "mkdir", "rename", "unlink", "rmdir")
    return call in ("write", "sendfile") if fault.startswith("torn") else True


class _Call(ctypes.Structure):
    _fields_ = (
        ("phase", ctypes.c_int),
        ("name", ctypes.c_char * 12),
        ("path", ctypes.c_char * 240),
    )


class _Control(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("armed", "fault", "phase", "hit", "at", "count")),
        ("reserved", ctypes.c_int * 2),
        ("folders", (ctypes.c_char * 256) * 2),
        ("calls", _Call * CALLS),
    )


def compiler() -> str | None:
    """The C compiler of this machine, if it has one."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path) -> Path:
    """Compiles the layer."""
    library = folder / "faulty_files.so"
    command = [str(compiler()), "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


class FileLayer:
    """The control block in a file that the preloaded layer maps too."""

    def __init__(self, file: Path):
        if not file.exists():
            file.write_bytes(bytes(ctypes.sizeof(_Control)))
        with file.open("r+b") as stream:
            self._block = mmap.mmap(stream.fileno(), 0)
        self._control = _Control.from_buffer(self._block)

    def arm(self, folders: list[str], fault: str = FAULTS[0], at: int = NEVER) -> None:
        """Counts the calls below folders, and lets the first that can fail from `at` on."""
        control = self._control
        for index, folder in enumerate(folders):
            control.folders[index].value = folder.encode()
        control.fault, control.at, control.hit = FAULTS.index(fault), at, NEVER
        control.phase, control.count, control.armed = 0, 0, 1

    def pause(self, paused: bool) -> None:
        """Stops counting, or goes on."""
        self._control.armed = int(not paused)

    def enter(self, phase: int) -> None:
        """Marks the calls that follow."""
        self._control.phase = phase

    @property
    def hit(self) -> int:
        """Index of the call that failed; -1 if none did."""
        return self._control.hit

    def calls(self) -> list[tuple[int, str, str]]:
        """Phase, name and path of each call."""
        count = min(self._control.count, CALLS)
        return [
            (call.phase, call.name.decode(), call.path.decode(errors="replace"))
            for call in self._control.calls[:count]
        ]
