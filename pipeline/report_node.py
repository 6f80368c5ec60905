"""The node Report, for targets whose metadata is out of reach after a run."""

from collections.abc import Iterable

from tfx.dsl.components.base.base_node import BaseNode

from components.report.component import INPUTS, Report
from formats.source_version import project_version
from pipeline.config import Config


def report_node(config: Config, nodes: Iterable[BaseNode]) -> BaseNode:
    """Makes the node that renders the report of a run that reached its end, pushed or not."""
    outputs = {node.id: node.outputs for node in nodes}
    inputs = {
        name: outputs[output.node][output.key]
        for name, output in INPUTS.items()
        if output.node in outputs
    }
    return Report(
        configuration=config.model_dump_json(exclude=None if config.score else {"score"}),
        # Of all the code, because the page states what the run was made with.
        code_version=project_version(),
        **inputs,
    )
