"""Makes TFX's cache notice when the code of a node, or a package that it uses, has changed.

TFX's cache key contains a node's inputs, its parameters and the content of a module *file*, but
not the code of installed packages: the network of an edited model would be taken from the cache.
The key does contain the flags of a node's executor, so a digest of the code that the node runs is
added as a flag. That code is the import closure of the executor, read from the sources without
importing them, and the versions of the packages that it imports, except those that cannot change a
result. A package that is new to the code counts from its first import.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from formats.source_version import PACKAGES, find_source, source_digest

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_component import BaseComponent

OWN = (*PACKAGES, "kubeflow")

_MODULE_NAME = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+")

WITHOUT_EFFECT = frozenset(
    {
        "absl",
        "click",
        "google",
        "google_crc32c",
        "markupsafe",
        "ml_metadata",
        "pydantic",
        "rich",
        "typing_extensions",
        "yaml",
    }
)
"""Packages that log, validate or transport: another release gives the same result or an error."""

CALLS = {
    # TFMA loads and calls the model.
    "tensorflow_model_analysis": ("tensorflow", "tf_keras", "tfx_bsl"),
    "tensorflow_data_validation": ("tfx_bsl",),
}
"""Packages that a package runs for the node, which then need not import them."""


def track_code(node: "BaseComponent") -> None:
    """Makes a node's cache key depend on the code that it runs, and on its packages."""
    node.executor_spec.add_extra_flags([f"--code_version={code_version(node)}"])


def code_version(node: "BaseComponent") -> str:
    """Computes a digest of a node's modules, and of the packages that determine its result."""
    modules = import_closure(root_modules(node))
    return _digest(modules, node_packages(node, modules))


def modules_version(*roots: str) -> str:
    """Computes a digest of modules, with the modules and versions of packages that they import."""
    modules = import_closure(roots)
    return _digest(modules, _packages(map(find_source, modules)))


def _digest(modules: Iterable[str], packages: Mapping[str, str]) -> str:
    content = [source_digest(modules), *(f"{k}=={v}" for k, v in packages.items())]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:12]


def node_packages(node: "BaseComponent", modules: Iterable[str]) -> dict[str, str]:
    """Finds the versions of the packages that determine the result of a node with its modules."""
    sources = {find_source(module) for module in modules}
    # The code of TFX that the node runs: its executor, and what its executor extends.
    for base in node.executor_spec.executor_class.__mro__:
        if file := getattr(sys.modules[base.__module__], "__file__", None):
            sources.add(Path(file))
    return _packages(sources)


def _packages(sources: Iterable[Path | None]) -> dict[str, str]:
    names = {name for source in sources if source for name in _imported(source.read_bytes())}
    return result_packages(name for name in names if name.partition(".")[0] not in OWN)


def result_packages(imported: Iterable[str]) -> dict[str, str]:
    """Finds the versions of the packages that determine a result.

    Args:
        imported: dotted names that the node's modules import, of any kind.

    Returns:
        The versions by the name under which the package is imported, sorted. Modules of Python
        itself, of this project, and packages that are not installed are left out.
    """
    names = {name.partition(".")[0] for name in imported}
    names |= {called for name in names for called in CALLS.get(name, ())}
    candidates = names - WITHOUT_EFFECT - sys.stdlib_module_names
    versions = {name: _version(name) for name in sorted(candidates)}
    return {name: version for name, version in versions.items() if version}


@cache
def _version(name: str) -> str:
    """Returns the version of the distribution that a package belongs to; empty if none does."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ",".join(_installers(name)) if find_spec(name) else ""


def _installers(name: str) -> list[str]:
    """Finds the distributions that install a package under another name, as scikit-learn does.

    They are found in the text of the lists of files: to parse the lists takes more than a second.
    """
    return sorted(
        f"{distribution.name} {distribution.version}"
        for distribution in metadata.distributions()
        if f"\n{name}/" in f"\n{distribution.read_text('RECORD')}"
    )


def root_modules(node: "BaseComponent") -> set[str]:
    """Finds the project's modules that a node names: its executor's, and those in parameters.

    Parameters name modules as dotted strings, such as Trainer's ``run_fn``, or within JSON, such
    as the metrics in Evaluator's ``eval_config``.
    """
    texts = [node.executor_spec.executor_class.__module__]
    texts += [value for value in node.exec_properties.values() if isinstance(value, str)]
    named = {name for text in texts for name in _MODULE_NAME.findall(text)}
    # The last part may name a function.
    modules = {name if find_source(name) else name.rpartition(".")[0] for name in named}
    return {module for module in modules if find_source(module)}


def import_closure(roots: Iterable[str]) -> set[str]:
    """Finds every module of the project that importing ``roots`` can import, parents included."""
    names = set(roots)
    closure, pending = set(names), list(names)
    while pending:
        name = pending.pop()
        if source := find_source(name):
            closure.add(name)
            found = {name.rpartition(".")[0], *_imported(source.read_bytes())} - names
            names |= found
            pending += (name for name in found if name.partition(".")[0] in PACKAGES)
    return closure


@cache
def _imported(source: bytes) -> frozenset[str]:
    """Finds the absolute names that a module imports, except for type checkers."""
    names: set[str] = set()
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # An imported name may be a module of the package or an object in it.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):  # holds no statement, and is most of the tree
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from _executed(node)
