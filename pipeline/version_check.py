"""Reads and verifies the provenance of a pushed version in any folder.

It needs neither a pipeline root nor TensorFlow.
"""

from collections.abc import Iterator
from datetime import timezone
from pathlib import Path

from formats.artifact_manifest import digest_file, verify
from formats.provenance import FILE_NAME, EvaluationSummary, GateRecord, Provenance
from pipeline.user_errors import ProvenanceError

UNKNOWN = "unknown"


def read_provenance(folder: Path) -> Provenance:
    """Reads the provenance of a version.

    Raises:
        ProvenanceError: there is no such folder, or no provenance in it that can be used.
    """
    try:
        return Provenance.read(str(folder))
    except OSError as error:
        raise ProvenanceError(_explain_missing(folder, error)) from None
    except ValueError as error:
        raise ProvenanceError(
            f"{folder}: {error}; the version can be neither traced nor verified: restore the file"
        ) from None


def find_differences(folder: Path, record: Provenance) -> list[str]:
    """Compares every file of a version with its provenance.

    Returns:
        One clause per file that is missing, changed or new; empty if there is none.
    """
    own = {FILE_NAME: digest_file(str(folder / FILE_NAME))}
    return verify(str(folder), {**record.manifest, **own})


def provenance_lines(record: Provenance) -> Iterator[str]:
    """Yields the origin of a version, from the push back to the data and the code."""
    pushed_at = record.pushed_at.astimezone(timezone.utc)
    yield f"version {record.version}, pushed {pushed_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"by pipeline {record.pipeline}, run {record.run or UNKNOWN}"
    if record.evaluation:
        yield from _evaluation_lines(record.evaluation)
    for name, split in record.data.items():
        fingerprint = f", fingerprint {split.fingerprint}" if split.fingerprint else ""
        yield f"data: {split.events:,} {name} events{fingerprint}"
    yield f"schema: SHA-256 {record.schema_sha256 or UNKNOWN}"
    yield f"code: {record.code_version or UNKNOWN}"
    packages = (f"{name} {version}" for name, version in record.packages.items())
    yield f"packages: {', '.join(packages) or UNKNOWN}"


def _evaluation_lines(evaluation: EvaluationSummary) -> Iterator[str]:
    baseline = (
        f", baseline {_number(evaluation.baseline_auc)} "
        f"(version {evaluation.baseline_version or UNKNOWN})"
        if evaluation.baseline_auc is not None
        else ", no baseline"
    )
    yield f"AUC {_number(evaluation.auc)} on {evaluation.events:,} events{baseline}"
    for gate in evaluation.gates:
        requirement = "at most" if _is_upper(gate) else "at least"
        yield (
            f"gate: {gate.name} {_number(gate.value)}, {requirement} {_number(gate.limit)} needed"
            f"{_result(gate)}"
        )


def _is_upper(gate: GateRecord) -> bool:
    """Returns whether the limit is the largest value that passes, which the margin's sign tells."""
    if gate.value is None or gate.margin is None:
        return False
    return (gate.value - gate.limit) * gate.margin < 0


def _result(gate: GateRecord) -> str:
    if gate.margin is None:
        return ""
    result = f": {'passed' if gate.margin >= 0 else 'missed'} by {_number(abs(gate.margin))}"
    if gate.interval is None:
        return result
    low, high = map(_number, gate.interval)
    return f"{result}; 95 % interval {low} to {high}"


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    # A gate may limit a number of events.
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"


def _explain_missing(folder: Path, error: OSError) -> str:
    if not folder.is_dir():
        return f"{folder} is not a folder; give that of a version, such as runs/demo/serving/17"
    versions = sorted(
        (path for path in folder.iterdir() if (path / FILE_NAME).is_file()),
        key=lambda path: (len(path.name), path.name),
    )
    hint = (
        f"give the folder of a version, such as {versions[-1]}"
        if versions
        else "it is not a version, or was pushed by an earlier release, and cannot be verified"
    )
    return f"{folder} has no {FILE_NAME} ({error.strerror}); {hint}"
