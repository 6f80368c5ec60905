"""Tells TFX's cache when the code of a node has changed.

TFX hashes a node's inputs and parameters, and the content of a module *file*,
but not that of installed packages: an edited network would pass for the one
that was trained. It does hash the flags of a node's executor, so a digest of
the code that the node runs goes there.
"""

import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tfx.dsl.components.base.base_component import BaseComponent

PROJECT = "higgs-pipeline"
PACKAGES = ("components", "models", "pipeline")

SUFFIXES = (".py", ".html", ".css", ".js")
"""Of sources: the code, and the templates that it renders."""


def runs_code_of(node: BaseComponent, *packages: str) -> None:
    """Makes a node's cached results depend on the sources of packages or modules.

    Args:
      node: a component of the graph.
      packages: dotted names; they are found, not imported.
    """
    node.executor_spec.add_extra_flags([f"--code_version={code_digest(*packages)}"])


def code_digest(*packages: str) -> str:
    """A digest of the sources of packages, whatever folder they are installed in."""
    digest = hashlib.sha256()
    for package in packages:
        for name, file in _sources(package):
            digest.update(f"{package}/{name}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def project_version() -> str:
    """The project's version with a digest of all its sources, for people to compare."""
    return f"{metadata.version(PROJECT)}, sources {code_digest(*PACKAGES)}"


def _sources(package: str) -> list[tuple[str, Path]]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {package!r} to take the code version of")
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return [(origin.name, origin)]
    files = sorted(file for file in origin.parent.rglob("*") if file.suffix in SUFFIXES)
    return [(str(file.relative_to(origin.parent)), file) for file in files]
