"""SingleVersionPusher: the component."""

from tfx.components import Pusher
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.pusher.executor import Executor


class SingleVersionPusher(Pusher):
    """TFX's Pusher, which gives a model that is already in service no second version.

    Component ``outputs`` contains:

    - ``pushed_model``: ``standard_artifacts.PushedModel``, with the version in service.

    Example:
    ```python
    pusher = SingleVersionPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=push_destination,
    ).with_id("Pusher")
    ```
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
