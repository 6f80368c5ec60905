"""``assets.extra/provenance.json``: where a pushed model comes from, and the hashes of its files.

Every pushed version has one, so that any copy of the model can be identified. Servers and loaders
of SavedModels ignore the folder. The file holds a digest of its own content as well.
"""

import hashlib
import json
import math
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
)

from formats.artifact_manifest import FileDigest, Manifest, manifest_digest, open_file
from formats.names import ONNX_FILE
from formats.run_outcome import describe_invalid

FILE_NAME = "assets.extra/provenance.json"
"""Path in a version's folder; not among the files that it lists."""

DIGEST_KEY = "sha256"
"""Key of the digest of everything else in the file, as JSON with sorted keys and no spaces."""

MAX_BYTES = 1 << 24
"""Maximum size of the file in bytes; a longer one is rejected."""


def _check_path(path: str) -> str:
    if not path.isprintable() or path in ("", ".") or str(PurePosixPath(path)) != path:
        raise ValueError("not a relative path of plain characters")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError("outside the model's folder")
    return path


def _check_text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("contains a control character")
    return text


# Printed on terminals and as part of paths; the file may come from anywhere.
Text = Annotated[str, Field(max_length=1000), AfterValidator(_check_text)]
RelativePath = Annotated[str, AfterValidator(_check_path)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, strict=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileHash(_Frozen):
    """One file of the model: its size and its SHA-256."""

    bytes: Count
    sha256: Sha256


class GateRecord(_Frozen):
    """One threshold of the Evaluator.

    Attributes:
        name: the compared quantity.
        value: its measured value; None if it was undefined.
        limit: the smallest value that passes, or the largest.
        margin: how far the value passes the limit, negative if it misses it; None if the value was
            undefined.
        interval: the 95 % confidence interval of the value; None if there is none.
    """

    name: Text
    value: FiniteFloat | None
    limit: FiniteFloat
    margin: FiniteFloat | None
    interval: tuple[FiniteFloat, FiniteFloat] | None = None


class EvaluationSummary(_Frozen):
    """The evaluation that allowed the push.

    Attributes:
        events: number of evaluated events.
        auc: the model's AUC on them; None if it was undefined.
        baseline_auc: the AUC of the model then in service, on the same events; None without one.
        baseline_version: the version of that model; empty without one.
        gates: every threshold that was applied.
    """

    events: Count
    auc: FiniteFloat | None
    baseline_auc: FiniteFloat | None = None
    baseline_version: Text = ""
    gates: tuple[GateRecord, ...] = ()


class SplitSummary(_Frozen):
    """One split of the data: its number of events and their fingerprint, empty if unknown."""

    events: Count
    fingerprint: Text = ""


class Provenance(_Frozen):
    """Where a pushed model comes from.

    Attributes:
        format: version of this format; the first one has no digest of its own content.
        version: the version's number; the name of its folder.
        pipeline: name of the pipeline that pushed it.
        run: id of the run that pushed it; on an engine, the folder of the push's artifact, which
            contains the engine's id of the run.
        pushed_at: time of the push, in UTC.
        evaluation: why it was pushed; None if no evaluation was given to the Pusher.
        data: the splits by name; empty if unknown.
        schema_sha256: SHA-256 of the reviewed schema's file; empty if unknown.
        code_version: the project's version and a digest of its sources.
        packages: versions by name of the packages that the model was made with.
        files: size and SHA-256 of each file of the model, by path.
    """

    format: Literal[1, 2] = 2
    version: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,18})$")]
    pipeline: Text
    run: Text = ""
    pushed_at: AwareDatetime
    evaluation: EvaluationSummary | None = None
    data: dict[Text, SplitSummary] = {}
    schema_sha256: Sha256 | Literal[""] = ""
    code_version: Text = ""
    packages: dict[Text, Text] = {}
    files: dict[RelativePath, FileHash] = Field(min_length=1)

    @classmethod
    def read(cls, folder: str) -> "Provenance":
        """Reads the provenance of a version from its folder.

        Raises:
            ValueError: as ``from_json``.
            OSError: the file cannot be read.
        """
        with open_file(f"{folder}/{FILE_NAME}") as file:
            return cls.from_json(file.read(MAX_BYTES))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Provenance":
        """Reads the content of ``provenance.json``.

        Raises:
            ValueError: it does not have this form, or was changed; the message is one line.
        """
        try:
            record = cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(f"{FILE_NAME} cannot be used: {describe_invalid(error)}") from None
        content = json.loads(text)
        digest = content.pop(DIGEST_KEY, None)
        if (digest is not None or record.format > 1) and digest != _digest(content):
            raise ValueError(f"{FILE_NAME} was changed: its content does not have its SHA-256")
        return record

    def to_json(self) -> str:
        """Returns the content of ``provenance.json``, with a digest unless the format has none."""
        content = self.model_dump(mode="json")
        own = {DIGEST_KEY: _digest(content)} if self.format > 1 else {}
        return json.dumps({**content, **own}, indent=2) + "\n"

    @property
    def manifest(self) -> dict[str, FileDigest]:
        """The files of the model as a manifest."""
        return {path: FileDigest(file.bytes, file.sha256) for path, file in self.files.items()}

    @property
    def model_sha256(self) -> str:
        """One SHA-256 for the model: equal for equal models."""
        return model_digest(self.manifest)


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def model_digest(manifest: Manifest) -> str:
    """Returns one SHA-256 for a model, whether or not it was pushed with its ONNX file.

    Args:
        manifest: the files of a SavedModel's folder, as trained or as pushed.
    """
    others = (FILE_NAME, ONNX_FILE)
    return manifest_digest({path: file for path, file in manifest.items() if path not in others})


def file_hashes(manifest: Manifest) -> dict[str, FileHash]:
    """Converts a manifest to the form of ``Provenance.files``."""
    return {
        path: FileHash(bytes=file.bytes, sha256=file.sha256)
        for path, file in sorted(manifest.items())
    }


def finite(value: float | None) -> float | None:
    """Returns None for NaN and infinity, which JSON cannot represent.

    >>> finite(float("nan")) is None, finite(0.5)
    (True, 0.5)
    """
    return value if value is not None and math.isfinite(value) else None
