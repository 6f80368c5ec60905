"""Models of the quality benchmark: our presets, and tuned boosting on both sets of columns."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks import trainings
from benchmarks.quality_samples import Sample
from benchmarks.tuned_boosting import LIBRARIES, Library, tune
from formats.hyperparameters import resolve
from models.event_table import Array, EventTable, apply_in_chunks
from models.physics.input_columns import compute_columns
from models.training.event_survey import Splits

OURS, NOTEBOOK = "default", "kaggle"
"""Models that are our presets of the same name."""

Train = Callable[[int], tuple[Array, float]]
"""From a seed to scores of the test events, [N], and the training time in seconds."""

Models = Mapping[str, Callable[[Sample], Train]]
"""Functions by model name that prepare the events, tune the settings and return the training."""


def _preset(name: str, sample: Sample) -> Train:
    def train(seed: int) -> tuple[Array, float]:
        start = time.perf_counter()
        fitted = trainings.train(
            Splits.of_tables(sample.train, sample.validation), resolve(name), seed
        )
        seconds = time.perf_counter() - start
        return apply_in_chunks(fitted.model, sample.test.features)[:, 0], seconds

    return train


def _boosting(library: Library, derived: bool, sample: Sample) -> Train:
    training, validation, test = (
        compute_columns(events, derived=derived)
        for events in (sample.train, sample.validation, sample.test)
    )
    settings, trees = tune(library, training, validation)
    all_events = EventTable(
        np.concatenate([training.features, validation.features]),
        np.concatenate([training.labels, validation.labels]),
    )

    def train(seed: int) -> tuple[Array, float]:
        start = time.perf_counter()
        predict = library.train(settings, trees, all_events, seed)
        seconds = time.perf_counter() - start
        return predict(test.features), seconds

    return train


MODELS: Models = {
    OURS: partial(_preset, OURS),
    **{
        f"{name}, {columns} columns": partial(_boosting, library, derived)
        for name, library in LIBRARIES.items()
        for derived, columns in ((False, "raw"), (True, "derived"))
    },
    NOTEBOOK: partial(_preset, NOTEBOOK),
}
PEERS = MODELS.keys() - {OURS, NOTEBOOK}
