"""Executor of CountingEvaluator: TFX's evaluation between comparisons of event counts."""

import functools
from typing import Any
from unittest.mock import patch

from tfx.components.evaluator import executor
from tfx.components.util import tfxio_utils
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils
from tfx_bsl.tfxio.parquet_tfxio import ParquetTFXIO

from formats import names
from formats.artifact_types import Artifacts
from formats.evaluation_record import join_evaluation, read_metrics
from formats.examples import ReadExamples, check_result, check_split


class Executor(executor.Executor):
    """Evaluates a model, and fails if events were lost."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluates the model on one split, by default ``eval``; an absent baseline counts as none.

        Raises:
            EventCountError: files were deleted or added since ingestion, or the Beam runner lost or
                duplicated events.
        """
        examples = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        splits = exec_properties.get(standard_component_specs.EXAMPLE_SPLITS_KEY)
        (split,) = json_utils.loads(splits or "null") or [names.EVAL_SPLIT]
        check_split(examples, split)
        selected = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY, ())
        baselines = [
            model for model in selected if not model.get_int_custom_property(names.ABSENT_PROPERTY)
        ]
        inputs = {**input_dict, standard_component_specs.BASELINE_MODEL_KEY: baselines}
        # TFX has no hook for the reader; its executor looks this function up in the module.
        with patch.object(tfxio_utils, "get_tfxio_factory_from_artifact", _make_factory):
            super().Do(inputs, output_dict, exec_properties)
        for baseline in selected:
            (blessing,) = output_dict[names.BLESSING.key]
            for name in (names.BASELINE_VERSION_PROPERTY, names.NEWEST_VERSION_PROPERTY):
                blessing.set_string_custom_property(name, baseline.get_string_custom_property(name))
        evaluation = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.EVALUATION_KEY]
        )
        check_result(names.EVALUATOR, count_events(evaluation), examples, split)


class _RowGroups(ParquetTFXIO):
    """Parquet Examples for TFX, read by ``ReadExamples``."""

    def BeamSource(self, batch_size: int | None = None) -> ReadExamples:  # noqa: N802 (TFX's name)
        assert batch_size is None, "a batch is a row group"
        (pattern,) = self._file_pattern
        return ReadExamples(pattern)


def _make_factory(*, schema: Any, **_: Any) -> Any:
    return functools.partial(_RowGroups, schema=schema)


def count_events(evaluation: str) -> int | None:
    """Reads the number of events that an evaluation's overall slice was measured on."""
    return join_evaluation(read_metrics(evaluation), {}).candidate.overall.events
