import gzip
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from event_makers import make_published_events, to_records
from shard_makers import frame
from table_makers import to_csv, to_frame, to_physical, to_rows

from formats.errors import DataRefusedError
from formats.features import DISCRETE_VALUES, FEATURES, UNITS
from formats.published.record import Events, encode_events
from pipeline.intake.input_sources import find_sources
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.requested_columns import RequestedColumn
from pipeline.intake.scored_rows import RowOptions, TableRows, file_rows
from pipeline.intake.table import make_batch
from pipeline.intake.table_events import IntakeOptions
from pipeline.intake.value_faults import ValueOptions

EVENTS = make_published_events(60, seed=5)
ROWS = to_rows(EVENTS, "%.9g")


def read_all(path, **options):
    """All rows of a file: features, columns by name, reasons, and the numbers of the rows."""
    [source], _ = find_sources([str(path)])
    rows = TableRows(source, RowOptions(**options))
    parts = list(rows.read(rows.digest(), lambda _: None))
    features = np.concatenate([part.features for part in parts])
    columns = {
        name: [value for part in parts for value in part.columns[name].to_pylist()]
        for name in parts[0].columns
    }
    reasons = [reason for part in parts if part.reasons is not None for reason in part.reasons]
    numbers = [part.first + i for part in parts for i in range(len(part.features))]
    return features, columns, reasons, numbers


