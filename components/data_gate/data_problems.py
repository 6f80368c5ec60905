"""Problems of the data, as messages that tell the user what to do.

Functions over the protos of StatisticsGen, ExampleValidator and the reviewed schema. Events are
read again only to count and locate values that are not valid.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.data_gate.event_locations import Location
from components.data_gate.value_search import Condition, Matches
from formats.features import DISCRETE_VALUES, FEATURES, LABEL
from formats.invalid_values import SNAP_LIMIT, InvalidColumns
from formats.published.scale import SCALED, describe_means, small_means

MIN_CONSTANT = 50
"""Number of equal values that cannot be chance: two thirds of the events have no fourth b-tag, and
0.65 ** 50 is below 1e-9."""

MIN_GEV_MEAN = 10.0
"""Least mean of momenta and masses that are in GeV: the published ones are 1."""

Columns = Mapping[str, statistics_pb2.FeatureNameStatistics]
"""Statistics by column."""

Search = Callable[[str, Condition], Matches]
"""Counts the values of a column that meet a condition, and locates the first."""


def find_problems(
    split: str,
    ingested: int,
    invalid_columns: InvalidColumns,
    statistics: statistics_pb2.DatasetFeatureStatistics,
    anomalies: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
    search: Search,
) -> list[str]:
    """Lists every reason not to train on a split; empty if it is sound.

    Args:
        split: the split's name, which starts each reason.
        ingested: number of events that ingestion counted.
        invalid_columns: invalid values of discrete columns that ingestion counted.
        statistics: the split's statistics.
        anomalies: ExampleValidator's findings.
        schema: the reviewed schema, which holds the expectations.
        search: called for columns with values that are not valid.
    """
    observed = {feature.path.step[0]: feature for feature in statistics.features}
    expected = {feature.name: feature for feature in schema.feature}
    unit_problems = [*_gev_problems(observed)]
    # In another unit, values of every feature are outside the domains.
    explained = FEATURES if unit_problems else ()
    return [
        f"{split}: {problem}"
        for problem in (
            *_count_problems(ingested, statistics.num_examples),
            *_dataset_problems(anomalies),
            *unit_problems,
            *(
                f"{name}: {_explain(name, info, observed.get(name), expected.get(name), search)}"
                for name, info in sorted(anomalies.anomaly_info.items())
                if name not in explained
            ),
            *_value_problems(invalid_columns, search),
            *_class_problems(observed),
            *_constant_problems(observed),
            *_scale_problems(observed, search),
        )
    ]


def _count_problems(ingested: int, measured: int) -> Iterator[str]:
    if ingested != measured:
        yield (
            f"ingestion wrote {ingested} events, the statistics counted {measured}: "
            f"{abs(ingested - measured)} were lost or duplicated between them; "
            "run again with another Beam runner (beam.args)"
        )


def _dataset_problems(anomalies: anomalies_pb2.Anomalies) -> Iterator[str]:
    if anomalies.HasField("dataset_anomaly_info"):
        yield anomalies.dataset_anomaly_info.description


def _value_problems(invalid_columns: InvalidColumns, search: Search) -> Iterator[str]:
    for name, invalid in invalid_columns.items():
        first = search(name, partial(_are_invalid, name)).first
        distance = min(abs(invalid.such_as - np.float32(value)) for value in DISCRETE_VALUES[name])
        remedy = "correct these events or leave them out"
        if distance <= SNAP_LIMIT:
            remedy = "restore lost digits with `higgs convert FOLDER --snap-b-tags --out NEW`"
        elif invalid.such_as in (1, 2):
            remedy = (
                "write codes instead of levels 0, 1, 2, or, if the momenta are in GeV, convert all "
                "columns with `higgs convert FOLDER --units gev --out NEW`"
            )
        yield (
            f"{name}: {_events_have(invalid.events)} an invalid value, such as "
            f"{invalid.such_as:.9g}{_place(first)}; expected one of {_allowed_values(name)}; "
            f"{remedy}"
        )


def _are_invalid(name: str, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    return ~np.isin(values, np.array(DISCRETE_VALUES[name], np.float32))


def _class_problems(observed: Columns) -> Iterator[str]:
    if LABEL not in observed:
        return
    numbers = observed[LABEL].num_stats
    if numbers.min == numbers.max:
        yield (
            f"{LABEL}: all {numbers.common_stats.num_non_missing} events have {numbers.min:g}; "
            "expected both 0 (background) and 1 (signal): add events of the other class"
        )


def _constant_problems(observed: Columns) -> Iterator[str]:
    for name in FEATURES:
        if name not in observed:
            continue
        numbers = observed[name].num_stats
        events = numbers.common_stats.num_non_missing
        if events >= MIN_CONSTANT and numbers.min == numbers.max:
            yield (
                f"{name}: all {events} events have {numbers.min:g}; a constant column is an error "
                "of the export: write the measured values"
            )


def _scale_problems(observed: Columns, search: Search) -> Iterator[str]:
    numbers = {name: observed[name].num_stats for name in SCALED if name in observed}
    # Constant columns are another problem.
    numbers = {name: column for name, column in numbers.items() if column.max > column.min}
    for name, column in numbers.items():
        if column.num_zeros:
            first = search(name, lambda values: values == 0).first
            yield (
                f"{name}: {_events_have(column.num_zeros)} 0, which is not a valid momentum or "
                f"mass: it means a missing value{_place(first)}; leave these events out"
            )
    events = max((column.common_stats.num_non_missing for column in numbers.values()), default=0)
    means = {name: column.mean for name, column in numbers.items()}
    if small := small_means(means, events):
        yield (
            f"{describe_means(small)}: the values are in another unit, such as TeV; convert the "
            "original events, in GeV, with `higgs convert FOLDER --units gev --out NEW`"
        )


def _gev_problems(observed: Columns) -> Iterator[str]:
    smallest = min(
        (observed[name].num_stats.mean for name in SCALED if name in observed), default=0
    )
    if smallest > MIN_GEV_MEAN:
        yield (
            f"the momenta and masses have means of {smallest:.3g} and more, 1 is expected: they "
            "look like GeV, and phi like radians; convert the shards with `higgs convert FOLDER "
            "--units gev --out NEW`"
        )


def _explain(
    name: str,
    info: anomalies_pb2.AnomalyInfo,
    observed: statistics_pb2.FeatureNameStatistics | None,
    expected: schema_pb2.Feature | None,
    search: Search,
) -> str:
    sentences = [f"{info.description.rstrip('.')}."]
    remedy = ""
    if observed is not None:
        outside = _find_outside(expected, search)
        sentences.append(f"Seen: {_observation(name, observed, outside, search)}.")
        if _count_nan(observed):
            remedy = "`higgs convert FOLDER --missing drop --out NEW` leaves them out."
        elif outside.count:
            remedy = "Correct these events, or leave them out."
    if expected is not None:
        sentences.append(f"Expected: {_expectation(expected)}.")
    return " ".join(filter(None, [*sentences, remedy]))


def _count_nan(feature: statistics_pb2.FeatureNameStatistics) -> int:
    return next((int(h.num_nan) for h in feature.num_stats.histograms), 0)


def _find_outside(expected: schema_pb2.Feature | None, search: Search) -> Matches:
    if expected is None or not expected.HasField("float_domain"):
        return Matches(0, None)
    domain = expected.float_domain
    return search(expected.name, lambda values: (values < domain.min) | (values > domain.max))


def _observation(
    name: str,
    feature: statistics_pb2.FeatureNameStatistics,
    outside: Matches,
    search: Search,
) -> str:
    numbers = feature.num_stats
    missing = numbers.common_stats.num_missing
    facts = [f"{numbers.common_stats.num_non_missing + missing} events"]
    if missing:
        facts.append(f"missing in {missing}")
    facts.append(f"{numbers.min:g} to {numbers.max:g}")
    if nan := _count_nan(feature):
        facts.append(f"NaN in {nan}{_place(search(name, np.isnan).first)}")
    if outside.count:
        facts.append(f"{outside.count} outside the domain{_place(outside.first)}")
    return ", ".join(facts)


def _place(first: Location | None) -> str:
    if first is None:
        return ""
    return f" (the first in {first}{', counted from 0' if first.record is not None else ''})"


def _expectation(feature: schema_pb2.Feature) -> str:
    domain = feature.float_domain
    if feature.name in DISCRETE_VALUES:
        return f"one value per event, one of {_allowed_values(feature.name)}"
    return f"one finite float per event, {domain.min:g} to {domain.max:g}"


def _allowed_values(name: str) -> str:
    return ", ".join(f"{np.float32(value):.9g}" for value in DISCRETE_VALUES[name])


def _events_have(count: int) -> str:
    return "1 event has" if count == 1 else f"{count} events have"
