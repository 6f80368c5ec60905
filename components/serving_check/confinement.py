"""Script that confines its own process and then runs another script in it.

Usage: python -I confinement.py SETTINGS.json SCRIPT ARGUMENT...

The settings hold ``parent`` (the id of the process that started this one), ``path`` (the
folders to import packages from) and ``memory_bytes``. This process dies with its parent, cannot
allocate more memory than that, leaves no core file, and has no network: system calls that open
sockets, or reach into other processes, fail.
"""

import ctypes
import errno
import json
import os
import platform
import resource
import runpy
import signal
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2

AUDIT_ARCH_X86_64 = 0xC000003E
X32_SYSCALLS = 0x40000000
OTHER_PROCESSES = {
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    # io_uring performs other system calls, and so bypasses the filter.
    "io_uring_setup": 425,
}
"""Numbers of system calls on x86-64, the only architecture that TFX 1.16 has wheels for."""

NETWORK = {"socket": 41, **OTHER_PROCESSES}
"""System calls that an export is denied: every socket."""

SENDING = {"connect": 42, "sendto": 44, "sendmsg": 46, "sendmmsg": 307, **OTHER_PROCESSES}
"""What is denied to a process that looks for a free port, as TFX's local runner does."""

SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_KILL_PROCESS = 0x80000000
LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
SYSCALL_NUMBER, ARCHITECTURE = 0, 4
"""Offsets in the kernel's ``seccomp_data``."""


ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD")
"""Environment variables that Python and TensorFlow need: none that holds a credential."""

ENVIRONMENT_PREFIXES = ("KMP_", "MKL_", "OMP_", "OPENBLAS_", "TF_ENABLE_ONEDNN_", "TF_NUM_")
"""Prefixes of others: numbers of threads, and the choice of CPU kernels."""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def harmless_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Selects the environment variables that an export may read."""
    return {
        name: value
        for name, value in environment.items()
        if name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIXES)
    }


def die_with(parent: int) -> None:
    """Has the kernel kill this process as soon as its parent is gone, however it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def limit_memory(limit: int) -> None:
    """Limits the memory that this process can allocate, in bytes, and disables core files."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def deny(syscalls: Mapping[str, int]) -> None:
    """Makes system calls of this thread, and of those it starts, fail with EACCES, for good.

    Raises:
        OSError: the kernel has no seccomp filters, or this is not an x86-64 machine.
    """
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, f"not known for {platform.machine()}")
    program = syscall_filter(syscalls.values())
    # The order that the kernel demands of a process without privileges.
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = _Program(len(program) // 8, program)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header))


def syscall_filter(numbers: Iterable[int]) -> bytes:
    """Assembles the filter: 8-byte instructions for the kernel's packet filter machine."""
    denied = sorted(numbers)
    # The last instruction denies; a jump counts the instructions to skip.
    to_denial = [len(denied) - position for position in range(len(denied))]
    return b"".join(
        [
            _instruction(LOAD_WORD, ARCHITECTURE),
            _instruction(JUMP_IF_EQUAL, AUDIT_ARCH_X86_64, if_true=1),
            _instruction(RETURN, SECCOMP_RET_KILL_PROCESS),
            _instruction(LOAD_WORD, SYSCALL_NUMBER),
            _instruction(JUMP_IF_AT_LEAST, X32_SYSCALLS, if_true=len(denied) + 1),
            *(
                _instruction(JUMP_IF_EQUAL, number, if_true=distance)
                for number, distance in zip(denied, to_denial, strict=True)
            ),
            _instruction(RETURN, SECCOMP_RET_ALLOW),
            _instruction(RETURN, SECCOMP_RET_ERRNO | errno.EACCES),
        ]
    )


def _instruction(code: int, value: int, if_true: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, 0, value)


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0)][:4]
    if libc.prctl(option, *values):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(settings_file: str, script: str, *arguments: str) -> None:
    """Confines this process, then runs ``script`` as its main program."""
    settings = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    die_with(settings["parent"])
    limit_memory(settings["memory_bytes"])
    try:
        deny(NETWORK)
    except OSError as error:
        print(f"the export is checked with network access: {error}", file=sys.stderr)
    run(script, arguments, settings["path"])


def run(script: str, arguments: Sequence[str], path: Sequence[str]) -> None:
    """Runs a script with packages from the folders in ``path``, in their order."""
    sys.path[:] = path
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
