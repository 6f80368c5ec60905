import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from components.serving_check import confinement

MIB = 2**20

# Each line does what an export could try through an operation, or what the check itself needs.
ATTEMPTS = """
import json, os, resource, socket, sys
def attempt(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "done"
results = {
    "ipv4": attempt(lambda: socket.socket(socket.AF_INET)),
    "ipv6": attempt(lambda: socket.socket(socket.AF_INET6)),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX)),
    "name": attempt(lambda: socket.getaddrinfo("example.org", 443)),
    "memory": attempt(lambda: bytearray(400 * 2**20)),
    "little memory": attempt(lambda: bytearray(2**20)),
    "file": attempt(lambda: open("/dev/null").close()),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
    "path": sys.path,
    "arguments": sys.argv[1:],
}
print(json.dumps(results))
"""


@pytest.fixture
def start(tmp_path):
    def start(script, parent=None, **keywords):
        (tmp_path / "script.py").write_text(script)
        settings = {
            "parent": os.getpid() if parent is None else parent,
            "path": [entry for entry in sys.path if entry],
            "memory_bytes": 200 * MIB,
        }
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        files = [tmp_path / "settings.json", tmp_path / "script.py"]
        command = [sys.executable, "-I", confinement.__file__, *map(str, files), "an argument"]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords
        )

    return start


@pytest.mark.slow
def test_a_confined_script_has_no_network_and_little_memory(start):
    output, errors = start(ATTEMPTS).communicate(timeout=60)
    assert errors == ""
    results = json.loads(output)
    assert results["ipv4"] == results["ipv6"] == results["unix"] == "PermissionError"
    assert results["name"] == "gaierror"
    assert results["memory"] == "MemoryError"
    assert results["little memory"] == results["file"] == "done"
    assert results["core"] == 0
    assert results["path"] == [entry for entry in sys.path if entry]
    assert results["arguments"] == ["an argument"]


@pytest.mark.slow
def test_a_script_whose_parent_is_gone_does_not_start(start):
    process = start(ATTEMPTS, parent=1)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert "the process that started this one is gone" in errors


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_confined_process_dies_with_its_parent(number, tmp_path):
    (tmp_path / "script.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(60)")
    code = (
        "import json, os, pathlib, subprocess, sys\n"
        "settings = {'parent': os.getpid(), 'path': sys.path, 'memory_bytes': 10**9}\n"
        "pathlib.Path('settings.json').write_text(json.dumps(settings))\n"
        f"command = [sys.executable, '-I', {confinement.__file__!r}]\n"
        "child = subprocess.Popen([*command, 'settings.json', 'script.py'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    lines = sorted(parent.stdout.readline().strip() for _ in range(2))
    assert lines[1] == "started"
    child = psutil.Process(int(lines[0]))
    parent.send_signal(number)
    parent.wait(10)
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the confined process outlives its parent"
        time.sleep(0.05)


def test_the_filter_denies_by_jumping_to_its_last_instruction():
    program = confinement.syscall_filter(confinement.NETWORK.values())
    instructions = [program[at : at + 8] for at in range(0, len(program), 8)]
    for position, instruction in enumerate(instructions):
        number = int.from_bytes(instruction[4:], "little")
        if instruction[0] == confinement.JUMP_IF_EQUAL and number != confinement.AUDIT_ARCH_X86_64:
            assert position + 1 + instruction[2] == len(instructions) - 1
