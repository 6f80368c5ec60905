"""Version of the project's sources: identifies the code that ran, whatever its package version."""

import hashlib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

PROJECT = "higgs-pipeline"
PACKAGES = ("components", "formats", "models", "pipeline")
SOURCE_ROOT = Path(__file__).resolve().parents[1]
"""The directory that holds the packages, in a checkout as well as installed."""

DATA_SUFFIXES = (".html", ".css", ".js")
"""Suffixes of the data files of a package that its code reads: templates."""


def source_digest(modules: Iterable[str]) -> str:
    """Computes a digest of modules, and of the data files of packages among them.

    It does not depend on the directory in which they are installed.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        source = find_source(module)
        if source is None:
            raise ModuleNotFoundError(f"no module {module!r} to take the code version of")
        for name, file in _files(module, source):
            digest.update(f"{name}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def project_version() -> str:
    """Returns the project's version and a digest of all its sources, for people to compare."""
    modules = [module for package in PACKAGES for module in modules_of(package)]
    return f"{metadata.version(PROJECT)}, sources {source_digest(modules)}"


def modules_of(package: str) -> Iterator[str]:
    """Yields the names of a package's modules, in no order."""
    for file in (SOURCE_ROOT / package).rglob("*.py"):
        parts = file.relative_to(SOURCE_ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__")


def find_source(module: str) -> Path | None:
    """Finds the file of a module of the project."""
    path = f"{SOURCE_ROOT}/{module.replace('.', '/')}"
    files = (Path(f"{path}/__init__.py"), Path(f"{path}.py"))
    return next((file for file in files if file.is_file()), None)


def _files(module: str, source: Path) -> Iterator[tuple[str, Path]]:
    yield module, source
    if source.name == "__init__.py":
        for file in sorted(_data_files(source.parent)):
            yield f"{module}/{file.relative_to(source.parent)}", file


def _data_files(folder: Path) -> Iterator[Path]:
    """Yields the data files of a package, without those of the packages in it."""
    for path in folder.iterdir():
        if path.suffix in DATA_SUFFIXES:
            yield path
        elif path.is_dir() and not (path / "__init__.py").is_file():
            yield from _data_files(path)
