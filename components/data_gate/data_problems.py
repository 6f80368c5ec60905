"""What is wrong with the data, in words a person can act on.

Pure functions over the protos that StatisticsGen, the reviewed schema and
ExampleValidator leave behind; nothing here reads the events again.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from formats.features import DISCRETE_VALUES, LABEL
from formats.invalid_values import UnknownCodes


def find_problems(
    split: str,
    ingested: int,
    unknown_codes: UnknownCodes,
    statistics: statistics_pb2.DatasetFeatureStatistics,
    anomalies: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
) -> list[str]:
    """Every reason not to learn from a split; none when it is sound.

    Args:
      split: the split's name, which starts each reason.
      ingested: events that ExampleGen counted.
      unknown_codes: b-tags that ExampleGen knows no meaning of.
      statistics: the split's statistics.
      anomalies: what ExampleValidator found in them.
      schema: the reviewed schema, which says what was expected.
    """
    observed = {feature.path.step[0]: feature for feature in statistics.features}
    expected = {feature.name: feature for feature in schema.feature}
    return [
        f"{split}: {problem}"
        for problem in (
            *_count_problems(ingested, statistics.num_examples),
            *_dataset_problems(anomalies),
            *(
                f"{name}: {_explain(info, observed.get(name), expected.get(name))}"
                for name, info in sorted(anomalies.anomaly_info.items())
            ),
            *_code_problems(unknown_codes),
            *_class_problems(observed),
        )
    ]


def _count_problems(ingested: int, measured: int) -> Iterator[str]:
    if ingested != measured:
        yield (
            f"ExampleGen wrote {ingested} events, the statistics saw {measured}: "
            f"{abs(ingested - measured)} were lost or doubled between them; "
            "run again with another Beam runner (beam.args)"
        )


def _dataset_problems(anomalies: anomalies_pb2.Anomalies) -> Iterator[str]:
    if anomalies.HasField("dataset_anomaly_info"):
        yield anomalies.dataset_anomaly_info.description


def _code_problems(unknown: UnknownCodes) -> Iterator[str]:
    for name, found in unknown.items():
        codes = ", ".join(f"{code:g}" for code in DISCRETE_VALUES[name])
        yield (
            f"{name}: {found.events} events hold a value that is no b-tag code, "
            f"such as {found.such_as:g}; expected one of {codes}"
        )


def _class_problems(
    observed: Mapping[str, statistics_pb2.FeatureNameStatistics],
) -> Iterator[str]:
    if LABEL not in observed:
        return
    numbers = observed[LABEL].num_stats
    if numbers.min == numbers.max:
        yield (
            f"{LABEL}: all {numbers.common_stats.num_non_missing} events hold {numbers.min:g}; "
            "expected both of 0 (background) and 1 (signal)"
        )


def _explain(
    info: anomalies_pb2.AnomalyInfo,
    observed: statistics_pb2.FeatureNameStatistics | None,
    expected: schema_pb2.Feature | None,
) -> str:
    sentences = [f"{info.description.rstrip('.')}."]
    if observed is not None:
        sentences.append(f"Seen: {_observation(observed, expected)}.")
    if expected is not None:
        sentences.append(f"Expected: {_expectation(expected)}.")
    return " ".join(sentences)


def _observation(
    feature: statistics_pb2.FeatureNameStatistics, expected: schema_pb2.Feature | None
) -> str:
    numbers = feature.num_stats
    missing = numbers.common_stats.num_missing
    facts = [f"{numbers.common_stats.num_non_missing + missing} events"]
    if missing:
        facts.append(f"missing in {missing}")
    facts.append(f"{numbers.min:g} to {numbers.max:g}")
    if numbers.histograms and numbers.histograms[0].num_nan:
        facts.append(f"NaN in {numbers.histograms[0].num_nan}")
    outside = _count_outside(numbers, expected)
    if outside:
        facts.append(f"about {outside} outside the domain")
    return ", ".join(facts)


def _count_outside(
    numbers: statistics_pb2.NumericStatistics, expected: schema_pb2.Feature | None
) -> int:
    """Events outside the domain, from the finest histogram (at least 1 if any is)."""
    if expected is None or not expected.HasField("float_domain"):
        return 0
    low, high = expected.float_domain.min, expected.float_domain.max
    if low <= numbers.min and numbers.max <= high:
        return 0
    buckets = max((histogram.buckets for histogram in numbers.histograms), key=len, default=())
    outside = sum(
        bucket.sample_count * _share_outside(bucket.low_value, bucket.high_value, low, high)
        for bucket in buckets
    )
    return max(1, round(outside))


def _share_outside(left: float, right: float, low: float, high: float) -> float:
    if right <= left:
        return float(not low <= left <= high)
    if not np.isfinite(right - left):
        return float(not (low <= left and right <= high))
    inside = max(0.0, min(right, high) - max(left, low))
    return 1.0 - inside / (right - left)


def _expectation(feature: schema_pb2.Feature) -> str:
    domain = feature.float_domain
    if feature.name in DISCRETE_VALUES:
        values = ", ".join(f"{code:g}" for code in DISCRETE_VALUES[feature.name])
        return f"one value an event, one of {values}"
    return f"one finite float an event, {domain.min:g} to {domain.max:g}"
