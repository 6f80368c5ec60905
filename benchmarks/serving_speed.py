"""Serving speed: the exported model against its peers, measured alternately.

The models have the shape of the default preset, as sized for 30,000 and for a million events, and
random weights. The peers: the earlier export, whose LightGBM trees were looked up node by node
(with today's derived columns, which are faster than those it had); LightGBM's own ``predict`` on
these trees with the columns already computed; and ONNX Runtime with ``model.onnx``.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnxruntime
import tensorflow as tf
import tf_keras
from rich.console import Console
from rich.table import Table

from benchmarks import command_line
from benchmarks.generated_events import scratch_folder, to_table, training_events
from benchmarks.measurement import Measure, Measurement, Sense, rate, take_turns
from benchmarks.node_forest import NodeForest
from benchmarks.trainings import random_model
from formats.features import NUM_FEATURES
from formats.names import FEATURES_SIGNATURE, SIGNAL_PROBABILITY
from formats.training_record import BlendRecord
from models.event_table import Array, EventTable
from models.physics.input_columns import column_layer, compute_columns
from models.serving.assembly import BlendLayer
from models.serving.onnx_model import to_onnx
from models.serving.saved_model import export

BATCHES = (1_024, 16_384, 65_536)
BATCH = 16_384
"""The batch of the goals."""

LARGE_MODEL_EVENTS, SMALL_MODEL_EVENTS = 1_000_000, 30_000

GROWING_EVENTS = 20_000
"""Events on which LightGBM's forest is grown; enough for its number of leaves."""

TREES = {SMALL_MODEL_EVENTS: (450, 24), LARGE_MODEL_EVENTS: (600, 63)}
"""Trees and leaves per tree of LightGBM's forest, by number of training events."""

AGAINST_EARLIER = Measure("serving", "events/s", 5, Sense.AT_LEAST)
AGAINST_LIGHTGBM = Measure("serving_lightgbm", "events/s", 1, Sense.AT_LEAST)
LARGE_MODEL = Measure("serving_million", "events/s", 4, Sense.AT_LEAST)
LARGE_BATCH = Measure("serving_large_batch", "events/s", 0.9, Sense.AT_LEAST)
ONNX_RATE = Measure("serving_onnx", "events/s", 1.5, Sense.AT_LEAST)
ONNX_MEDIAN = Measure("serving_onnx_one_event_p50", "ms", 0.3, Sense.AT_MOST)
MEDIAN = Measure("serving_one_event_p50", "ms", 0.8, Sense.AT_MOST)
TAIL = Measure("serving_one_event_p99", "ms", 2, Sense.AT_MOST)

OURS, EARLIER, LIGHTGBM, ONNX = "SavedModel", "earlier SavedModel", "LightGBM", "ONNX Runtime"

Rates = dict[tuple[str, int], tuple[float, ...]]
"""Events per second of each run, by peer and batch."""

Latencies = dict[str, tuple[tuple[float, ...], ...]]
"""p50 and p99 of each run in ms, by peer."""

Score = Callable[[int], object]
"""Scores the first events of the sample, as many as the argument says."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures rates in batches and the latency of one event, for both sizes of the model."""
    events = to_table(training_events(max(BATCHES)))
    calls = 500 if quick else 3_000
    with scratch_folder() as folder:
        small = peers(SMALL_MODEL_EVENTS, events, folder / "small")
        rates = measure_rates(small)
        yield _against(AGAINST_EARLIER, rates, EARLIER)
        yield _against(AGAINST_LIGHTGBM, rates, LIGHTGBM)
        large_batches = rates[OURS, max(BATCHES)], rates[OURS, BATCH]
        yield Measurement(
            LARGE_BATCH, *large_batches, f"batches of {max(BATCHES):,}; peer: of {BATCH:,}"
        )
        yield Measurement(
            ONNX_RATE, rates[ONNX, BATCH], rates[OURS, BATCH], f"batches of {BATCH:,}; peer: {OURS}"
        )
        latencies = measure_latencies(small, calls)
        medians, tails = latencies[OURS]
        yield Measurement(MEDIAN, medians, sizes=f"{calls:,} calls")
        yield Measurement(TAIL, tails, sizes=f"{calls:,} calls")
        yield Measurement(ONNX_MEDIAN, latencies[ONNX][0], sizes=f"{calls:,} calls")
        show("sized for 30,000 events", rates, latencies)
        large = peers(LARGE_MODEL_EVENTS, events, folder / "large")
        rates = measure_rates(large)
        yield _against(LARGE_MODEL, rates, EARLIER)
        show("sized for 1,000,000 events", rates, measure_latencies(large, calls))


