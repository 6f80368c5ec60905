"""What the project is run with: the versions of its packages."""

import platform
import re
from importlib import metadata

PROJECT = "higgs-pipeline"


def package_versions() -> dict[str, str]:
    """The versions of Python, the project and everything that it requires, by name."""
    required = (
        re.match(r"[A-Za-z0-9._-]+", requirement)
        for requirement in metadata.requires(PROJECT) or ()
        if "extra ==" not in requirement
    )
    names = sorted({match[0] for match in required if match}, key=str.lower)
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in (PROJECT, *names)
    }
