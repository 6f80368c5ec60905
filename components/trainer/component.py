"""CountingTrainer: the component."""

from tfx.components import Trainer
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.trainer.executor import Executor


class CountingTrainer(Trainer):
    """Trains as TFX's Trainer does, and tells ``run_fn`` how many events were ingested.

    ``run_fn`` finds the numbers by split in ``custom_config["ingested_events"]``.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.
    - ``model_run``: ``standard_artifacts.ModelRun``.

    Example:
    ```python
    trainer = CountingTrainer(
        run_fn="models.trainer.run_fn",
        examples=example_gen.outputs["examples"],
        schema=schema_importer.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"seed": 1},
    ).with_id("Trainer")
    ```
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
