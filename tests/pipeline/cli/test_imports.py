import gc
import importlib
import subprocess
import sys

import pytest

from pipeline.cli import imports
from pipeline.cli.imports import defer_imports, without_collection


@pytest.fixture(autouse=True)
def _collection():
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collection_is_suspended_and_then_as_it_was(enabled):
    if not enabled:
        gc.disable()
    suspended = []

    def fail():
        with without_collection():
            suspended.append(not gc.isenabled())
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert suspended == [True]
    assert gc.isenabled() == enabled


def test_what_was_created_is_not_searched_again_and_later_garbage_is_collected():
    with without_collection():
        kept = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= len(kept)
    searched = {id(item) for item in gc.get_objects()}
    assert not searched & {id(item) for item in kept}
    later = []
    later.append(later)
    del later
    assert gc.collect() >= 1


@pytest.fixture
def _deferred(tmp_path, monkeypatch):
    package = tmp_path / "deferred_package"
    package.mkdir()
    (package / "__init__.py").write_text("from deferred_package.part import VALUE as COPY")
    (package / "part.py").write_text("VALUE = 1")
    (package / "broken.py").write_text("import no_such_module")
    (tmp_path / "deferred_star.py").write_text("from deferred_package import *")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(imports, "DEFERRED", ("deferred_package",))
    defer_imports()
    yield
    for name in [name for name in sys.modules if name.startswith("deferred_")]:
        del sys.modules[name]


@pytest.mark.usefixtures("_deferred")
def test_a_deferred_package_is_executed_when_a_name_of_it_is_used():
    package = importlib.import_module("deferred_package")
    assert importlib.import_module("deferred_package.part").VALUE == 1
    assert not hasattr(importlib.import_module("deferred_star"), "COPY")
    assert "COPY" not in vars(package)
    assert package.COPY == 1
    assert not hasattr(package, "other")


@pytest.mark.usefixtures("_deferred")
def test_a_deferred_package_imports_its_modules_on_demand():
    package = importlib.import_module("deferred_package")
    assert package.part.VALUE == 1
    assert "COPY" not in vars(package)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = package.broken


@pytest.mark.slow
def test_a_local_run_imports_no_library_of_which_it_uses_nothing():
    script = (
        "import sys; from pipeline.cli.imports import defer_imports; defer_imports();"
        "from pipeline import local_run, model_evaluation;"
        "print(*{'keras', 'keras_tuner', 'kubernetes', 'nltk', 'pymongo'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
