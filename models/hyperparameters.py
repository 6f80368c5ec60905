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
    """What shapes the network and its training; the defaults suit data of any size."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    units: StrictInt = Field(512, ge=1, description="units of each deep block")
    blocks: StrictInt = Field(
        5, ge=1, description="deep blocks: Dense, BatchNorm, activation, Dropout"
    )
    activation: Literal["relu", "elu", "selu", "gelu", "swish"] = Field(
        "relu", description="activation of the deep blocks"
    )
    dropout: Number = Field(0.1, ge=0, lt=1, description="share of units dropped after each block")

    batch_size_per_replica: StrictInt = Field(
        2048, ge=1, description="events a step and replica; the global batch is times replicas"
    )
    epochs: StrictInt = Field(30, ge=1, description="epochs at most; early stopping may end sooner")
    steps_per_execution: StrictInt = Field(
        10, ge=1, description="training steps the device runs between two calls from Python"
    )
    learning_rate: Number = Field(1e-3, gt=0, description="Adam's rate at the start")

    early_stopping_patience: StrictInt = Field(
        4, ge=0, description="epochs without improvement of val_loss before training stops"
    )
    early_stopping_min_delta: Number = Field(
        1e-4, ge=0, description="smallest fall of val_loss that is an improvement"
    )

    plateau_factor: Number = Field(
        0.2, gt=0, lt=1, description="what the learning rate is multiplied by on a plateau"
    )
    plateau_patience: StrictInt = Field(
        1, ge=0, description="epochs without improvement of val_loss before the rate falls"
    )
    min_learning_rate: Number = Field(
        1e-5, ge=0, description="the learning rate never falls below this"
    )

    @model_validator(mode="after")
    def _check_rates(self) -> "Hyperparameters":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate:g} is above learning_rate "
                f"{self.learning_rate:g}: lower the one or raise the other"
            )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # A laptop's: some 15 seconds for 130 thousand events on two cores.
    "demo": {
        "units": 128,
        "blocks": 3,
        "batch_size_per_replica": 512,
        "epochs": 8,
        "learning_rate": 5e-3,
    },
    # The notebook, faithful: its floor of the rate is the rate itself, so it never falls.
    "kaggle": {
        "units": 2048,
        "epochs": 50,
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
