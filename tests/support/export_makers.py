"""Makes push directories."""

from pathlib import Path

from formats.artifact_manifest import take_manifest
from formats.provenance import FILE_NAME, Provenance, file_hashes


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


def write_provenance(folder):
    """Writes the provenance of version 17 with the hashes of the folder's files."""
    record = Provenance(
        version="17",
        pipeline="higgs",
        pushed_at="2026-11-27T01:00:00+01:00",
        files=file_hashes(take_manifest(str(folder))),
    )
    (folder / FILE_NAME).parent.mkdir()
    (folder / FILE_NAME).write_text(record.to_json())
