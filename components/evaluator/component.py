"""CountingEvaluator, the node: Evaluator that fails when events were lost."""

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from components.evaluator.executor import Executor


class CountingEvaluator(Evaluator):
    """Evaluates as Evaluator does, and fails when it saw other events than were ingested.

    Component ``outputs`` are Evaluator's: ``evaluation`` and ``blessing``.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
