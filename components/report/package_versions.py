"""What the project is run with: the versions of its packages."""

import platform
import re
from importlib import metadata

PROJECT = "higgs-pipeline"


def package_versions() -> dict[str, str]:
    """The versions of Python, the project and what it requires, by name, as far as installed."""
    versions = {name: _version(name) for name in (PROJECT, *_required())}
    return {"python": platform.python_version()} | {
        name: version for name, version in versions.items() if version
    }


def _required() -> list[str]:
    try:
        requirements = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return []
    matches = (
        re.match(r"[A-Za-z0-9._-]+", requirement)
        for requirement in requirements
        if "extra ==" not in requirement
    )
    return sorted({match[0] for match in matches if match}, key=str.lower)


def _version(name: str) -> str:
    """The version of a package; nothing if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # as where a requirement is of other platforms
        return ""
