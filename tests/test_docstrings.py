"""The examples in docstrings run and print what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("formats", "models", "components", "pipeline", "kubeflow")
FILES = [
    file
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in file.read_text()
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_examples_print_what_they_show(file):
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    results = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert results.attempted
    assert not results.failed
