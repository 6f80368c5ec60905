import numpy as np
import pytest
from event_makers import make_published_events, same_events, select
from table_makers import convert_all, to_csv, to_physical, to_rows

from formats.features import COLUMNS, DISCRETE_VALUES, FEATURES, UNITS
from formats.published.record import Events
from formats.published.scale import SCALED
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.table_events import IntakeOptions
from pipeline.intake.value_faults import ValueOptions

EVENTS = make_published_events(50, seed=5)
ROWS = to_rows(EVENTS, "%.9g")
MASS, TAG = FEATURES[-1], next(iter(DISCRETE_VALUES))


@pytest.fixture
def converted(tmp_path):
    def convert_rows(rows, **options):
        path = tmp_path / "x.csv"
        path.write_text(to_csv(rows, COLUMNS))
        values = IntakeOptions(values=ValueOptions(**options))
        events, conversion = convert_all([path], tmp_path / "out", values)
        return events, conversion.counts

    return convert_rows


def with_values(column, changes):
    index = COLUMNS.index(column)
    rows = [list(row) for row in ROWS]
    for row, value in changes.items():
        rows[row][index] = value
    return rows


def refusal(converted, rows, **options):
    with pytest.raises(IntakeError) as caught:
        converted(rows, **options)
    return str(caught.value).split("x.csv: ", 1)[1]


NOT_FINITE = ("inf", "-Infinity", "1e400", "-999", "-999.0", "-9999")
MISSING = ("", "NA", "nan", "NaN", "?", "null", "None")


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *((column, text) for column in (MASS, TAG) for text in (*MISSING, *NOT_FINITE)),
        *(("label", text) for text in MISSING),
    ],
)
def test_missing_values_are_counted_exactly_and_dropped_on_request(converted, text, column):
    rows = with_values(column, dict.fromkeys((7, 20, 49), text))

    assert refusal(converted, rows) == (
        f"3 events with missing or infinite values: 3 in {column}; the first in line 9 with "
        f"'{text}' as {column}. Drop them with --missing drop, or complete them in the input; "
        "values are never imputed. A momentum or mass of 0, and -999, mean a missing value."
    )
    events, counts = converted(rows, drop_missing=True)
    complete = np.setdiff1d(np.arange(50), (7, 20, 49))
    assert same_events(events, select(EVENTS, complete))
    assert (counts.read, counts.dropped) == (50, {"missing or infinite values": 3})


def test_an_event_with_two_missing_values_counts_once(converted):
    rows = with_values(MASS, {4: ""})
    rows[4][1] = "?"

    assert refusal(converted, rows).startswith(
        f"1 event with missing or infinite values: 1 in {FEATURES[0]}, 1 in {MASS}; the first in "
        f"line 6 with '?' as {FEATURES[0]}."
    )


def test_values_outside_the_domain_are_counted_with_the_first(converted):
    rows = with_values(MASS, {3: "-0.5", 30: "77"})

    assert refusal(converted, rows) == (
        f"2 events with values outside the domain: 2 in {MASS}; the first in line 5 with '-0.5' as "
        f"{MASS}, expected 0 to 50. Correct these events or leave them out of the input."
    )


def test_b_tags_that_lost_digits_are_snapped_on_request(converted):
    digits = to_rows(EVENTS, "%.6f")
    tags = [COLUMNS.index(name) for name in DISCRETE_VALUES]
    rows = [
        [digits[i][k] if k in tags else cell for k, cell in enumerate(row)]
        for i, row in enumerate(ROWS)
    ]
    features = [FEATURES.index(name) for name in DISCRETE_VALUES]
    tagged = (EVENTS.features[:, features] > 0).any(axis=1)

    message = refusal(converted, rows)
    assert message.startswith(f"{tagged.sum()} events with invalid b-tags: ")
    assert "expected 0, 1." in message
    assert message.endswith(
        "They lost digits: --snap-b-tags rounds each to the code within 0.0001."
    )
    events, counts = converted(rows, snap_b_tags=True)
    assert same_events(events, EVENTS)
    assert counts.changed == {"b-tags snapped to the nearest code": tagged.sum()}


@pytest.mark.parametrize("snap_b_tags", [False, True])
def test_b_tags_of_half_precision_are_beyond_snapping(converted, snap_b_tags):
    features = EVENTS.features.astype(np.float16).astype(np.float32)

    message = refusal(converted, to_rows(Events(features, EVENTS.labels)), snap_b_tags=snap_b_tags)

    assert message.endswith(
        "They lost more digits than --snap-b-tags accepts, 0.0001: write them as float32, or as "
        "text with nine digits."
    )


@pytest.mark.parametrize("value", ["0.5", "1.0867"])
def test_values_farther_than_the_limit_are_not_snapped(converted, value):
    message = refusal(converted, with_values(TAG, {2: value}), snap_b_tags=True)

    assert message.startswith(f"1 event with invalid b-tags: 1 in {TAG}; the first in line 4 with")


def scaled(factor, names=SCALED):
    factors = np.array([factor if name in names else 1 for name in FEATURES])
    return Events(EVENTS.features.astype(np.float64) * factors, EVENTS.labels)


def in_tev(events):
    physical = to_physical(events, UNITS, DISCRETE_VALUES)
    factors = np.array([1e-3 if name in SCALED else 1 for name in FEATURES])
    return Events(physical.features * factors, physical.labels)


