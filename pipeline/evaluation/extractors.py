"""What the Evaluator's ``module_path`` names: how events reach TFMA's metrics."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import unbatch_extractor

from pipeline.evaluation.slices import slice_columns


def custom_extractors(
    eval_shared_model: Any,
    eval_config: tfma.EvalConfig,
    tensor_adapter_config: Any,
) -> Sequence[tfma.extractors.Extractor]:
    """TFMA's own extractors, with two changes.

    The predictions come from the named signature on the features (TFMA's default
    also asks for raw records, which Parquet has not), and before the batches are
    taken apart, event by event, all columns but those sliced by are dropped.
    """
    extractors = list(
        tfma.default_extractors(
            eval_shared_model=eval_shared_model,
            eval_config=eval_config,
            tensor_adapter_config=tensor_adapter_config,
            custom_predict_extractor=tfma.extractors.PredictionsExtractor(
                eval_config=eval_config, eval_shared_model=eval_shared_model
            ),
        )
    )
    stages = [extractor.stage_name for extractor in extractors]
    extractors.insert(
        stages.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME),
        tfma.extractors.Extractor(
            stage_name="KeepSliceColumns", ptransform=beam.Map(_keep_slice_columns)
        ),
    )
    return extractors


def _keep_slice_columns(extracts: dict[str, Any]) -> dict[str, Any]:
    return {
        **extracts,
        tfma.FEATURES_KEY: slice_columns(extracts[tfma.FEATURES_KEY]),
    }