def _against(measure: Measure, rates: Rates, peer: str) -> Measurement:
    runs = rates[OURS, BATCH], rates[peer, BATCH]
    return Measurement(measure, *runs, sizes=f"batches of {BATCH:,} events; peer: {peer}")


def peers(training_size: int, events: EventTable, folder: Path) -> dict[str, Score]:
    """Builds the model as sized for a number of training events, and its peers."""
    columns = compute_columns(events, derived=True)
    model = random_model(training_size, columns)
    booster = grow_lightgbm(columns, *TREES[training_size])
    earlier = earlier_model(model.get_layer("network"), booster)
    return {
        OURS: _exported(model, events.features, folder / "ours"),
        EARLIER: _exported(earlier, events.features, folder / "earlier"),
        LIGHTGBM: lambda count: booster.predict(columns.features[:count]),
        ONNX: _in_onnx_runtime(model, events.features),
    }


def grow_lightgbm(columns: EventTable, trees: int, leaves: int) -> lgb.Booster:
    """Grows LightGBM's trees with the settings that the Trainer had before CatBoost."""
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "max_depth": 12,
        "learning_rate": 0.04,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 127,
        "boost_from_average": False,
        "num_threads": os.cpu_count(),
        "verbose": -1,
    }
    sample = slice(GROWING_EVENTS)
    data = lgb.Dataset(columns.features[sample], columns.labels[sample, 0])
    return lgb.train(settings, data, trees)


def earlier_model(logits: tf_keras.Model, booster: lgb.Booster) -> tf_keras.Model:
    """Assembles the model with LightGBM's trees, as exports had them."""
    features = tf_keras.Input([NUM_FEATURES], name="features")
    columns = column_layer(derived=True)(features)
    forest = NodeForest(booster.dump_model()["tree_info"], name="leaves")(columns)
    blend = BlendLayer(BlendRecord(network=0.5, leaves=0.5, bias=0))([logits(columns), forest])
    return tf_keras.Model(features, tf_keras.layers.Activation("sigmoid")(blend))


def _exported(model: tf_keras.Model, features: Array, folder: Path) -> Score:
    export(model, str(folder))
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[FEATURES_SIGNATURE]

    def score(count: int) -> object:
        # The signature does not keep the variables alive.
        assert loaded
        return signature(features=tf.constant(features[:count]))[SIGNAL_PROBABILITY].numpy()

    return score


def _in_onnx_runtime(model: tf_keras.Model, features: Array) -> Score:
    session = onnxruntime.InferenceSession(
        to_onnx(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda count: session.run([SIGNAL_PROBABILITY], {"features": features[:count]})


def measure_rates(scores: Mapping[str, Score]) -> Rates:
    """Measures the rates in batches."""
    rates: Rates = {}
    for batch in BATCHES:
        for score in scores.values():
            score(batch)

        def side(score: Score, batch: int = batch) -> Callable[[], float]:
            return lambda: rate(batch, lambda: score(batch))

        runs = take_turns(*map(side, scores.values()), runs=5)
        rates |= {(name, batch): values for name, values in zip(scores, runs, strict=True)}
    return rates


def measure_latencies(scores: Mapping[str, Score], calls: int) -> Latencies:
    """Measures calls with one event, three times per peer."""

    def quantiles(score: Score) -> tuple[float, float]:
        durations = np.empty(calls)
        for call in range(calls):
            start = time.perf_counter()
            score(1)
            durations[call] = time.perf_counter() - start
        p50, p99 = np.quantile(1000 * durations, [0.5, 0.99])
        return float(p50), float(p99)

    runs = take_turns(*(lambda score=score: quantiles(score) for score in scores.values()))
    return {
        name: tuple(zip(*values, strict=True)) for name, values in zip(scores, runs, strict=True)
    }


def show(title: str, rates: Rates, latencies: Latencies) -> None:
    """Prints a table of all peers: events/s by batch, and p50 and p99 of one event."""
    table = Table(title=f"events/s, {title}")
    for heading in ("", *(f"{batch:,}" for batch in BATCHES), "1: p50, ms", "1: p99, ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, quantiles in latencies.items():
        table.add_row(
            name,
            *(f"{np.median(rates[name, batch]):,.0f}" for batch in BATCHES),
            *(f"{np.median(runs):.2f}" for runs in quantiles),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    command_line.main(measure)
