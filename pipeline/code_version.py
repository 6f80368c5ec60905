"""Makes TFX's cache notice when the code of a node has changed.

TFX's cache key contains a node's inputs, its parameters and the content of a module *file*, but
not the code of installed packages: the network of an edited model would be taken from the cache.
The key does contain the flags of a node's executor, so a digest of the code that the node runs is
added as a flag. That code is the import closure of the executor, read from the sources without
importing them.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from tfx.dsl.components.base.base_component import BaseComponent

PROJECT = "higgs-pipeline"
PACKAGES = ("components", "formats", "models", "pipeline")
SOURCE_ROOT = Path(__file__).resolve().parents[1]
"""The directory that holds the packages, in a checkout as well as installed."""

DATA_SUFFIXES = (".html", ".css", ".js")
"""Suffixes of the data files of a package that its code reads: templates."""

_MODULE_NAME = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


def track_code(node: BaseComponent) -> None:
    """Makes a node's cache key depend on the code that it runs; stock nodes stay as they are."""
    if modules := import_closure(root_modules(node)):
        node.executor_spec.add_extra_flags([f"--code_version={source_digest(modules)}"])


def root_modules(node: BaseComponent) -> set[str]:
    """Finds the project's modules that a node names: its executor's, and those in parameters.

    Parameters name modules as dotted strings, such as Trainer's ``run_fn``, or within JSON, such
    as the metrics in Evaluator's ``eval_config``.
    """
    texts = [node.executor_spec.executor_class.__module__]
    texts += [value for value in node.exec_properties.values() if isinstance(value, str)]
    named = {name for text in texts for name in _MODULE_NAME.findall(text)}
    # The last part may name a function.
    modules = {name if _source(name) else name.rpartition(".")[0] for name in named}
    return {module for module in modules if _source(module)}


def import_closure(roots: Iterable[str]) -> set[str]:
    """Finds every module of the project that importing ``roots`` can import, parents included."""
    closure: set[str] = set()
    pending = list(roots)
    while pending:
        module = pending.pop()
        if module in closure:
            continue
        closure.add(module)
        pending += _imports(module)
    return closure


def source_digest(modules: Iterable[str]) -> str:
    """Computes a digest of modules, and of the data files of packages among them.

    It does not depend on the directory in which they are installed.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        source = _source(module)
        if source is None:
            raise ModuleNotFoundError(f"no module {module!r} to take the code version of")
        for name, file in _files(module, source):
            digest.update(f"{name}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def project_version() -> str:
    """Returns the project's version and a digest of all its sources, for people to compare."""
    modules = [module for package in PACKAGES for module in _modules_of(package)]
    return f"{metadata.version(PROJECT)}, sources {source_digest(modules)}"


def _modules_of(package: str) -> Iterator[str]:
    for file in (SOURCE_ROOT / package).rglob("*.py"):
        parts = file.relative_to(SOURCE_ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__")


def _source(module: str) -> Path | None:
    """Finds the file of a module of the project."""
    path = SOURCE_ROOT.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _files(module: str, source: Path) -> Iterator[tuple[str, Path]]:
    yield module, source
    if source.name == "__init__.py":
        for file in sorted(source.parent.rglob("*")):
            if file.suffix in DATA_SUFFIXES and _package_of(file) == source.parent:
                yield f"{module}/{file.relative_to(source.parent)}", file


def _package_of(file: Path) -> Path:
    return next(folder for folder in file.parents if (folder / "__init__.py").is_file())


def _imports(module: str) -> Iterator[str]:
    source = _source(module)
    assert source is not None, module
    if parent := module.rpartition(".")[0]:
        yield parent
    yield from (name for name in _imported_names(source.read_bytes()) if _source(name))


@cache
def _imported_names(source: bytes) -> frozenset[str]:
    """Finds the names of the project that a module imports, except for type checkers."""
    names: set[str] = set()
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # An imported name may be a module of the package or an object in it.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.partition(".")[0] in PACKAGES)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from _executed(node)
