"""The node Report, for targets whose metadata is out of reach after a run."""

from collections.abc import Iterable

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Channel

from components.report.component import Report
from formats import names
from formats.names import NodeOutput
from formats.source_version import project_version
from pipeline.config import Config


def report_node(config: Config, nodes: Iterable[BaseNode]) -> BaseNode:
    """Makes the node that renders the report of a run that reached its end, pushed or not."""
    outputs = {node.id: node.outputs for node in nodes}

    def channel(output: NodeOutput) -> Channel:
        return outputs[output.node][output.key]

    test = {}
    if names.TEST_EVALUATOR in outputs:
        test["test_evaluation"] = channel(names.TEST_EVALUATION)
    return Report(
        examples=channel(names.EXAMPLES),
        schema=channel(names.SCHEMA),
        statistics=channel(names.STATISTICS),
        histograms=channel(names.HISTOGRAMS),
        anomalies=channel(names.ANOMALIES),
        data_verdict=channel(names.DATA_VERDICT),
        model=channel(names.MODEL),
        model_run=channel(names.MODEL_RUN),
        evaluation=channel(names.EVALUATION),
        blessing=channel(names.BLESSING),
        infra_blessing=channel(names.INFRA_BLESSING),
        pushed_model=channel(names.PUSHED_MODEL),
        configuration=config.model_dump_json(exclude=None if config.score else {"score"}),
        # Of all the code, because the page states what the run was made with.
        code_version=project_version(),
        **test,
    )
