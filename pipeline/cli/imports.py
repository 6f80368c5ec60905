"""Imports of large libraries in less time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
