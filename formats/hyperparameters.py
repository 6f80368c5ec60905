"""Every hyperparameter of a training, with its default, its bounds and its presets.

Imports no TensorFlow: the pipeline's configuration builds on this model and must
be checked in no time.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, model_validator


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Input should be a number, not true or false")
    return value


# Not strict as the integers are: YAML reads 1e-3, which has no point, as text.
Number = Annotated[float, BeforeValidator(_refuse_boolean)]


class Hyperparameters(BaseModel):
    """What shapes the network and its training; the defaults suit data of any size.

    What is None follows the number of training events, as ``models.training.sizing`` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    derived_columns: bool = Field(
        True, description="look at columns derived by physics rather than at the 28 published"
    )
    buckets: StrictInt | None = Field(
        None, ge=0, description="buckets a column whose log odds are inputs too; 0 for none"
    )

    trees: StrictInt | None = Field(
        None, ge=0, description="boosted trees whose leaves are crossed columns of the wide part"
    )
    tree_leaves: StrictInt | None = Field(None, ge=2, description="leaves a tree at most")
    tree_learning_rate: Number = Field(
        0.04, gt=0, le=1, description="what the leaves' weights are multiplied by as trees grow"
    )
    tree_events: StrictInt = Field(
        1_000_000, ge=100, description="training events that trees are grown on at most"
    )

    units: StrictInt | None = Field(None, ge=1, description="units of each deep block")
    blocks: StrictInt | None = Field(
        None, ge=1, description="deep blocks: Dense, BatchNorm, activation, Dropout"
    )
    activation: Literal["relu", "elu", "selu", "gelu", "swish"] = Field(
        "relu", description="activation of the deep blocks"
    )
    dropout: Number | None = Field(
        None, ge=0, lt=1, description="share of units dropped after each block"
    )
    input_dropout: Number = Field(0.1, ge=0, lt=1, description="share of the deep inputs dropped")

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of the blocks' arithmetic; auto: what the hardware is fast at"
    )

    batch_size_per_replica: StrictInt | None = Field(
        None, ge=1, description="events a step and replica; the global batch is times replicas"
    )
    epochs: StrictInt | None = Field(
        None, ge=1, description="epochs at most; early stopping may end sooner"
    )
    steps_per_execution: StrictInt = Field(
        10, ge=1, description="training steps the device runs between two calls from Python"
    )
    learning_rate: Number = Field(2e-3, gt=0, description="AdamW's rate at its highest")
    learning_rate_batch: StrictInt | None = Field(
        256,
        ge=1,
        description="the global batch that learning_rate is meant for: it grows with the root of "
        "the batch; null: it does not",
    )
    weight_decay: Number | None = Field(
        None, ge=0, description="AdamW's decay of the blocks' kernels, times the learning rate"
    )
    schedule: Literal["cosine", "plateau"] = Field(
        "cosine",
        description="cosine: from warm-up to 0 over all epochs; plateau: falls when val_loss does "
        "not",
    )

    early_stopping_patience: StrictInt | None = Field(
        None, ge=0, description="epochs without improvement of val_loss before training stops"
    )
    early_stopping_min_delta: Number = Field(
        0.0, ge=0, description="smallest fall of val_loss that is an improvement"
    )

    plateau_factor: Number = Field(
        0.2, gt=0, lt=1, description="what the learning rate is multiplied by on a plateau"
    )
    plateau_patience: StrictInt = Field(
        1, ge=0, description="epochs without improvement of val_loss before the rate falls"
    )
    min_learning_rate: Number = Field(
        1e-5, ge=0, description="the learning rate never falls below this on a plateau"
    )

    profile_steps: StrictInt = Field(
        0, ge=0, description="steps of the second epoch that TensorBoard's profiler records"
    )

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
    # A laptop's: well under a minute for 180 thousand events on two cores.
    "demo": {
        "buckets": 24,
        "trees": 100,
        "tree_leaves": 24,
        "tree_learning_rate": 0.1,
        "units": 128,
        "blocks": 2,
        "dropout": 0.1,
        "batch_size_per_replica": 512,
        "epochs": 6,
        "weight_decay": 0.1,
    },
    # The notebook, faithful: its floor of the rate is the rate itself, so it never falls.
    "kaggle": {
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
"""Each preset as what it changes of the defaults."""


def resolve(preset: str, **overrides: Any) -> Hyperparameters:
    """A preset's hyperparameters with some of them replaced.

    Raises:
      ValueError: no such preset, no such hyperparameter, or a value out of bounds.
    """
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}: choose one of {', '.join(PRESETS)}")
    return Hyperparameters(**{**PRESETS[preset], **overrides})
