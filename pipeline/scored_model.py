"""The model to score with: found by version, folder or file, and verified."""

from dataclasses import dataclass
from pathlib import Path

from components.scorer.model_runtime import UnusableModelError
from components.serving_check.probe import ONNX_SUFFIX
from formats import provenance
from formats.artifact_manifest import (
    Manifest,
    compare_file,
    digest_file,
    list_files,
    summarize,
    take_manifest,
    verify,
)
from formats.errors import UserError
from formats.locations import is_remote
from formats.names import SAVED_MODEL_FILE
from formats.provenance import Provenance, model_digest
from pipeline.artifact_records import FOLDER, ArtifactRecords
from pipeline.paths import PathError, check_location, local_path

_MAX_NAMES = 5


class ModelNotFoundError(UserError, LookupError):
    """There is no such model; the message says which there are."""

    exit_code = 2

    def __init__(self, reason: str) -> None:
        """Takes the reason, and names the option."""
        super().__init__(f"--model: {reason}")


@dataclass(frozen=True)
class ScoredModel:
    """A model.

    Attributes:
        path: a SavedModel's folder or an ``.onnx`` file.
        sha256: one digest for all its files.
        description: what it is, and whether its files were compared with a record.
    """

    path: str
    sha256: str
    description: str


def find_model(text: str, push_directory: str) -> ScoredModel:
    """Finds a model and verifies its files, if there is a record of them.

    Args:
        text: a version, a SavedModel's folder, or an ``.onnx`` file.
        push_directory: the folder of the versions.

    Raises:
        ModelNotFoundError: there is no such model.
        UnusableModelError: it is damaged, or is not a model.
    """
    if text.isdecimal() and not Path(text).exists():
        folder = f"{push_directory}/{text}"
        if not any(True for _ in list_files(folder)):
            raise ModelNotFoundError(
                f"no version {text} in {push_directory}{_known(push_directory)}; --serving names "
                "the folder of the versions"
            )
        return _find_saved_model(folder)
    try:
        path = text if is_remote(check_location(text)) else str(local_path(text))
    except PathError as error:
        raise ModelNotFoundError(str(error)) from None
    if path.endswith(ONNX_SUFFIX):
        return _find_onnx(path)
    if not is_remote(path) and not Path(path).is_dir():
        problem = "is not a folder" if Path(path).exists() else "does not exist"
        raise ModelNotFoundError(
            f"{path} {problem}; give a version, a SavedModel's folder or an {ONNX_SUFFIX} file"
        )
    return _find_saved_model(path.rstrip("/"))


def _find_onnx(text: str) -> ScoredModel:
    if is_remote(text):
        raise ModelNotFoundError(f"{text} is in an object store; copy the file to a local disk")
    if not Path(text).is_file():
        problem = "is not a file" if Path(text).exists() else "does not exist"
        raise ModelNotFoundError(f"{text} {problem}; give a file that exists")
    file = Path(text).resolve()  # a link may name the file of a version
    record = _read_provenance(str(file.parent))
    expected = record.manifest.get(file.name) if record else None
    if record and expected:
        _refuse(text, [problem] if (problem := compare_file(str(file), text, expected)) else [])
    verified = f" of version {record.version}, verified" if record and expected else ""
    sha256 = digest_file(str(file)).sha256
    return ScoredModel(str(Path(text).absolute()), sha256, f"{text}{verified}")


def _find_saved_model(folder: str) -> ScoredModel:
    path = folder if is_remote(folder) else str(Path(folder).absolute())
    record = check_version(folder)
    if record:
        description = f"version {record.version}, verified ({folder})"
        return ScoredModel(path, record.model_sha256, description)
    manifest = take_manifest(folder)
    if SAVED_MODEL_FILE not in manifest:
        raise UnusableModelError(
            f"{folder} has no {SAVED_MODEL_FILE}{_known(folder)}; give an exported model, such as "
            "ROOT/serving/VERSION"
        )
    recorded = _recorded_manifest(Path(path)) if not is_remote(path) else None
    if recorded:
        _refuse(folder, verify(folder, recorded))
    description = f"{folder}, {'verified' if recorded else 'without provenance'}"
    return ScoredModel(path, model_digest(manifest), description)


def check_version(folder: str) -> Provenance | None:
    """Compares the files of a pushed version with its provenance; returns that, None without one.

    Raises:
        UnusableModelError: they differ, or the provenance cannot be used.
    """
    record = _read_provenance(folder)
    if record:
        _refuse(folder, verify(folder, record.manifest, others_allowed=True))
    return record


def _refuse(place: str, problems: list[str]) -> None:
    if problems:
        raise UnusableModelError(
            f"{place} is not the model that was recorded: {summarize(problems)}; restore it, or "
            "give another one"
        )


def _read_provenance(folder: str) -> Provenance | None:
    """Reads the provenance of a version; None if there is none.

    Raises:
        UnusableModelError: it cannot be used.
    """
    subfolder, name = provenance.FILE_NAME.split("/")
    if name not in set(list_files(f"{folder}/{subfolder}")):
        return None
    try:
        return Provenance.read(folder)
    except (ValueError, OSError) as error:
        raise UnusableModelError(
            f"{folder}: {error}; its files cannot be verified: restore the file, or remove it"
        ) from None


def _recorded_manifest(folder: Path) -> Manifest | None:
    """Finds the record of a model below a pipeline root, which a run has made; None without one."""
    for root in folder.parents:
        if not (root / FOLDER).is_dir():
            continue
        for artifact in (folder, *folder.parents):
            if root in artifact.parents and (record := ArtifactRecords(root).read(str(artifact))):
                prefix = f"{folder.relative_to(artifact)}/" if artifact != folder else ""
                return {
                    path.removeprefix(prefix): digest
                    for path, digest in record.manifest.items()
                    if path.startswith(prefix)
                }
    return None


def _known(push_directory: str) -> str:
    files = list_files(push_directory, skip_unreadable=True)
    versions = sorted(
        {path.split("/")[0] for path in files if path[0].isdecimal()},
        key=lambda name: (len(name), name),
    )
    if not versions:
        return ""
    more = f" and {len(versions) - _MAX_NAMES} older ones" if versions[_MAX_NAMES:] else ""
    return f"; it has {', '.join(versions[: -_MAX_NAMES - 1 : -1])}{more}"
