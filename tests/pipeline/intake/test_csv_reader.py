import gzip
import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from event_makers import make_published_events, same_events
from hypothesis import given, settings
from hypothesis import strategies as st
from table_makers import convert_all, to_csv, to_frame, to_rows, uci_csv, with_columns

from formats.features import COLUMNS, FEATURES, LABEL
from pipeline.intake import text_blocks
from pipeline.intake.byte_streams import look_ahead
from pipeline.intake.csv_reader import open_csv
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.label_values import LabelValues
from pipeline.intake.table_events import IntakeOptions

EVENTS = make_published_events(40, seed=3)
ROWS = to_rows(EVENTS, "%.9g")
PLAIN = to_csv(ROWS)
NAMED = to_csv(ROWS, COLUMNS)


@pytest.fixture
def converted(tmp_path):
    """Converts the text of a file; returns its events and what was counted."""

    def convert_text(text, options=None):
        path = tmp_path / "x.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        events, conversion = convert_all([path], tmp_path / "out", options)
        return events, conversion.counts

    return convert_text


def refusal(converted, text, options=None):
    with pytest.raises(IntakeError) as caught:
        converted(text, options)
    return re.sub(r"\S*/x\.csv", "x.csv", str(caught.value))


def with_line(text, number, change):
    """Text with the cells of one line, counted from 1, replaced."""
    lines = text.splitlines()
    lines[number - 1] = ",".join(change(lines[number - 1].split(",")))
    return "\n".join(lines) + "\n"


def with_cell(number, column, value, text=PLAIN):
    return with_line(text, number, lambda cells: [*cells[:column], value, *cells[column + 1 :]])


order = [0, *(1 + index for index in np.random.default_rng(0).permutation(28))]
shuffled = to_csv([[row[i] for i in order] for row in ROWS], [COLUMNS[i] for i in order])
other_names = [
    name.replace("_pt", "_pT").replace("b_tag", "b-tag").replace(LABEL, "is_boson")
    for name in COLUMNS
]
short_names = [name.replace("jet_", "jet").replace("_", "") for name in COLUMNS]
quoted = to_csv([[f'"{cell}"' for cell in row] for row in ROWS], [f'"{c}"' for c in COLUMNS])
counted = [[str(index + 1), *row] for index, row in enumerate(ROWS)]

READ = {
    "as UCI writes it": uci_csv(EVENTS).decode(),
    "Windows line ends": PLAIN.replace("\n", "\r\n"),
    "old Mac line ends": PLAIN.replace("\n", "\r"),
    "header": NAMED,
    "header in another order": shuffled,
    "names with a prefix": to_csv(ROWS, [LABEL, *(f"event.{name}" for name in FEATURES)]),
    "names of TF Datasets": to_csv(ROWS, other_names),
    "names without underscores": to_csv(ROWS, short_names),
    "upper case": to_csv(ROWS, [name.upper() for name in COLUMNS]),
    "spaces in names": to_csv(ROWS, [name.replace("_", " ") for name in COLUMNS]),
    "label last": to_csv([[*row[1:], row[0]] for row in ROWS], [*FEATURES, LABEL]),
    "numbers as names": to_csv(ROWS, [str(index) for index in range(29)]),
    "index and numbers": to_csv(counted, ["", *(str(index) for index in range(29))]),
    "index of pandas": to_csv(counted, ["", *COLUMNS]),
    "row names of R": to_csv(counted, COLUMNS),
    "quotes": quoted,
    "semicolons": to_csv(ROWS, separator=";"),
    "tabs and header": to_csv(ROWS, COLUMNS, "\t"),
    "blanks": to_csv(ROWS, separator="  "),
    "space after comma": PLAIN.replace(",", ", "),
    "space before lines": "".join(f" {line}\n" for line in PLAIN.splitlines()),
    "comma after lines": PLAIN.replace("\n", ",\n"),
    "byte order mark": "\ufeff" + NAMED,
    "comment of numpy.savetxt": "# " + NAMED,
    "comments": "# made by me\n# in 2014\n" + NAMED,
    "blank lines": PLAIN.replace("\n", "\n\n", 5) + "\n  \n",
    "repeated header": to_csv(ROWS[:25], COLUMNS) + to_csv(ROWS[25:], COLUMNS),
    "numbered features": to_csv(ROWS, ["response", *(f"x{index}" for index in range(1, 29))]),
    "units in the header": to_csv(ROWS, [f"{name} [unit]" for name in COLUMNS]),
    "separator of Excel": "sep=;\n" + to_csv(ROWS, COLUMNS, ";"),
    "plus signs": PLAIN.replace(",0.", ",+0."),
    "no zero before the point": PLAIN.replace(",0.", ",."),
}


