"""The node Report, for targets whose metadata is out of reach after a run."""

from collections.abc import Iterable

from tfx.dsl.components.base.base_node import BaseNode

from components.report.component import Report
from formats import names
from formats.source_version import project_version
from pipeline.config import Config


def report_node(config: Config, nodes: Iterable[BaseNode]) -> BaseNode:
    """Makes the node that renders the report of a run that reached its end, pushed or not."""
    outputs = {(node.id, key): channel for node in nodes for key, channel in node.outputs.items()}
    return Report(
        examples=outputs[names.EXAMPLES],
        schema=outputs[names.SCHEMA],
        statistics=outputs[names.STATISTICS],
        histograms=outputs[names.HISTOGRAMS],
        anomalies=outputs[names.ANOMALIES],
        data_verdict=outputs[names.DATA_VERDICT],
        model=outputs[names.MODEL],
        model_run=outputs[names.MODEL_RUN],
        evaluation=outputs[names.EVALUATION],
        blessing=outputs[names.BLESSING],
        infra_blessing=outputs[names.INFRA_BLESSING],
        pushed_model=outputs[names.PUSHED_MODEL],
        test_evaluation=outputs.get(names.TEST_EVALUATION),
        configuration=config.model_dump_json(exclude=None if config.score else {"score"}),
        # Of all the code, because the page states what the run was made with.
        code_version=project_version(),
    )
