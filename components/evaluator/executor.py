"""Executor of CountingEvaluator: the stock evaluation, then a comparison of counts."""

from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import executor
from tfx.types import artifact_utils, standard_component_specs

from components.example_gen.executor import events_property

SPLIT = "eval"
"""The split that Evaluator measures when none is named."""

COUNT = "example_count"
"""The metric that counts events, in TFMA's results."""


class Executor(executor.Executor):
    """Evaluates, and refuses to have a verdict drawn from some of the events."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model on the split ``eval``.

        Raises:
          RuntimeError: the Beam runner lost or doubled events.
        """
        super().Do(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        check_count(
            ingested=examples.get_int_custom_property(events_property(SPLIT)),
            evaluated=count_events(evaluation),
        )


def count_events(evaluation: str) -> int:
    """The events that an evaluation's overall slice was measured on."""
    metrics = next(
        metrics
        for result in tfma.load_eval_results([evaluation]).get_results()
        for key, metrics in result.slicing_metrics
        if key == ()
    )
    return int(metrics[""][""][COUNT]["doubleValue"])


def check_count(ingested: int, evaluated: int) -> None:
    """Holds the Evaluator's count of events against ingestion's.

    Raises:
      RuntimeError: they differ.
    """
    if evaluated != ingested:
        raise RuntimeError(
            f"the Evaluator saw {evaluated} of {ingested} events: the Beam runner lost or "
            "doubled some, so its verdict must not be trusted; use another runner in beam.args"
        )
