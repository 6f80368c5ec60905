"""Rules for the values of events: missing values, units, domains and b-tags, with exact counts."""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from formats.features import DISCRETE_VALUES, FEATURES, LABEL, PHI_SCALE, UNITS
from formats.invalid_values import SNAP_LIMIT
from formats.published.scale import SCALED, describe_means, small_means
from pipeline.intake.value_faults import (
    COARSE_LIMIT,
    Describe,
    Features,
    Flags,
    ValueFaults,
    ValueOptions,
    domains,
)

_SENTINELS = (-999.0, -9999.0, -99.0)
_MISSING = "missing or infinite values"
_SNAPPED = "b-tags snapped to the nearest code"
_CODES = {name: np.asarray(codes, np.float32) for name, codes in DISCRETE_VALUES.items()}
_MOMENTA = tuple(i for i, name in enumerate(FEATURES) if name.endswith(("_pt", "_magnitude")))
_PHI = tuple(i for i, name in enumerate(FEATURES) if name.endswith("_phi"))
_TURN = 2 * np.pi * PHI_SCALE
_SCALED = tuple(FEATURES.index(name) for name in SCALED)
_LARGE_MOMENTUM, _HUGE_MOMENTUM = 10.0, 5_000.0  # Typical: 1 in published units, 50 in GeV.
_TEV_MEAN = 0.004  # With --units gev, means of TeV are 0.001, and published ones 0.002 to 0.024.

OnFault = Callable[[str, Mapping[str, Flags], Features], None]
"""Takes a kind of fault, the rows that have it by column, and the features."""


