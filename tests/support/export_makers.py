"""Makes push directories."""

from pathlib import Path


def push(serving: Path, version: str, *, complete: bool = True) -> str:
    """Writes an export as ``version``; an incomplete one has no ``saved_model.pb`` yet.

    Returns:
        Its folder. Each file contains the version.
    """
    folder = serving / version
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_text(version)
    if complete:
        (folder / "saved_model.pb").write_text(version)
    return str(folder)
