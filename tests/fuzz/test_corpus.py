"""Replays the fuzzers' corpus and mutations of it: only errors of the contract, within limits."""

import bz2
import gzip
import io
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzz_targets import TARGETS, LimitError, limited
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())

# Tables need far more time each; uproot alone takes a tenth of a second for a file.
EXAMPLES = {"table": 30, "configuration": 40}

MIB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def _readers():
    """Imports what the readers need, which takes seconds, before the time counts."""
    import tensorflow  # noqa: F401

    for path in FILES:
        TARGETS[path.parent.name](path.read_bytes())


def check(target, data):
    with limited():
        TARGETS[target](data)


def test_every_target_has_seeds():
    assert {path.parent.name for path in FILES} == set(TARGETS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_file_of_the_corpus(path):
    check(path.parent.name, path.read_bytes())


@st.composite
def mutations(draw, seeds):
    """A seed with some bytes replaced, inserted or taken away, or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 9)))
        data[start:end] = draw(
            st.one_of(
                st.binary(max_size=9),
                st.sampled_from([b"\xff" * 8, b"\0" * 8, b"9" * 400, b"1e999", b'"', b"\n"]),
            )
        )
    return bytes(data[: draw(st.sampled_from([len(data), len(data) // 2]))])


@pytest.mark.parametrize("target", TARGETS)
def test_mutations(target):
    seeds = [path.read_bytes() for path in FILES if path.parent.name == target]

    @settings(max_examples=EXAMPLES.get(target, 80), deadline=None)
    @given(mutations(seeds))
    def run(data):
        check(target, data)

    run()


def zip_of(name, data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def tar_with_size(size):
    entry = tarfile.TarInfo("a.csv")
    entry.size = size
    return entry.tobuf() + bytes(1024)


def npy_of_shape(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


# Small files that would unpack to much more, or that announce more than they hold. They are made
# when their test runs.
BOMBS = {
    "one long line in gzip": lambda: gzip.compress(b"1," * (64 * MIB), 1),
    "zeros in bzip2": lambda: bz2.compress(bytes(100 * MIB), 1),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(b"1" * (128 * MIB), 1)),
    "zip": lambda: zip_of("a.csv", b"1," * (64 * MIB)),
    "tar": lambda: tar_with_size(1 << 40),
    "NumPy": lambda: npy_of_shape((1 << 40, 29)),
    "NumPy in zip": lambda: zip_of("X.npy", npy_of_shape((1 << 40, 29))),
    "ARFF": lambda: b"@relation x\n" + b"@attribute a numeric\n" * 100_000 + b"@data\n1\n",
    "columns": lambda: b",".join(b"c%d" % i for i in range(200_000)) + b"\n1\n",
    "tensor": lambda: b"\n\x80\x80\x80\x80\x7f" + bytes(100),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_announces_much(name):
    check("table", BOMBS[name]())


def test_too_much_memory_is_detected():
    with pytest.raises(MemoryError), limited():
        np.ones(1 << 28)


def test_too_much_time_is_detected(monkeypatch):
    monkeypatch.setattr("fuzz_targets.SECONDS", 1)
    with pytest.raises(LimitError, match="took more than 1 s"), limited():
        threading.Event().wait(5)