@pytest.mark.parametrize("kind", READ)
def test_every_way_of_writing_the_same_table_gives_the_same_events(converted, kind):
    events, counts = converted(READ[kind])

    assert same_events(events, EVENTS)
    assert counts.read == 40


def test_decimal_commas_need_the_option(converted):
    text = to_csv(ROWS, separator=";").replace(".", ",")

    assert refusal(converted, text).endswith(
        "as column 2, which is not a number. If the comma is a decimal comma, add `--decimal ,`."
    )
    thousands = "1.234,5".join(text.split(ROWS[3][7].replace(".", ","), 1))
    assert "'1.234,5' as column 8, which is not a number" in refusal(
        converted, thousands, IntakeOptions(decimal=",")
    )
    points = to_csv(ROWS, separator=";")
    assert "If the point is the decimal point, leave out `--decimal ,`." in refusal(
        converted, points, IntakeOptions(decimal=",")
    )
    events, _ = converted(text, IntakeOptions(decimal=","))
    assert same_events(events, EVENTS)


def test_labels_may_have_decimal_commas(converted):
    rows = [[f"{float(row[0]):.1f}", *row[1:]] for row in ROWS]
    text = to_csv(rows, separator=";").replace(".", ",")

    events, _ = converted(text, IntakeOptions(decimal=","))

    assert same_events(events, EVENTS)


def test_names_of_a_table_without_header_can_be_given(converted):
    text = to_csv([[*row[1:], "7", row[0]] for row in ROWS])

    events, counts = converted(text, with_columns(header=(*FEATURES, "weight", LABEL)))

    assert same_events(events, EVENTS)
    assert any(note.endswith("dropped the column weight") for note in counts.notes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            to_csv([[*row[1:], row[0]] for row in ROWS]),
            "has its label in the last column, and names no columns. Name them with --header "
            "features,label.",
        ),
        (
            to_csv(counted),
            "counts the rows in its first column, and names no columns. Name them with --header "
            "index,label,features.",
        ),
        (
            to_csv([[*row, "0.5"] for row in ROWS]),
            "has 30 columns without names, not 29 (the label, then the 28 features). Name the "
            "columns in their order with --header, such as --header label,features,weight, where "
            "features means the 28.",
        ),
        (
            to_csv([row[1:] for row in ROWS]),
            "has 28 columns without names, not 29 (the label, then the 28 features). If it has no "
            "label, convert files of one class with --signal FILE --background FILE.",
        ),
        ("", "is empty. Give a file with events."),
        ("\n\n", "is empty. Give a file with events."),
        ("placeholder", "holds 'placeholder' and no table. Give a file with events."),
        (to_csv([], COLUMNS), "no complete events. Name files with events."),
    ],
)
def test_columns_that_are_not_the_published_ones_are_named_with_the_option(
    converted, text, sentence
):
    assert refusal(converted, text) == f"x.csv: {sentence}"


def test_no_message_advises_to_delete_the_header(converted):
    message = refusal(converted, to_csv(ROWS, ["a", "b", *COLUMNS[2:]]))

    assert "1 of the 28 features is missing" in message
    assert "--names FILE" in message
    assert "delete" not in message


