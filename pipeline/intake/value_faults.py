"""Faults in the values of events: exact counts, the first place, and the remedy."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from components.report.number_format import plural
from formats.features import DISCRETE_VALUES, FEATURES, LABEL, UNITS
from formats.invalid_values import SNAP_LIMIT
from formats.names import SCHEMA_FILE
from pipeline.intake.intake_error import enumerate_names, quote

COARSE_LIMIT = 0.02
"""Largest distance of a b-tag that lost more digits: half precision, two decimals."""

_DROP = "Drop them with --missing drop, or complete them"

_SCHEMA = Path(__file__).parents[1] / "schema" / SCHEMA_FILE


Features = NDArray[np.float32]
"""Features by column, [28, N], or a column of them, [N]."""

Flags = NDArray[np.bool_]
"""Which rows have a property, [N]."""

Describe = Callable[[int, int], str]
"""Gives the place of a row and its value in a column, -1 for the label."""


@dataclass(frozen=True)
class ValueOptions:
    """How values are read.

    Attributes:
        units: ``published``, or ``gev``: GeV, radians and b-tag levels 0, 1, 2.
        drop_missing: drop events with missing values instead of refusing them.
        snap_b_tags: round b-tags within `SNAP_LIMIT` of a code to it.
    """

    units: str = "published"
    drop_missing: bool = False
    snap_b_tags: bool = False


@dataclass
class _Fault:
    """Events with one kind of fault: how many, in which columns, and the first."""

    events: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def describe(self, kind: str) -> str:
        columns = enumerate_names([f"{n:,} in {name}" for name, n in self.columns.items()], 4)
        return f"{plural(self.events, 'event')} with {kind}: {columns}; the first in {self.first}"


@lru_cache(maxsize=1)
def domains() -> Mapping[str, tuple[float, float]]:
    """Returns the limits of each feature in published units, from the reviewed schema."""
    schema = text_format.Parse(_SCHEMA.read_text(encoding="utf-8"), schema_pb2.Schema())
    return {
        feature.name: (feature.float_domain.min, feature.float_domain.max)
        for feature in schema.feature
        if feature.name in FEATURES
    }


def expected_values(kind: str, name: str, units: str) -> str:
    """Describes the values that a feature may have, in the units of the input.

    Args:
        kind: of the fault that was found, ``domain`` or ``b_tag``.
        name: the feature.
        units: as in `ValueOptions`.
    """
    if kind == "domain":
        limits = [limit * (UNITS[name] if units == "gev" else 1) for limit in domains()[name]]
        return f"expected {limits[0]:.5g} to {limits[1]:.5g}"
    codes = (f"{np.float32(code):.9g}" for code in DISCRETE_VALUES[name])
    return f"expected {'0, 1, 2' if units == 'gev' else ', '.join(codes)}"


def describe_value(place: str, value: object) -> str:
    """Describes a value with its place: ``line 5 with '?'``."""
    text = f"{value:.9g}" if isinstance(value, float) else value
    return f"{place} with {quote(text)}"


class ValueFaults:
    """The faults of one input, by kind: ``missing``, ``domain`` and ``b_tag``.

    Attributes:
        hints: signs of what the input may be instead: ``gev`` and ``mev`` (large momenta or
            masses), ``degrees`` and ``turn`` (phi beyond 2 pi, or from 0 to 2 pi),
            ``levels`` (b-tags), ``codes`` (published b-tags where levels are expected), ``near``,
            ``coarse`` and ``far`` (b-tags within `SNAP_LIMIT` of a code, within `COARSE_LIMIT`, and
            beyond).
    """

    def __init__(self, options: ValueOptions) -> None:
        """Takes the options by which the values are read."""
        self._options = options
        self._faults = {"missing": _Fault(), "domain": _Fault(), "b_tag": _Fault()}
        self.hints: set[str] = set()

    def count(self, kind: str, columns: Mapping[str, Flags], describe: Describe) -> Flags:
        """Counts the events of a batch with a fault in any of the columns.

        Args:
            kind: of the fault.
            columns: the rows with the fault by column.
            describe: describes a value.

        Returns:
            The events.
        """
        fault = self._faults[kind]
        found = np.logical_or.reduce(list(columns.values()))
        fault.events += int(found.sum())
        for name, rows in columns.items():
            if rows.any():
                fault.columns[name] += int(rows.sum())
        if found.any() and not fault.first:
            row = int(found.argmax())
            name = next(name for name, rows in columns.items() if rows[row])
            index = -1 if name == LABEL else FEATURES.index(name)
            fault.first = f"{describe(row, index)} as {name}"
            if kind != "missing":
                fault.first += f", {expected_values(kind, name, self._options.units)}"
        return found

    def refusals(self, missing_remedy: str = _DROP) -> list[str]:
        """Returns a sentence with the remedy for each kind of fault that the options refuse."""
        missing, domain, b_tag = self._faults.values()
        sentences = []
        if missing.events and not self._options.drop_missing:
            sentences.append(
                f"{missing.describe('missing or infinite values')}. {missing_remedy} in the "
                "input; values are never imputed. A momentum or mass of 0, and -999, mean a "
                "missing value."
            )
        if domain.events:
            found = domain.describe("values outside the domain")
            sentences.append(f"{found}. {self._domain_remedy()}")
        if b_tag.events and not ("levels" in self.hints and self.hints & {"gev", "mev"}):
            sentences.append(f"{b_tag.describe('invalid b-tags')}. {self._b_tag_remedy()}")
        return sentences

    def _domain_remedy(self) -> str:
        is_gev = self._options.units == "gev"
        if "mev" in self.hints or (is_gev and "gev" in self.hints):
            option = "" if is_gev else ", and add --units gev"
            return f"They look like MeV: divide momenta and masses by 1000{option}."
        if is_gev and "degrees" in self.hints:
            return "The angles look like degrees: convert them to radians."
        if is_gev and "turn" in self.hints:
            return "phi counts from 0 to 2 pi: subtract 2 pi from values above pi."
        if is_gev:
            return "Values in GeV and radians are expected with --units gev; correct the input."
        if "gev" in self.hints:
            units = "GeV, radians and b-tag levels" if "levels" in self.hints else "GeV and radians"
            return f"They look like {units}: convert them with --units gev."
        return "Correct these events or leave them out of the input."

    def _b_tag_remedy(self) -> str:
        if self._options.units == "gev":
            if "codes" in self.hints:
                return (
                    "They are the published codes: leave out --units gev, or, if the momenta are "
                    "in GeV, write levels 0, 1, 2."
                )
            return "With --units gev, b-tags are the levels 0, 1 and 2."
        if "levels" in self.hints:
            return (
                "They look like levels 0, 1, 2: add --units gev if the momenta are in GeV and the "
                "angles in radians; otherwise write the codes."
            )
        if "far" in self.hints:
            return "Correct these events or leave them out of the input."
        if "coarse" in self.hints:
            return (
                f"They lost more digits than --snap-b-tags accepts, {SNAP_LIMIT:g}: write them as "
                "float32, or as text with nine digits."
            )
        if "near" in self.hints:
            return f"They lost digits: --snap-b-tags rounds each to the code within {SNAP_LIMIT:g}."
        return "Correct these events or leave them out of the input."
