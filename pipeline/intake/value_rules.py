"""Rules for the values of events: missing values, units, domains and b-tags, with exact counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from formats.features import DISCRETE_VALUES, FEATURES, LABEL, UNITS
from formats.names import SCHEMA_FILE
from pipeline.intake.intake_error import enumerate_names, quote

SNAP_LIMIT = 1e-4
"""Largest distance of a b-tag from the code that `snap_b_tags` takes it for."""

_SENTINELS = (-999.0, -9999.0, -99.0)
_SCHEMA = Path(__file__).parents[1] / "schema" / SCHEMA_FILE
_MISSING = "missing or infinite values"
_MOMENTA = tuple(i for i, name in enumerate(FEATURES) if name.endswith(("_pt", "_magnitude")))
_LARGE_MOMENTUM = 10.0


@dataclass(frozen=True)
class ValueOptions:
    """How values are read.

    Attributes:
        units: ``published``, or ``gev``: GeV, radians and b-tag levels 0, 1, 2.
        drop_missing: drop events with missing values instead of refusing them.
        snap_b_tags: take b-tags within `SNAP_LIMIT` of a code for it.
    """

    units: str = "published"
    drop_missing: bool = False
    snap_b_tags: bool = False


@dataclass
class _Fault:
    """Events with one kind of fault: how many, in which columns, and the first."""

    events: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    first: str = ""

    def describe(self) -> str:
        columns = [f"{count:,} in {name}" for name, count in self.columns.items()]
        return f"{enumerate_names(columns, 4)}; the first in {self.first}"


@lru_cache(maxsize=1)
def domains() -> Mapping[str, tuple[float, float]]:
    """Returns the limits of each feature in published units, from the reviewed schema."""
    schema = text_format.Parse(_SCHEMA.read_text(encoding="utf-8"), schema_pb2.Schema())
    return {
        feature.name: (feature.float_domain.min, feature.float_domain.max)
        for feature in schema.feature
        if feature.name in FEATURES
    }


class ValueRules:
    """Converts and checks the values of one input; counts what it finds.

    Attributes:
        dropped: number of events dropped, by reason.
        changed: number of events with changed values, by reason.
    """

    def __init__(self, options: ValueOptions) -> None:
        """Takes the options."""
        self._options = options
        self._faults = {"missing": _Fault(), "domain": _Fault(), "b_tag": _Fault()}
        self._hints: set[str] = set()
        self.dropped: dict[str, int] = {}
        self.changed: dict[str, int] = {}

    def apply(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        describe: Callable[[int, int], str],
    ) -> NDArray[np.bool_] | None:
        """Converts the features of a batch in place, and checks them.

        Args:
            features: float32 [28, N].
            labels: float32 [N]; NaN is missing.
            describe: gives the place of a row and its value in a column, -1 for the label.

        Returns:
            bool [N], the events to write; None for all.
        """
        low, high = features.min(axis=1, initial=np.inf), features.max(axis=1, initial=-np.inf)
        # NaN makes all comparisons false.
        is_complete = np.isfinite(low).all() and np.isfinite(high).all() and low.min() > -99
        missing = None
        is_complete &= not (low[0] == 0 and (np.abs(features).max(axis=0) == 0).any())
        if not (is_complete and np.isfinite(labels).all()):
            missing = self._find_missing(features, labels, describe)
        if self._options.units == "gev":
            self._to_published(features, describe)
            low, high = features.min(axis=1, initial=np.inf), features.max(axis=1, initial=-np.inf)
        self._check_b_tags(features, describe)
        self._check_domains(features, low, high, describe)
        return None if missing is None else ~missing

    def refusals(self) -> list[str]:
        """Returns a sentence with the remedy for each kind of fault that was found."""
        missing, domain, b_tag = self._faults.values()
        sentences = []
        if missing.events and not self._options.drop_missing:
            sentences.append(
                f"{_events(missing.events)} with missing or infinite values: {missing.describe()}. "
                "Drop them with --missing drop, or complete them in the input; values are never "
                "imputed."
            )
        if domain.events:
            sentences.append(
                f"{_events(domain.events)} with values outside the domain: {domain.describe()}. "
                f"{self._domain_remedy()}"
            )
        if b_tag.events and not {"gev", "levels"} <= self._hints:
            sentences.append(
                f"{_events(b_tag.events)} with invalid b-tags: {b_tag.describe()}. "
                f"{self._b_tag_remedy()}"
            )
        return sentences

    def _find_missing(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        describe: Callable[[int, int], str],
    ) -> NDArray[np.bool_]:
        is_missing = ~np.isfinite(features)
        for sentinel in _SENTINELS:
            is_missing |= features == np.float32(sentinel)
        is_missing |= np.abs(features).max(axis=0) == 0  # An event without any value.
        columns = {name: is_missing[i] for i, name in enumerate(FEATURES)}
        missing = self._count("missing", {LABEL: ~np.isfinite(labels), **columns}, describe)
        features[:, missing] = 0  # Not checked any further, and not written.
        if self._options.drop_missing and (count := int(missing.sum())):
            self.dropped[_MISSING] = self.dropped.get(_MISSING, 0) + count
        return missing

    def _to_published(
        self,
        features: NDArray[np.float32],
        describe: Callable[[int, int], str],
    ) -> None:
        invalid = {}
        for i, name in enumerate(FEATURES):
            if name in UNITS:
                features[i] = features[i].astype(np.float64) / UNITS[name]
                continue
            levels = features[i]
            is_level = (levels == 0) | (levels == 1) | (levels == 2)
            if not is_level.all():
                invalid[name] = ~is_level
                self._hint_codes(name, levels)
            codes = _codes(name)
            features[i] = codes[np.where(is_level, levels, 0).astype(np.intp)]
        if invalid:
            self._count("b_tag", invalid, describe)

    def _hint_codes(self, name: str, values: NDArray[np.float32]) -> None:
        codes = _codes(name)
        if (np.abs(values[:, None] - codes) < SNAP_LIMIT).any(axis=1).all():
            self._hints.add("published codes")

    def _check_b_tags(
        self,
        features: NDArray[np.float32],
        describe: Callable[[int, int], str],
    ) -> None:
        invalid, snapped = {}, np.zeros(features.shape[1], np.bool_)
        for name in DISCRETE_VALUES:
            column = features[FEATURES.index(name)]
            codes = _codes(name)
            is_code = (column == codes[0]) | (column == codes[1]) | (column == codes[2])
            if is_code.all():
                continue
            others = np.flatnonzero(~is_code)
            distance = np.abs(column[others, None].astype(np.float64) - codes)
            is_near = distance.min(axis=1) <= SNAP_LIMIT
            if self._options.snap_b_tags:
                near = others[is_near]
                column[near] = codes[distance[is_near].argmin(axis=1)]
                snapped[near] = True
                is_code[near] = True
            else:
                self._hints.add("near" if is_near.any() else "far")
                if not is_near.all():
                    self._hints.add("far")
            if np.isin(column[others], (0, 1, 2)).all():
                self._hints.add("levels")
            if not is_code.all():
                invalid[name] = ~is_code
        if invalid:
            self._count("b_tag", invalid, describe)
        if snapped.any():
            self.changed["b-tags snapped to the nearest code"] = self.changed.get(
                "b-tags snapped to the nearest code", 0
            ) + int(snapped.sum())

    def _check_domains(
        self,
        features: NDArray[np.float32],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
        describe: Callable[[int, int], str],
    ) -> None:
        outside = {}
        for i, name in enumerate(FEATURES):
            minimum, maximum = domains()[name]
            if name not in DISCRETE_VALUES and not (low[i] >= minimum and high[i] <= maximum):
                is_outside = (features[i] < minimum) | (features[i] > maximum)
                if is_outside.any():
                    outside[name] = is_outside
        if outside:
            self._count("domain", outside, describe)
            momenta = features[list(_MOMENTA)]
            if np.median(momenta) > _LARGE_MOMENTUM:
                self._hints.add("gev")

    def _count(
        self,
        kind: str,
        columns: Mapping[str, NDArray[np.bool_]],
        describe: Callable[[int, int], str],
    ) -> NDArray[np.bool_]:
        """Counts the events with a fault in any of the columns; returns them, bool [N]."""
        fault = self._faults[kind]
        found = np.logical_or.reduce(list(columns.values()))
        fault.events += int(found.sum())
        for name, rows in columns.items():
            if rows.any():
                fault.columns[name] = fault.columns.get(name, 0) + int(rows.sum())
        if found.any() and not fault.first:
            row = int(found.argmax())
            name = next(name for name, rows in columns.items() if rows[row])
            index = -1 if name == LABEL else FEATURES.index(name)
            fault.first = f"{describe(row, index)} as {name}{self._expectation(kind, name)}"
        return found

    def _expectation(self, kind: str, name: str) -> str:
        is_gev = self._options.units == "gev"
        if kind == "domain":
            limits = [limit * (UNITS[name] if is_gev else 1) for limit in domains()[name]]
            return f", expected {limits[0]:.5g} to {limits[1]:.5g}"
        if kind == "b_tag":
            codes = (f"{np.float32(code):.9g}" for code in DISCRETE_VALUES[name])
            return f", expected {'0, 1, 2' if is_gev else ', '.join(codes)}"
        return ""

    def _domain_remedy(self) -> str:
        if "gev" in self._hints and self._options.units == "published":
            levels = " and b-tag levels" if "levels" in self._hints else ""
            return f"They look like GeV, radians{levels}: convert them with --units gev."
        if self._options.units == "gev":
            return "Values in GeV and radians are expected with --units gev; correct the input."
        return "Correct these events or leave them out of the input."

    def _b_tag_remedy(self) -> str:
        if self._options.units == "gev":
            if "published codes" in self._hints:
                return "They are the published codes: leave out --units gev."
            return "With --units gev, b-tags are the levels 0, 1 and 2."
        if "levels" in self._hints:
            return "They look like levels 0, 1, 2: convert the input with --units gev."
        if "near" in self._hints and "far" not in self._hints:
            return f"They lost digits: --snap-b-tags takes each for the code within {SNAP_LIMIT:g}."
        return "Correct these events or leave them out of the input."


def _codes(name: str) -> NDArray[np.float32]:
    """Returns the allowed values of a discrete column, float32 [3]."""
    return np.asarray(DISCRETE_VALUES[name], np.float32)


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def describe_value(place: str, value: object) -> str:
    """Describes a value with its place: ``line 5 with '?'``."""
    text = f"{value:.9g}" if isinstance(value, float) else value
    return f"{place} with {quote(text)}"