JOINED = {
    "byte order marks": ["\ufeff" + to_csv(ROWS[:9]), "\ufeff" + to_csv(ROWS[9:])],
    "byte order marks and headers": [
        "\ufeff" + to_csv(rows, COLUMNS) for rows in (ROWS[:9], ROWS[9:])
    ],
    "headers in comments": [f"# {to_csv(rows, COLUMNS)}" for rows in (ROWS[:9], ROWS[9:])],
    "line ends": [to_csv(ROWS[:9], COLUMNS).replace("\n", "\r\n"), to_csv(ROWS[9:])],
}


@pytest.mark.parametrize("kind", JOINED)
def test_joined_files_are_read_with_what_each_starts_with(converted, kind):
    assert same_events(converted("".join(JOINED[kind]))[0], EVENTS)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("# run 2", "line 6 is a comment, '# run 2', in the middle of the data. Delete it"),
        ("#" + ",".join(ROWS[4]), "line 6 is a comment, '#"),
        ("0" * 9 + 80 * "\0", "line 6 contains zero bytes: the file is incomplete or damaged. Fe"),
        (",".join(ROWS[4]) + "\0", "line 6 contains zero bytes"),
        (",".join(ROWS[4][:9]) + ',"a', "If a cell in quotes contains a line break, remove it."),
        (",".join([*ROWS[4][:28], '="1.5"']), "Write values instead of formulas."),
    ],
)
def test_lines_that_are_not_rows_are_named(converted, line, sentence):
    # The label and the index are read as texts, so a comment could look like a row.
    assert sentence in refusal(converted, to_csv(ROWS[:4], COLUMNS) + f"{line}\n" + PLAIN)


def test_a_first_column_of_names_with_a_hash_is_not_a_comment(converted):
    rows = [[f"#{i}", *row] for i, row in enumerate(ROWS)]

    assert same_events(converted(to_csv(rows, ["event", *COLUMNS]))[0], EVENTS)


def test_a_commented_first_row_is_not_an_event(converted):
    rows = [[f"#{i}" if i == 0 else f"{i}", *row] for i, row in enumerate(ROWS)]

    assert "line 2 is a comment, '#0," in refusal(converted, to_csv(rows, ["event", *COLUMNS]))


@pytest.mark.parametrize(
    ("rows", "header"), [(ROWS, "index,label,features"), ([r[1:] for r in ROWS], "index,features")]
)
def test_an_index_is_named_with_the_columns_beside_it(converted, rows, header):
    text = to_csv([[str(i), *row] for i, row in enumerate(rows)])
    assert refusal(converted, text).endswith(f"Name them with --header {header}.")


def test_lines_in_quotes_are_named(converted):
    text = "".join(f'"{line}"\n' for line in NAMED.splitlines())
    assert refusal(converted, text).endswith("Remove the quotes around the lines.")


BAD_CELLS = {
    "1.5f": "'1.5f'",
    "--1": "'--1'",
    "true": "'true'",
    "\u0661": "'\u0661'",
    "x" * 3000: "'" + "x" * 35 + "...'",
}


@pytest.mark.parametrize("cell", BAD_CELLS, ids=range(len(BAD_CELLS)))
@pytest.mark.parametrize("line", [1, 33])
def test_a_cell_that_is_not_a_number_is_quoted_with_its_line(converted, cell, line):
    text = with_cell(line, 3, cell)

    assert refusal(converted, text) == (
        f"x.csv: line {line} has {BAD_CELLS[cell]} as column 4, which is not a number. "
        "Correct or delete the line."
    )
    assert f"line {line + 1} has {BAD_CELLS[cell]} as {COLUMNS[3]}," in refusal(
        converted, to_csv([], COLUMNS) + text
    )


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("1.5D+00", "Write the exponents with E, such as with `sed 's/[dD]"),
        ("0x1p0", "Write the numbers in decimal."),
        ("\N{MINUS SIGN}1.5", "Write minus signs as hyphens, such as with"),
        ("1'000", "Write it without separators of thousands."),
        ("1_000", "Write it without separators of thousands."),
        ("50%", "Write fractions instead of percentages, such as 0.5 for 50%."),
        ("1\N{NO-BREAK SPACE}000.5", "Write it without separators of thousands."),
    ],
)
def test_a_number_in_another_notation_is_refused_with_its_remedy(converted, cell, remedy):
    message = refusal(converted, with_cell(33, 3, cell))

    assert message.startswith(f"x.csv: line 33 has {cell!r} as column 4, which is not a number. ")
    assert remedy in message


