"""Versions of Python, the project and the packages that it requires."""

import platform
import re
from importlib import metadata

from formats.source_version import PROJECT


def package_versions() -> dict[str, str]:
    """Returns the installed versions by name, ``python`` and the project first."""
    versions = {name: _version(name) for name in (PROJECT, *_requirements())}
    return {"python": platform.python_version()} | {
        name: version for name, version in versions.items() if version
    }


def _requirements() -> list[str]:
    try:
        requirements = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:  # run from a source tree without installation
        return []
    matches = (
        re.match(r"[A-Za-z0-9._-]+", requirement)
        for requirement in requirements
        if "extra ==" not in requirement
    )
    return sorted({match[0] for match in matches if match}, key=str.lower)


def _version(name: str) -> str:
    """Returns the version of a package; empty if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # required on other platforms only
        return ""