class ValueRules:
    """Converts and checks the values of one input, and counts the faults.

    Attributes:
        faults: what the options do not accept.
        dropped: number of events dropped, by reason.
        changed: number of events with changed values, by reason.
    """

    def __init__(self, options: ValueOptions, on_fault: OnFault | None = None) -> None:
        """Takes the options, and what is called with each fault of a batch."""
        self._options, self._on_fault = options, on_fault
        self.faults = ValueFaults(options)
        self.dropped, self.changed = Counter[str](), Counter[str]()
        self._events = 0
        self._sums = np.zeros(len(_SCALED))

    def apply(self, features: Features, labels: Features, describe: Describe) -> Flags | None:
        """Converts the features of a batch in place, and checks them.

        Args:
            features: float32 [28, N].
            labels: float32 [N]; NaN is missing.
            describe: describes a value for messages.

        Returns:
            bool [N], the events to write; None for all.
        """
        low, high = features.min(axis=1, initial=np.inf), features.max(axis=1, initial=-np.inf)
        # NaN makes all comparisons false.
        is_complete = np.isfinite(low).all() and np.isfinite(high).all() and low.min() > -99
        missing = None
        is_complete &= (low[list(_SCALED)] != 0).all()
        if not (is_complete and np.isfinite(labels).all()):
            missing = self._find_missing(features, labels, describe)
        if self._options.units == "gev":
            self._to_published(features, describe)
            low, high = features.min(axis=1, initial=np.inf), features.max(axis=1, initial=-np.inf)
        self._check_b_tags(features, describe)
        self._check_domains(features, low, high, describe)
        self._events += features.shape[1] - (0 if missing is None else int(missing.sum()))
        self._sums += [features[i].sum(dtype=np.float32) for i in _SCALED]
        return None if missing is None else ~missing

    def scale_problem(self) -> str:
        """Explains why momenta or masses of all events so far are in another unit; may be empty."""
        means = dict(zip(SCALED, self._sums / max(1, self._events), strict=True))
        small = small_means(means, self._events)
        if not small:
            return ""
        remedy = "Write all momenta and masses in one unit."
        if all(FEATURES[i] in small for i in _MOMENTA):
            is_gev = self._options.units == "gev"
            remedy = "They look like TeV: multiply momenta and masses by 1000"
            remedy += "." if is_gev else ", and add --units gev."
            if is_gev and np.median([*small.values()]) > _TEV_MEAN:
                remedy = "They look like published values: leave out --units gev."
        return f"{describe_means(small)}. {remedy}"

    def _find_missing(self, features: Features, labels: Features, describe: Describe) -> Flags:
        is_missing = ~np.isfinite(features)
        for sentinel in _SENTINELS:
            is_missing |= features == np.float32(sentinel)
        for i in _SCALED:
            is_missing[i] |= features[i] == 0  # As programs fill in missing values.
        is_missing |= np.abs(features).max(axis=0) == 0  # An event without any value.
        columns = {name: is_missing[i] for i, name in enumerate(FEATURES)}
        faults = {LABEL: ~np.isfinite(labels), **columns}
        missing = self._count("missing", faults, features, describe)
        features[:, missing] = 0  # Not checked any further, and not written.
        if self._options.drop_missing and (count := int(missing.sum())):
            self.dropped[_MISSING] += count
        return missing

    def _count(
        self, kind: str, columns: Mapping[str, Flags], features: Features, describe: Describe
    ) -> Flags:
        if self._on_fault:
            self._on_fault(kind, columns, features)
        return self.faults.count(kind, columns, describe)

    def _to_published(self, features: Features, describe: Describe) -> None:
        invalid = {}
        for i, name in enumerate(FEATURES):
            if name in UNITS:
                features[i] = features[i].astype(np.float64) / UNITS[name]
                continue
            levels = features[i]
            is_level = np.isin(levels, (0, 1, 2))
            if not is_level.all():
                invalid[name] = ~is_level
                self._hint_codes(name, levels)
            features[i] = _CODES[name][np.where(is_level, levels, 0).astype(np.intp)]
        if invalid:
            self._count("b_tag", invalid, features, describe)

    def _hint_codes(self, name: str, values: Features) -> None:
        codes = _CODES[name]
        if (np.abs(values[:, None] - codes) < SNAP_LIMIT).any(axis=1).all():
            self.faults.hints.add("codes")

    def _hint_digits(self, distances: NDArray[np.float64]) -> None:
        """Notes how far invalid b-tags are from the nearest code."""
        is_near, is_far = distances <= SNAP_LIMIT, distances > COARSE_LIMIT
        found = {"near": is_near, "coarse": ~is_near & ~is_far, "far": is_far}
        self.faults.hints |= {hint for hint, rows in found.items() if rows.any()}

    def _check_b_tags(self, features: Features, describe: Describe) -> None:
        invalid, snapped = {}, np.zeros(features.shape[1], np.bool_)
        for name in DISCRETE_VALUES:
            column = features[FEATURES.index(name)]
            codes = _CODES[name]
            is_code = np.isin(column, codes)
            if is_code.all():
                continue
            others = np.flatnonzero(~is_code)
            distance = np.abs(column[others, None].astype(np.float64) - codes)
            is_near = distance.min(axis=1) <= SNAP_LIMIT
            if self._options.snap_b_tags:
                self._hint_digits(distance[~is_near].min(axis=1))
                near = others[is_near]
                column[near] = codes[distance[is_near].argmin(axis=1)]
                snapped[near] = True
                is_code[near] = True
            else:
                self._hint_digits(distance.min(axis=1))
            if np.isin(column[others], (0, 1, 2)).all():
                self.faults.hints.add("levels")
            if not is_code.all():
                invalid[name] = ~is_code
        if invalid:
            self._count("b_tag", invalid, features, describe)
        if snapped.any():
            self.changed[_SNAPPED] += int(snapped.sum())

    def _check_domains(
        self, features: Features, low: Features, high: Features, describe: Describe
    ) -> None:
        outside = {}
        for i, name in enumerate(FEATURES):
            minimum, maximum = domains()[name]
            if name not in DISCRETE_VALUES and not (low[i] >= minimum and high[i] <= maximum):
                is_outside = (features[i] < minimum) | (features[i] > maximum)
                if is_outside.any():
                    outside[name] = is_outside
        if outside:
            self._count("domain", outside, features, describe)
            scaled = features[[i for i in _SCALED if FEATURES[i] in outside]]
            if scaled.size and (median := np.median(scaled)) > _LARGE_MOMENTUM:
                self.faults.hints.add("gev" if median < _HUGE_MOMENTUM else "mev")
            phi = features[[i for i in _PHI if FEATURES[i] in outside]]
            if phi.size and (1.5 < phi.max() / _TURN < 58):  # 360 / 2 pi
                self.faults.hints.add("degrees")
            elif phi.size and phi.min() >= 0 and phi.max() < 1.01 * _TURN:
                self.faults.hints.add("turn")
