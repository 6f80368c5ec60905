"""CountingEvaluator: the component."""

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from components.evaluator.executor import Executor

EXTRACTORS_MODULE = "components.evaluator.extractors"
"""The ``module_path`` of an evaluation of Parquet Examples."""


class CountingEvaluator(Evaluator):
    """Evaluates as TFX's Evaluator does, and fails if the number of events is wrong.

    Component ``outputs`` contains:

    - ``evaluation``: ``standard_artifacts.ModelEvaluation``.
    - ``blessing``: ``standard_artifacts.ModelBlessing``.

    Example:
    ```python
    evaluator = CountingEvaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        eval_config=eval_config(
            AucThresholds(
                lower_bound=0.7,
                max_drop=0.002,
                least_events=1000,
                confidence=0.95,
                when_undecided="refuse",
            )
        ),
        module_path=EXTRACTORS_MODULE,
    )
    ```
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
