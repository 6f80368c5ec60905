"""ColumnarStatisticsGen, the node: StatisticsGen with a reader of its own."""

from tfx.components import StatisticsGen
from tfx.dsl.components.base import executor_spec
from tfx.types import Channel

from components.statistics_gen.executor import Executor


class ColumnarStatisticsGen(StatisticsGen):
    """Statistics of every split of Parquet Examples, the same that StatisticsGen gives.

    Component ``outputs`` contains:

    - ``statistics``: ``standard_artifacts.ExampleStatistics``, ``FeatureStats.pb`` by split.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, examples: Channel):
        """Reads ``examples``, Parquet as CollisionExampleGen writes it."""
        super().__init__(examples=examples)