def test_a_file_in_another_notation_has_no_second_header(converted):
    rows = [[row[0], *(cell.replace("e", "E") + "D+00" for cell in row[1:])] for row in ROWS]

    message = refusal(converted, to_csv(rows, COLUMNS))

    assert "line 2 has " in message
    assert f"as {COLUMNS[1]}, which is not a number. Write the exponents with E" in message


@pytest.mark.parametrize("units", [["-", *["GeV"] * 28], ["", *["[GeV]"] * 28], ["---"] * 29])
def test_a_line_of_units_below_the_header_is_named(converted, units):
    text = to_csv([units, *ROWS], COLUMNS)

    assert refusal(converted, text) == (
        f"x.csv: line 2, below the header, holds no values but '{','.join(units)[:35]}...'. "
        "Delete the line if it holds units or a rule."
    )


@pytest.mark.parametrize("title", ["HIGGS export 2026", "HIGGS export 2026" + 28 * ","])
def test_a_title_above_the_header_is_named(converted, title):
    assert refusal(converted, f"{title}\n{NAMED}") == (
        "x.csv: line 1, 'HIGGS export 2026', is a title and not a header. Delete the line."
    )


def test_a_line_break_in_a_name_is_named(converted):
    header = NAMED.splitlines()[0].replace(FEATURES[0], f'"{FEATURES[0]}\n(GeV)"')

    message = refusal(converted, f"{header}\n{NAMED}")
    assert f"""line 1 has a quote that is not closed, '"{FEATURES[0]}'. Remove""" in message


@pytest.mark.parametrize("name", ['"radius ("")"', '5"'])
def test_a_name_may_have_a_quote(converted, name):
    events, _ = converted(to_csv([[*row, "1"] for row in ROWS], [*COLUMNS, name]))

    assert same_events(events, EVENTS)


@pytest.mark.parametrize("cell", [".", "--", "<NA>", "#DIV/0!", "-1.#IND", "1.#QNAN", "1.#INF"])
def test_missing_values_of_other_programs_are_recognized(converted, cell):
    message = refusal(converted, with_cell(33, 3, cell))

    assert message.startswith("x.csv: 1 event with missing or infinite values: 1 in lepton_phi; ")
    assert f"the first in line 33 with '{cell}' as lepton_phi" in message


@pytest.mark.parametrize("unit", [" [GeV]", "/GeV", "_GeV", ", GeV"])
def test_units_in_names_are_left_out(converted, unit):
    names = [f'"{name}{unit}"' if name.endswith("_pt") else name for name in COLUMNS]

    events, _ = converted(to_csv(ROWS, names))

    assert same_events(events, EVENTS)


def test_a_separator_at_the_end_of_the_header_alone_is_accepted(converted):
    events, _ = converted(to_csv(ROWS, [*COLUMNS, ""]))

    assert same_events(events, EVENTS)


def test_a_quote_that_is_not_closed_hides_no_rows(converted):
    """Arrow reads the rest of the file as one cell."""
    rows = [[*row, '"five inches' if i == 5 else "none"] for i, row in enumerate(ROWS)]

    events, counts = converted(to_csv(rows, [*COLUMNS, "note"]))

    assert same_events(events, EVENTS)
    assert counts.read == len(ROWS)


