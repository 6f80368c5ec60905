"""Extractors for the Evaluator's ``module_path``: how events reach TFMA's metrics."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import unbatch_extractor

from components.evaluator.slices import slice_columns

METRIC_INPUTS = (tfma.LABELS_KEY, tfma.PREDICTIONS_KEY, tfma.EXAMPLE_WEIGHTS_KEY)


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any
) -> Sequence[tfma.extractors.Extractor]:
    """Returns TFMA's extractors up to the predictions, then one extract per batch and slice.

    The predictions come from the named signature on the features; TFMA's default also requires
    raw records, which Parquet does not have. TFMA would then unbatch into one dictionary per
    event and send it to each of its slices. Here, the events of a batch in one slice stay
    arrays, which our metrics process as a whole.
    """
    stock = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
        custom_predict_extractor=tfma.extractors.PredictionsExtractor(
            eval_config=eval_config, eval_shared_model=eval_shared_model
        ),
    )
    stages = [extractor.stage_name for extractor in stock]
    batched = stock[: stages.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME)]
    slicings = [list(spec.feature_keys) for spec in eval_config.slicing_specs]
    return [
        *batched,
        # Replaces the stage that precedes the metrics, and therefore has its name.
        tfma.extractors.Extractor(
            stage_name=tfma.extractors.SLICE_KEY_EXTRACTOR_STAGE_NAME,
            ptransform=beam.FlatMap(slice_batch, slicings=slicings),
        ),
    ]


def slice_batch(extracts: dict[str, Any], slicings: list[list[str]]) -> Iterator[dict[str, Any]]:
    """Yields one extract per slice that occurs in the batch.

    Args:
        extracts: a batch of N events: features, labels and predictions, arrays of N rows.
        slicings: the columns of each slicing; empty for the overall slice.

    Yields:
        The labels, predictions and weights of a slice's events, with its key.
    """
    columns = slice_columns(extracts[tfma.FEATURES_KEY])
    frame = pd.DataFrame({name: column[:, 0] for name, column in columns.items()})
    inputs = {key: extracts[key] for key in METRIC_INPUTS if extracts.get(key) is not None}
    for slicing in slicings:
        if not slicing:
            yield {**inputs, tfma.SLICE_KEY_TYPES_KEY: slice_keys(())}
            continue
        for values, rows in frame.groupby(slicing, sort=False).indices.items():
            values = values if isinstance(values, tuple) else (values,)
            key = tuple(zip(slicing, (_plain(value) for value in values), strict=True))
            yield {**_take(inputs, rows), tfma.SLICE_KEY_TYPES_KEY: slice_keys(key)}


def _take(values: Any, rows: np.ndarray) -> Any:
    if isinstance(values, dict):
        return {key: _take(value, rows) for key, value in values.items()}
    return np.asarray(values)[rows]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def slice_keys(key: tuple[tuple[str, Any], ...]) -> np.ndarray:
    """Returns the key of a slice as an array of one, as TFMA expects it in extracts."""
    # An array of one tuple: NumPy would convert a list of tuples to more dimensions.
    keys = np.empty(1, dtype=object)
    keys[0] = key
    return keys