def unlabelled(events):
    return frame(to_records(events.features))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FORMS = {
    "labelled.tfrecord": encode_events(EVENTS),
    "unlabelled.tfrecord": unlabelled(EVENTS),
    "unlabelled.tfrecord.gz": gzip.compress(unlabelled(EVENTS)),
    "uci.csv": to_csv(ROWS),
    "unlabelled.csv": to_csv([row[1:] for row in ROWS]),
    "named.tsv": to_csv([row[1:][::-1] for row in ROWS], FEATURES[::-1], "\t"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_row_is_read_with_a_label_or_without(tmp_path, name):
    features, _, reasons, numbers = read_all(write(tmp_path / name, FORMS[name]))
    np.testing.assert_array_equal(features, EVENTS.features)
    assert numbers == list(range(1, 61))
    assert reasons == []


@pytest.mark.parametrize("save", [np.save, lambda p, x: np.savez(p, x=x, event=np.arange(60))])
def test_a_matrix_needs_no_labels(tmp_path, save):
    save(tmp_path / "x", EVENTS.features)
    [path] = tmp_path.iterdir()
    np.testing.assert_array_equal(read_all(path)[0], EVENTS.features)


def test_labels_of_any_value_are_ignored(tmp_path):
    events = Events(EVENTS.features, np.full(60, -999, np.float32))
    features, *_ = read_all(write(tmp_path / "x.tfrecord", encode_events(events)))
    np.testing.assert_array_equal(features, EVENTS.features)
    rows = [["?", *row[1:]] for row in ROWS]
    features, *_ = read_all(write(tmp_path / "x.csv", to_csv(rows, ["label", *FEATURES])))
    np.testing.assert_array_equal(features, EVENTS.features)


def test_columns_of_the_input_and_features_are_read(tmp_path):
    frame = to_frame(EVENTS).assign(event=[f"e{i}" for i in range(60)], weight=np.arange(60))
    frame.to_parquet(tmp_path / "x.parquet")
    _, columns, *_ = read_all(
        tmp_path / "x.parquet", id_column="event", columns=("weight", FEATURES[3], "label")
    )
    assert list(columns) == ["event", "weight", FEATURES[3], "label"]
    assert columns["event"][7] == "e7"
    assert columns["weight"] == list(range(60))
    assert columns[FEATURES[3]] == EVENTS.features[:, 3].tolist()
    assert columns["label"] == EVENTS.labels.tolist()


def test_text_columns_are_numbers_if_they_look_so_and_an_id_never_is(tmp_path):
    rows = [[f"{i:03}", f"{i}.5" if i else "NA", f"r{i}", *row[1:]] for i, row in enumerate(ROWS)]
    content = to_csv(rows, ["event", "weight", "run", *FEATURES])
    path = write(tmp_path / "x.csv", content)
    _, columns, *_ = read_all(path, id_column="event", columns=("weight", "run"))
    assert columns["event"][:2] == ["000", "001"]
    assert columns["weight"][:3] == [None, 1.5, 2.5]
    assert columns["run"][59] == "r59"


@pytest.mark.parametrize("type_", ["f2", ">f2", ">f8", ">i8", "f16"])
def test_numbers_of_any_kind_are_copied(tmp_path, type_):
    rows = np.zeros(60, [*((name, "f4") for name in FEATURES), ("weight", type_)])
    for name, values in zip(FEATURES, EVENTS.features.T, strict=True):
        rows[name] = values
    rows["weight"] = np.arange(60)
    np.save(tmp_path / "x.npy", rows)
    _, columns, *_ = read_all(tmp_path / "x.npy", columns=("weight",))
    assert columns["weight"] == list(range(60))


@pytest.mark.parametrize("first", [["1", "NA"], ["", "NA"]])
def test_a_text_behind_numbers_or_missing_values_is_named_with_its_row(first):
    column = RequestedColumn("x.csv", 0, None, is_text=True, decimal=".")

    def values(start, texts):
        return column.values("tag", make_batch({0: pa.array(texts)}, start, "row", None), None)

    assert values(0, first).type == pa.float64()
    sentence = "x.csv: row 4 has 'abc' as tag, .* but the values before it are, or are missing"
    with pytest.raises(IntakeError, match=sentence):
        values(2, ["", "abc"])


def test_float16_with_missing_values_is_copied(tmp_path):
    table = pa.Table.from_pandas(to_frame(EVENTS))
    weights = pa.array([None, *[np.float16(1.5)] * 59], pa.float16())
    table = table.append_column("weight", weights)
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    _, columns, *_ = read_all(tmp_path / "x.arrow", columns=("weight",))
    assert columns["weight"] == [None, *[1.5] * 59]


def test_a_column_whose_type_changes_is_refused(tmp_path):
    rows = [[f"{i}", *row[1:]] for i, row in enumerate(ROWS)]
    texts = [["a", *row[1:]] for row in ROWS]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, part in (("a.csv", rows), ("b.csv", texts)):
            archive.writestr(name, to_csv(part, ["run", *FEATURES]))
    sentence = r"b.csv: from row 1 on the column 'run' holds string, but double before\. Write it"
    with pytest.raises(DataRefusedError, match=sentence):
        read_all(tmp_path / "x.zip", columns=("run",))
    assert len(read_all(tmp_path / "x.zip", id_column="run")[1]["run"]) == 120


def test_long_integers_lose_no_digits(tmp_path):
    rows = [[str(2**60 + i), *row[1:]] for i, row in enumerate(ROWS)]
    path = write(tmp_path / "x.csv", to_csv(rows, ["event", *FEATURES]))
    _, columns, *_ = read_all(path, columns=("event",))
    assert columns["event"] == [row[0] for row in rows]


@pytest.mark.parametrize("cell", [" {} ", '" {}"', ' "{}"', '"{} " '])
def test_blanks_and_quotes_around_texts_are_left_out(tmp_path, cell):
    rows = [[cell.format(f"e{i}"), *row[1:]] for i, row in enumerate(ROWS)]
    path = write(tmp_path / "x.csv", to_csv(rows, ["event", *FEATURES]))
    _, columns, *_ = read_all(path, id_column="event")
    assert columns["event"] == [f"e{i}" for i in range(60)]


def test_a_name_that_two_columns_have_cannot_be_requested(tmp_path):
    rows = [["1", "2", *row[1:]] for row in ROWS]
    path = write(tmp_path / "x.csv", to_csv(rows, ["event", "event", *FEATURES]))
    for options in ({"columns": ("event",)}, {"id_column": "event"}):
        with pytest.raises(DataRefusedError, match="has 2 columns named 'event', so --columns or"):
            read_all(path, **options)


def test_texts_that_are_not_utf8_are_refused(tmp_path):
    rows = [["\xe9" if i == 7 else "e", *row[1:]] for i, row in enumerate(ROWS)]
    content = to_csv(rows, ["event", *FEATURES])
    path = write(tmp_path / "x.csv", content.encode("latin1"))
    with pytest.raises(DataRefusedError, match=r"line 9 has '.' as event, which is not UTF-8"):
        read_all(path, id_column="event")
    assert len(read_all(path)[0]) == 60


def test_a_replacement_character_of_the_file_itself_is_text(tmp_path):
    rows = [[' "\ufffd"', *row[1:]] for row in ROWS]
    path = write(tmp_path / "x.csv", to_csv(rows, ["event", *FEATURES]))
    assert read_all(path, id_column="event")[1]["event"] == ["\ufffd"] * 60


def test_an_unknown_column_is_named_with_those_that_there_are(tmp_path):
    path = write(tmp_path / "x.tfrecord", unlabelled(EVENTS))
    with pytest.raises(
        DataRefusedError, match=r"has no column 'label'; it has lepton_pt, .*--columns"
    ):
        read_all(path, columns=("label",))


BAD = EVENTS.features.copy()
BAD[3, 0] = np.nan
BAD[9, FEATURES.index("m_bb")] = 1e6
BAD[11, FEATURES.index("jet_1_b_tag")] = 0.5
BAD[11, FEATURES.index("m_jj")] = np.inf


def test_invalid_rows_are_refused_with_place_value_limit_and_remedy(tmp_path):
    path = write(tmp_path / "x.tfrecord", unlabelled(Events(BAD, EVENTS.labels)))
    with pytest.raises(DataRefusedError) as caught:
        read_all(path)
    text = str(caught.value)
    assert "the first in record 4 with 'nan' as lepton_pt. Complete them in the input" in text
    assert "1 event with values outside the domain: 1 in m_bb" in text
    assert "in record 10 with '1000000' as m_bb, expected 0 to 50. Correct these events" in text
    assert "--flag-invalid" in text
    assert "--missing" not in text


def test_invalid_rows_are_flagged_with_every_reason(tmp_path):
    path = write(tmp_path / "x.tfrecord", unlabelled(Events(BAD, EVENTS.labels)))
    _, columns, reasons, numbers = read_all(path, flag_invalid=True, columns=("m_bb",))
    assert len(numbers) == len(reasons) == 60
    flagged = {i: reason for i, reason in enumerate(reasons) if reason}
    assert set(flagged) == {3, 9, 11}
    assert flagged[3] == "lepton_pt is missing (nan)"
    assert flagged[9].startswith("m_bb is 1000000, expected 0")
    assert "m_jj is infinite (inf)" in flagged[11]
    assert columns["m_bb"][9] == 1e6


def test_a_run_says_whose_options_its_messages_name(tmp_path):
    path = write(tmp_path / "x.csv", to_csv(to_rows(Events(BAD, EVENTS.labels))))
    with pytest.raises(DataRefusedError, match="These are options of `higgs score`; a run has sc"):
        list(file_rows(str(path), (), "", False).read("", lambda _: None))
    write(path, "1,2\n")
    with pytest.raises(DataRefusedError, match=r"Give a table with all of them\.$"):
        list(file_rows(str(path), (), "", False).read("", lambda _: None))


def test_labels_are_copied_without_advice_on_their_values(tmp_path):
    events = Events(EVENTS.features, np.full(60, -999, np.float32))
    path = write(tmp_path / "x.tfrecord", encode_events(events))
    with pytest.raises(DataRefusedError, match=r"1 has the label .* or leave out the record\.$"):
        read_all(path, columns=("label",))


def test_other_units_are_converted(tmp_path):
    physical = to_physical(EVENTS, UNITS, {k: np.float32(v) for k, v in DISCRETE_VALUES.items()})
    to_frame(physical).drop(columns="label").to_parquet(tmp_path / "x.parquet")
    options = IntakeOptions(values=ValueOptions("gev"))
    features, *_ = read_all(tmp_path / "x.parquet", intake=options)
    np.testing.assert_allclose(features, EVENTS.features, rtol=1e-6)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = write(tmp_path / "x.csv", to_csv(ROWS))
    rows = file_rows(str(path), (), "", False)
    with pytest.raises(DataRefusedError, match="was changed while it was read"):
        list(rows.read("0" * 64, lambda _: None))


def test_a_file_that_is_gone_is_refused(tmp_path):
    rows = file_rows(str(tmp_path / "x.csv"), (), "", False)
    with pytest.raises(DataRefusedError, match="cannot be read"):
        list(rows.read(rows.digest(), lambda _: None))


def test_a_members_rows_are_counted_in_the_member(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.csv", to_csv(ROWS[:20]))
        archive.writestr("b.csv", to_csv(ROWS[20:]))
    [source], _ = find_sources([str(tmp_path / "x.zip")])
    rows = TableRows(source)
    parts = list(rows.read(rows.digest(), lambda _: None))
    assert [(part.file.rsplit("/")[-1], part.first) for part in parts] == [
        ("x.zip:a.csv", 1),
        ("x.zip:b.csv", 1),
    ]
    assert [len(part.features) for part in parts] == [20, 40]
