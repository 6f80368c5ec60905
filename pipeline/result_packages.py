"""The installed packages that a node's result depends on, with their versions.

They are the packages that the node's modules import, without those that cannot change a result.
A package that is new to the code therefore counts from its first import.
"""

import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec

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