def zero_tags(events):
    """Without b-tags, whose codes would reveal the units."""
    features = np.array(events.features)
    features[:, [FEATURES.index(name) for name in DISCRETE_VALUES]] = 0
    return Events(features, events.labels)


@pytest.mark.parametrize(
    ("events", "units", "remedy"),
    [
        (in_tev(EVENTS), "gev", "They look like TeV: multiply momenta and masses by 1000."),
        (
            scaled(0.06),
            "published",
            "They look like TeV: multiply momenta and masses by 1000, and add --units gev.",
        ),
        (zero_tags(EVENTS), "gev", "They look like published values: leave out --units gev."),
        (
            to_physical(scaled(0.01, SCALED[-7:]), UNITS, DISCRETE_VALUES),
            "gev",
            "Write all momenta and masses in one unit.",
        ),
    ],
)
def test_momenta_and_masses_in_another_unit_are_refused(converted, events, units, remedy):
    message = refusal(converted, to_rows(events, "%.9g"), units=units)

    assert " in published units (and " in message
    assert "; at least 0.2 is expected. " in message
    assert message.endswith(remedy)


def physical(change, names):
    """Events in GeV and radians with some columns changed."""
    events = to_physical(EVENTS, UNITS, DISCRETE_VALUES)
    for index in map(FEATURES.index, names):
        events.features[:, index] = change(events.features[:, index])
    return events


PHI = [name for name in FEATURES if name.endswith("_phi")]


@pytest.mark.parametrize(
    ("events", "remedy"),
    [
        (physical(lambda mass: 1000 * mass, SCALED[-7:]), "MeV: divide momenta and masses by 1000"),
        (physical(np.degrees, PHI), "The angles look like degrees: convert them to radians"),
        (
            physical(lambda phi: np.linspace(0.1, 6.2, len(phi)), PHI),
            "phi counts from 0 to 2 pi: subtract 2 pi from values above pi",
        ),
    ],
)
def test_other_units_than_gev_and_radians_are_recognized(converted, events, remedy):
    message = refusal(converted, to_rows(events, "%.9g"), units="gev")

    assert " with values outside the domain: " in message
    assert message.endswith(f"{remedy}.")


def test_the_means_of_a_few_events_are_not_checked(converted):
    few = Events(scaled(0.06).features[:19], EVENTS.labels[:19])

    assert len(converted(to_rows(few, "%.9g"))[0].labels) == 19


@pytest.mark.parametrize("value", ["0", "-0.0", "1e-320"])
def test_a_momentum_or_mass_of_zero_is_missing(converted, value):
    rows = with_values(MASS, {3: value})

    assert refusal(converted, rows).startswith(
        f"1 event with missing or infinite values: 1 in {MASS}; the first in line 5 with "
        f"'{value}' as {MASS}. Drop them"
    )
    events, counts = converted(rows, drop_missing=True)
    assert same_events(events, select(EVENTS, np.arange(50) != 3))
    assert counts.dropped == {"missing or infinite values": 1}


PHYSICAL = to_rows(to_physical(EVENTS, UNITS, DISCRETE_VALUES), "%.12g")


def test_gev_radians_and_levels_are_converted(converted):
    events, _ = converted(PHYSICAL, units="gev")

    np.testing.assert_allclose(events.features, EVENTS.features, rtol=3e-7)
    for name in DISCRETE_VALUES:
        index = FEATURES.index(name)
        assert (events.features[:, index] == EVENTS.features[:, index]).all()


def test_gev_without_the_option_is_recognized(converted):
    message = refusal(converted, PHYSICAL)

    assert message.startswith("50 events with values outside the domain: ")
    assert "They look like GeV, radians and b-tag levels: convert them with --units gev." in message
    assert "--snap-b-tags" not in message


def test_published_values_with_the_option_are_recognized(converted):
    message = refusal(converted, ROWS, units="gev")

    assert "They are the published codes: leave out --units gev, or, " in message
    assert message.endswith(" write levels 0, 1, 2.")
    tags = [FEATURES.index(name) for name in DISCRETE_VALUES]
    count = (EVENTS.features[:, tags] > 0).any(axis=1).sum()
    assert message.startswith(f"{count} events with invalid b-tags: ")


def test_limits_are_given_in_the_units_of_the_input(converted):
    rows = [list(row) for row in PHYSICAL]
    rows[8][1] = "9999"

    assert f"'9999' as {FEATURES[0]}, expected 0 to 2732." in refusal(converted, rows, units="gev")


def test_an_event_of_zeros_counts_as_missing(converted):
    rows = [list(row) for row in ROWS]
    rows[10][1:] = ["0"] * 28

    assert refusal(converted, rows).startswith("1 event with missing or infinite values: ")


def test_counts_add_up_over_batches(tmp_path):
    import pandas as pd

    features = np.tile(EVENTS.features, (2000, 1))
    features[::1000, 0] = np.nan
    table = np.column_stack([np.tile(EVENTS.labels, 2000), features])
    pd.DataFrame(table, columns=list(COLUMNS)).to_parquet(tmp_path / "x.parquet")

    with pytest.raises(
        IntakeError, match=rf"100 events .*: 100 in {FEATURES[0]}; the first in row 1 "
    ):
        convert_all([tmp_path / "x.parquet"], tmp_path / "out")


def test_an_input_without_complete_events_is_refused(converted):
    rows = with_values(MASS, dict.fromkeys(range(50), ""))

    with pytest.raises(IntakeError, match="no complete events"):
        converted(rows, drop_missing=True)
