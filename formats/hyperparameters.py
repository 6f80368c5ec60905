"""Hyperparameters of a training, with their defaults, bounds and presets.

Imports no TensorFlow, because the pipeline's configuration, which embeds them, must be validated
quickly.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, model_validator


def _reject_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Input should be a number, not true or false")
    return value


# Not strict, unlike the integers: YAML reads 1e-3, which has no decimal point, as text.
Number = Annotated[float, BeforeValidator(_reject_boolean)]


class Hyperparameters(BaseModel):
    """Size and training of the model; the defaults suit data of any size.

    Most of those that are None are chosen by the number of training events, with the table
    ``SIZES`` of ``models.training.training_plan``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    validation_share: Number = Field(0.1, gt=0, le=0.5)
    """Share of the training split, at most 500,000 events, that is set aside: epochs are compared
    and the blend is fitted on it."""
    refit_events: StrictInt = Field(100_000, ge=0, le=1_000_000)
    """Largest training split on which network and trees are trained a second time, on all its
    events, with the epochs and the blend that were chosen before; 0: never."""

    derived_columns: bool = True
    """Use the columns derived by physics instead of the 28 published ones."""
    buckets: StrictInt | None = Field(None, ge=0)
    """Buckets per column, whose log odds are inputs too; 0: none."""

    trees: StrictInt | None = Field(None, ge=0)
    """Number of boosted trees; 0: none."""
    tree_depth: StrictInt | None = Field(None, ge=1, le=8)
    """Cuts from the root of a tree to each of its leaves."""
    tree_learning_rate: Number | None = Field(None, gt=0, le=1)
    """Learning rate of the trees."""
    tree_events: StrictInt = Field(1_000_000, ge=100)
    """Maximum number of training events on which trees are grown."""

    units: StrictInt | None = Field(None, ge=1)
    """Units of each deep block."""
    blocks: StrictInt | None = Field(None, ge=1)
    """Deep blocks: Dense, BatchNorm, activation, Dropout."""
    activation: Literal["relu", "elu", "selu", "gelu", "swish"] = "relu"
    """Activation of the deep blocks."""
    dropout: Number | None = Field(None, ge=0, lt=1)
    """Share of units dropped after each block."""
    input_dropout: Number = Field(0.1, ge=0, lt=1)
    """Share of the inputs of the deep part dropped."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic of the deep blocks; auto: the fastest on the hardware."""

    batch_size_per_replica: StrictInt | None = Field(None, ge=1)
    """Events per step and replica; the global batch is this times the replicas."""
    epochs: StrictInt | None = Field(None, ge=1)
    """Maximum number of epochs; early stopping may end the training sooner."""
    steps_per_execution: StrictInt = Field(10, ge=1)
    """Training steps that the device runs between two calls from Python."""
    learning_rate: Number = Field(2e-3, gt=0)
    """Peak learning rate of AdamW."""
    learning_rate_batch: StrictInt | None = Field(256, ge=1)
    """Global batch to which learning_rate applies: the rate grows with the square root of the
    batch; null: it does not."""
    weight_decay: Number | None = Field(None, ge=0)
    """Weight decay of the deep part's kernels in AdamW, times the learning rate."""
    schedule: Literal["cosine", "plateau"] = "cosine"
    """cosine: from warm-up to 0 over all epochs; plateau: lowered when val_loss stops falling."""

    early_stopping_patience: StrictInt | None = Field(None, ge=0)
    """Epochs without improvement of val_loss before training stops."""
    early_stopping_min_delta: Number = Field(0.0, ge=0)
    """Smallest decrease of val_loss that counts as an improvement."""

    plateau_factor: Number = Field(0.2, gt=0, lt=1)
    """Factor of the learning rate on a plateau."""
    plateau_patience: StrictInt = Field(1, ge=0)
    """Epochs without improvement of val_loss before the learning rate is lowered."""
    min_learning_rate: Number = Field(1e-5, ge=0)
    """Lower limit of the learning rate on a plateau."""

    profile_steps: StrictInt = Field(0, ge=0)
    """Steps of the second epoch that TensorBoard's profiler records."""

    @model_validator(mode="after")
    def _check_rates(self) -> "Hyperparameters":
        if self.schedule == "plateau" and self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate:g} is above learning_rate "
                f"{self.learning_rate:g}: lower the one or raise the other"
            )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # For a laptop: well under a minute for 180 thousand events on two cores.
    "demo": {
        "buckets": 24,
        "trees": 100,
        "tree_depth": 5,
        "tree_learning_rate": 0.2,
        "units": 128,
        "blocks": 2,
        "dropout": 0.1,
        "batch_size_per_replica": 512,
        "epochs": 6,
        "weight_decay": 0.1,
    },
    # As in the notebook, where min_lr equals lr, so the learning rate is never lowered.
    "kaggle": {
        "refit_events": 0,
        "derived_columns": False,
        "buckets": 0,
        "trees": 0,
        "units": 2048,
        "blocks": 5,
        "dropout": 0.1,
        "input_dropout": 0.0,
        "batch_size_per_replica": 2048,
        "epochs": 50,
        "learning_rate": 1e-3,
        "learning_rate_batch": None,
        "weight_decay": 0.0,
        "schedule": "plateau",
        "early_stopping_patience": 2,
        "early_stopping_min_delta": 1e-3,
        "plateau_patience": 0,
        "min_learning_rate": 1e-3,
    },
}
"""The presets, as differences from the defaults."""


REPLACED = {"tree_leaves": "tree_depth: a tree with a depth of 5 has 32 leaves"}
"""Replacements of hyperparameters of earlier releases."""


def resolve(preset: str, **overrides: Any) -> Hyperparameters:
    """Returns a preset's hyperparameters with some of them replaced.

    >>> resolve("demo", units=64).units
    64

    Raises:
        ValueError: the preset or a hyperparameter does not exist, or a value is out of bounds.
    """
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}: choose one of {', '.join(PRESETS)}")
    return Hyperparameters(**{**PRESETS[preset], **overrides})
