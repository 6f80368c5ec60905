"""Executor of CountingTrainer: TFX's, after the number of ingested events is added."""

from typing import Any

from tfx.components.trainer import executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from formats.artifact_types import Artifacts
from formats.names import INGESTED_EVENTS, events_property


class Executor(executor.GenericExecutor):
    """Calls ``run_fn`` with the number of events of each split."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Trains; see ``models.trainer.run_fn``."""
        super().Do(input_dict, output_dict, with_ingested_events(input_dict, exec_properties))


def with_ingested_events(input_dict: Artifacts, exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns a Trainer's parameters with the number of ingested events by split.

    ``run_fn`` gets paths and parameters only, and the numbers are properties of the Examples.
    """
    examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
    events = {
        split: examples.get_int_custom_property(events_property(split))
        for split in artifact_utils.decode_split_names(examples.split_names)
    }
    key = standard_component_specs.CUSTOM_CONFIG_KEY
    custom_config = json_utils.loads(exec_properties[key]) | {INGESTED_EVENTS: events}
    return {**exec_properties, key: json_utils.dumps(custom_config)}
