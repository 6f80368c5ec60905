"""Imports of large libraries in less time."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

DEFERRED = (
    "apache_beam.io.gcp.bigquery",
    "apache_beam.io.mongodbio",
    "tensorflow_model_analysis.metrics.bleu",
    "tensorflow_model_analysis.metrics.rouge",
    "tfx.components",
)
"""Modules that TFX and its libraries import, and that no command needs: clients of databases,
metrics of texts, and the package of all components of TFX, which imports Kubernetes and Keras 3."""

LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
"""Variable with which TensorFlow imports tf_keras, as this project does, and not Keras 3."""


def defer_imports() -> None:
    """Defers the ``DEFERRED`` modules until something in them is used, and Keras 3."""
    os.environ.setdefault(LEGACY_KERAS, "1")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the ``DEFERRED`` modules."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in DEFERRED else None
        if spec and spec.loader:
            spec.loader = _Deferred(spec.loader)
        return spec


class _Deferred(Loader):
    """Executes a module when an attribute is asked for that it does not have yet.

    ``importlib.util.LazyLoader`` executes a package already when a module in it is imported.
    """

    def __init__(self, loader: Loader):
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        def find(name: str) -> Any:
            # Without __all__, import * finds nothing.
            if name.startswith("__"):
                raise AttributeError(name)
            if hasattr(module, "__path__"):
                path = f"{module.__name__}.{name}"
                try:
                    return importlib.import_module(path)
                except ModuleNotFoundError as error:
                    if error.name != path:
                        raise
            vars(module).pop("__getattr__", None)
            self._loader.exec_module(module)
            return getattr(module, name)

        vars(module)["__getattr__"] = find  # PEP 562


@contextmanager
def without_collection() -> Iterator[None]:
    """Suspends the garbage collection, and excludes what the block created from later ones.

    TFX and TensorFlow create 600,000 objects that live as long as the process. Searching them for
    garbage again and again takes a fifth of the processor time of their imports.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