def test_an_endless_line_is_refused_without_repeated_searches(monkeypatch):
    class Chunks:
        def read1(self, _):
            return b"1" * 10

    searched = []
    split = text_blocks._split_off_lines
    monkeypatch.setattr(
        text_blocks, "_split_off_lines", lambda parts: searched.append(1) or split(parts)
    )
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(text_blocks, "_MAX_LINE_BYTES", 5000)

    with pytest.raises(IntakeError, match="line 1 is longer than"):
        [*text_blocks.read_blocks("x.csv", Chunks())]
    assert len(searched) <= 6


def test_many_comments_are_skipped(converted):
    events, _ = converted("# a comment\n" * 300 + NAMED)

    assert same_events(events, EVENTS)


@pytest.mark.parametrize(
    "text",
    ["#" * 300_000 + "\n" + NAMED, to_csv([], [*COLUMNS, *("w" * 5000 for _ in range(60))])],
    ids=["comment", "names"],
)
def test_a_table_with_a_late_start_is_not_called_empty(converted, text):
    assert "has no complete row in its first 256 kB" in refusal(converted, text)


def test_a_column_without_a_name_is_listed(converted):
    message = refusal(converted, to_csv(ROWS, [*COLUMNS[:-1], ""]))
    assert f"({COLUMNS[-1]}); unused columns: (no name). " in message


def test_a_name_that_two_columns_have_cannot_be_chosen(converted):
    text = to_csv([[*row, row[1]] for row in ROWS], [*COLUMNS, COLUMNS[1]])

    assert refusal(converted, text).endswith(f"two columns named '{COLUMNS[1]}'. Rename one.")


@pytest.mark.parametrize("name", ["is_background", "bkg", "notBG", "classID"])
def test_a_label_that_is_named_after_the_background_needs_its_values(converted, name):
    text = to_csv([[f"{1 - float(row[0]):g}", *row[1:]] for row in ROWS], [name, *FEATURES])
    options = with_columns(label=name)

    assert f"the label is named '{name}', but 1 means signal" in refusal(converted, text, options)
    events, _ = converted(text, replace(options, labels=LabelValues("0", "1", True)))
    assert same_events(events, EVENTS)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_line_numbers_are_exact_in_later_blocks(tmp_path, monkeypatch, name):
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(text_blocks, "_READ_BYTES", 1 << 14)
    text = uci_csv(make_published_events(1300)).decode()
    text = with_cell(1290, 5, "later", with_cell(1234, 2, "abc", text)).encode()
    (tmp_path / name).write_bytes(gzip.compress(text, 1) if name.endswith("gz") else text)

    with pytest.raises(IntakeError, match=r"line 1234 has 'abc' as column 3, which"):
        convert_all([tmp_path / name], tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            with_line(PLAIN, 7, lambda cells: [*cells, "5"]),
            "x.csv: line 7 has 30 columns, not 29, separated by ','; it starts with ",
        ),
        (PLAIN[: -len(PLAIN.splitlines()[-1]) // 2], "x.csv: line 40 has "),
        (
            PLAIN + NAMED,
            "x.csv: line 41 is a header, 'label,lepton_pt,lepton_eta,lepton_p...', in the middle",
        ),
        (
            NAMED + to_csv([[f"'{cell}'" for cell in row] for row in ROWS]),
            "x.csv: line 42 has numbers in single quotes, such as \"'",
        ),
        (NAMED.replace(",", ":"), "x.csv: has one column, 'label:lepton_pt:"),
        (
            NAMED.replace(LABEL, "evil\x1b[31m", 1),
            "x.csv: no column is named as the label; unused columns: evil\ufffd[31m. Name it",
        ),
        (
            NAMED + to_csv(ROWS, COLUMNS[::-1]),
            "x.csv: line 42 is a second header, 'm_wwbb,m_wbb,m_bb,m_jlv,m_lv,m_jjj,...', that",
        ),
    ],
    ids=count(),
)
def test_lines_of_another_form_are_named(converted, text, sentence):
    assert refusal(converted, text).startswith(sentence)


def test_a_file_that_ends_in_its_last_cell_is_refused(converted):
    assert "x.csv: line 40 ends inside its last cell, '" in refusal(converted, uci_csv(EVENTS)[:-9])


