"""ModelInService: the component."""

from typing import ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model

from components.baseline.driver import Driver
from components.baseline.executor import Executor


class ModelInServiceSpec(ComponentSpec):
    """Inputs, parameters and outputs of ModelInService.

    ``in_service`` is set by the driver: it makes the cache notice another version.
    """

    PARAMETERS: ClassVar = {
        "push_directory": ExecutionParameter(type=str),
        "when_damaged": ExecutionParameter(type=str),
        "in_service": ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {"candidate": ChannelParameter(type=Model, optional=True)}
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=Model)}


class ModelInService(BaseComponent):
    """Copies the newest model of a push directory, regardless of who pushed it.

    A candidate is not its own baseline: versions that hold the same model are passed over. Without
    another version the artifact is marked as absent, and its consumer must treat it as no model.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.

    Example:
    ```python
    baseline = ModelInService(
        push_directory="/mnt/models/higgs",
        when_damaged="refuse",
        candidate=trainer.outputs["model"],
    ).with_id("Baseline")
    ```
    """

    SPEC_CLASS = ModelInServiceSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, push_directory: str, when_damaged: str, candidate: Channel | None = None):
        """Takes the model from ``push_directory``.

        Args:
            push_directory: the folder of all versions.
            when_damaged: ``refuse`` fails if the newest version is damaged, ``ignore`` takes the
                newest one that is not.
            candidate: the model to compare; None if there is none yet.
        """
        super().__init__(
            ModelInServiceSpec(
                push_directory=push_directory,
                when_damaged=when_damaged,
                model=Channel(type=Model),
                **({"candidate": candidate} if candidate else {}),
            )
        )
