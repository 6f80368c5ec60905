"""ColumnarStatisticsGen: the component."""

from tfx.components import StatisticsGen
from tfx.dsl.components.base import executor_spec
from tfx.types import Channel

from components.statistics_gen.executor import Executor


class ColumnarStatisticsGen(StatisticsGen):
    """Computes the statistics that StatisticsGen does, from the row groups of Parquet Examples.

    Component ``outputs`` contains:

    - ``statistics``: ``standard_artifacts.ExampleStatistics``, ``FeatureStats.pb`` by split.

    Example:
    ```python
    statistics_gen = ColumnarStatisticsGen(examples=example_gen.outputs["examples"])
    ```
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: Channel):
        """Constructs the component.

        Args:
            examples: Parquet Examples as CollisionExampleGen writes them.
        """
        super().__init__(examples=examples)
