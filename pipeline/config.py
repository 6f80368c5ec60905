"""The run configuration: one frozen model, read from YAML, checked before any work.

A YAML file names only what differs from the defaults written here. Keys given
with ``--set`` (``trainer.epochs=3``) are laid over the file before the check.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from formats.hyperparameters import PRESETS, Hyperparameters
from pipeline.cloud_config import FROZEN, KubeflowConfig, VertexConfig

# The nodes that run on Beam; the others read what these made of the data.
BeamNode = Literal["CollisionExampleGen", "StatisticsGen", "HistogramGen", "Evaluator"]

REMOTE_SCHEMES = ("gs://", "s3://", "minio://", "hdfs://")


class ConfigError(ValueError):
    """The configuration cannot be used; the message names key, value and remedy."""


class _Frozen(BaseModel):
    model_config = FROZEN


class IngestionConfig(_Frozen):
    """How the shards under ``data_root`` become the splits ``train`` and ``eval``."""

    layout: Literal["auto", "folders", "single"] = Field(
        "auto",
        description="folders: training/ and validation/ are the splits; single: one folder of "
        "shards, split by a hash of each record; auto: look at data_root when the run starts",
    )
    train_buckets: int = Field(2, ge=1, description="hash buckets that become train")
    eval_buckets: int = Field(1, ge=1, description="hash buckets that become eval")


class TrainerConfig(Hyperparameters):
    """A preset and the hyperparameters that differ from it."""

    preset: Literal["default", "demo", "kaggle"] = Field(
        "default", description="the hyperparameters to start from"
    )
    warm_start: bool = Field(
        False, description="begin with the weights of the latest blessed model, where shapes agree"
    )
    checkpoints: str | None = Field(
        None, description="where unfinished trainings keep their states; checkpoints/ under root"
    )

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        # A preset that is none is left for the field below to refuse.
        preset = PRESETS.get(str(given.get("preset", "default")), {})
        return merge(preset, given)

    def hyperparameters(self) -> Hyperparameters:
        """The hyperparameters alone, as ``models`` takes them."""
        return Hyperparameters(**self.model_dump(exclude={"preset", "warm_start", "checkpoints"}))


class EvaluationConfig(_Frozen):
    """What a model must reach on the eval split before it is pushed."""

    auc_lower_bound: float = Field(0.7, ge=0.0, le=1.0, description="the least AUC that is blessed")
    auc_max_drop: float = Field(
        0.002,
        ge=0.0,
        le=1.0,
        description="how far AUC may fall below the latest blessed model's",
    )


class PushConfig(_Frozen):
    """Where blessed models go."""

    directory: str | None = Field(
        None, description="the serving folder; without one, serving/ under root"
    )


class BeamConfig(_Frozen):
    """How Beam runs ingestion, statistics, histograms and evaluation."""

    args: tuple[str, ...] = Field(
        (), description="Beam pipeline options; none: the in-memory DirectRunner"
    )
    nodes: dict[BeamNode, tuple[str, ...]] = Field(
        default_factory=dict, description="Beam pipeline options of single nodes, laid over args"
    )


class Config(_Frozen):
    """One run of the pipeline."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]{0,127}$",
            description="the pipeline's name: lower case letters, digits and '-'",
        ),
    ] = "higgs"
    data_root: str = Field(
        min_length=1, description="holds training/ and validation/, or one folder of shards"
    )
    root: str = Field(
        min_length=1, description="the pipeline root: artifacts, metadata, logs and serving/"
    )
    seed: int = Field(
        0, ge=0, lt=2**31, strict=True, description="seeds weights, shuffling and dropout"
    )
    ingestion: IngestionConfig = Field(default_factory=IngestionConfig)
    trainer: TrainerConfig = Field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    push: PushConfig = Field(default_factory=PushConfig)
    beam: BeamConfig = Field(default_factory=BeamConfig)
    vertex: VertexConfig | None = Field(None, description="for `--target vertex`")
    kubeflow: KubeflowConfig | None = Field(None, description="for `--target kubeflow`")

    @property
    def artifacts_root(self) -> str:
        """Where every node writes its artifacts."""
        return f"{self.root}/artifacts"

    @property
    def metadata_path(self) -> str:
        """The sqlite file of ML Metadata."""
        return f"{self.root}/metadata/metadata.sqlite"

    @property
    def checkpoint_root(self) -> str:
        """Where trainings that are not finished keep their states."""
        return self.trainer.checkpoints or f"{self.root}/checkpoints"

    @property
    def push_directory(self) -> str:
        """Where blessed models are pushed, one numbered folder each."""
        return self.push.directory or f"{self.root}/serving"


def is_remote(path: str) -> bool:
    """Whether ``path`` lies in an object store rather than on a local disk."""
    return path.startswith(REMOTE_SCHEMES)


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads and checks a configuration.

    Args:
      path: a YAML file.
      overrides: ``key=value`` pairs with dotted keys and YAML values, laid over the file.

    Raises:
      ConfigError: the file is missing or not YAML, an override is no ``key=value``,
        a key is unknown (the nearest known one is named) or a value is out of bounds.
    """
    values = _read_yaml(Path(path))
    for override in overrides:
        values = merge(values, _parse_override(override))
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        reasons = "\n".join(f"  {_explain(entry)}" for entry in error.errors())
        raise ConfigError(f"{path} cannot be used:\n{reasons}") from None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, nested mappings merged key by key."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merge(below, value)
        merged[key] = value
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; configs/ has examples"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}; expected keys and values")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not key.strip("."):
        raise ConfigError(f"--set {override!r} is not key=value, for example trainer.epochs=3")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML: {error}") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _explain(entry: Any) -> str:
    key = ".".join(str(part) for part in entry["loc"]) or "the configuration"
    if entry["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggest(entry['loc'])}"
    if entry["type"] == "missing":
        return f"{key}: missing; give it in the file or with --set {key}=..."
    hint = " (a list, for example [--a, --b=c])" if entry["type"] == "tuple_type" else ""
    return f"{key}: {entry['msg'].removeprefix('Value error, ')}{hint}, got {entry['input']!r}"


def _suggest(location: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        below = _model_in(field.annotation) if field else None
        if below is None:
            return ""
        model = below
    known = list(model.model_fields)
    nearest = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if nearest:
        prefix = "".join(f"{part}." for part in location[:-1])
        return f"; did you mean {prefix}{nearest[0]}?"
    return f"; known here: {', '.join(known)}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, itself or one of several types."""
    candidates = get_args(annotation) or (annotation,)
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