def test_a_last_line_without_newline_is_reported(converted):
    events, counts = converted(PLAIN[:-1])

    assert same_events(events, EVENTS)
    [note] = [note for note in counts.notes if "newline" in note]
    assert "the last line, 40, has no newline; if the file was cut there, its last value," in note
    assert ROWS[-1][-1] in note


numbers = st.one_of(
    st.floats(-3e38, 3e38).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.18e}"),
    st.decimals(-100, 100, places=25, allow_nan=False).map(str),
    st.integers(-(10**9), 10**9).map(lambda x: f"{x:+d}"),
)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(st.lists(numbers, min_size=29, max_size=29), min_size=1, max_size=5))
def test_every_number_is_float_of_its_text(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text(to_csv(rows))
    with path.open("rb") as file:
        head, stream = look_ahead(file)
        table = open_csv(Member("x", "CSV", (), head, stream, path))
        [batch] = table.read(range(29), ())

    values = np.stack([batch.columns[index] for index in range(29)], axis=1)

    assert values.tolist() == [[float(text) for text in row] for row in rows]


@pytest.mark.parametrize("number", ["1", "+1"], ids=["Arrow", "line by line"])
def test_a_line_of_tabs_between_columns_is_a_row_of_missing_values(converted, number):
    text = to_csv([[number, *ROWS[0][1:]], *ROWS[1:]], COLUMNS, "\t")
    for ending in ("\t" * 28, "\t" * 28 + "\n", "\t" * 28 + "\n\n \n\t\n"):
        message = refusal(converted, text + ending)
        assert message.startswith("x.csv: 1 event with missing or infinite values: 1 in label, ")
        assert "the first in line 42 with '' as label" in message


def test_empty_cells_beside_quoted_ones_keep_their_places(converted):
    rows = [[f'"{cell}"' for cell in row] for row in ROWS]
    rows[4] = [*rows[4][:2], "", *rows[4][3:-1], ""]
    fault = "1 event with missing or infinite values: 1 in lepton_eta, 1 in m_wwbb; "
    for number in ("1", "+1"):  # The second only line by line.
        text = to_csv([[number, *rows[0][1:]], *rows[1:]], COLUMNS, "\t")
        assert fault + "the first in line 6 with '' as lepton_eta" in refusal(converted, text)


@pytest.mark.parametrize(
    ("number", "other"), [("1", "b"), ("1", "b  x"), ("1", "b\tx"), ("+1", "b")]
)
def test_a_table_of_r_is_read(converted, number, other):
    header = [f'"{name}"' for name in COLUMNS]
    labels = {"1": '"a s"', "0": f'"{other}"'}
    texts = [[f'"{i}"', labels[row[0]], *row[1:]] for i, row in enumerate(ROWS)]
    texts[0][2] = number.replace("1", ROWS[0][1])
    text = " ".join(header) + "\n" + to_csv(texts, (), " ")
    events, _ = converted(text, IntakeOptions(labels=LabelValues("a s", other, are_given=True)))
    assert same_events(events, EVENTS)


def test_a_carriage_return_in_quotes_is_a_line_break(converted):
    rows = [*([*row, '"x"'] for row in ROWS[:-1]), ["", *ROWS[-1][1:], '"x\ry"']]
    message = refusal(converted, to_csv(rows, [*COLUMNS, "comment"]))
    assert message.startswith("x.csv: line 42 has 1 column, not 30")


def test_the_cells_and_lines_of_rows_are_found_again(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(NAMED.replace("\n", "\n\n", 3))
    with path.open("rb") as file:
        head, stream = look_ahead(file)
        table = open_csv(Member("x", "CSV", (), head, stream, path))
        [batch] = table.read((1,), (0,))

    assert batch.locate(0) == "line 3"
    assert batch.locate(39) == "line 44"
    assert batch.cell(39, 1) == ROWS[39][1]
    assert to_frame(EVENTS)[LABEL].tolist() == [float(x) for x in batch.columns[0].to_pylist()]
