import re

import pytest

from formats.column_names import known_column
from formats.features import COLUMNS, FEATURES, LABEL
from pipeline.intake.column_mapping import ColumnOptions, map_columns, read_names
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.table import Table


def table(names, width=None):
    return Table("x", "CSV", names and tuple(names), lambda *_: iter(()), [], unnamed=width or 0)


def mapped(columns, is_labelled=True, width=None, **options):
    return map_columns(table(columns, width), ColumnOptions(**options), is_labelled=is_labelled)


def refusal(columns, **options):
    with pytest.raises(IntakeError) as caught:
        mapped(columns, **options)
    return str(caught.value)


def test_columns_are_found_in_any_order_and_others_are_dropped():
    names = ["run", *reversed(COLUMNS), "weight"]

    columns = mapped(names)

    assert [names[index] for index in columns.features] == list(FEATURES)
    assert names[columns.label] == LABEL
    assert columns.dropped == ("run", "weight")
    assert not columns.by_position


def test_additional_columns_are_kept_on_request():
    columns = mapped([*COLUMNS, "weight", "run"], keep=("weight",))

    assert columns.kept == {"weight": 29}
    assert columns.dropped == ("run",)


@pytest.mark.parametrize(
    "name",
    ["class_label", "is_boson", "Signal", "y_int", "labelId", "target_class", "Y_VAL_LABELS"],
)
def test_common_names_of_the_label_are_known(name):
    assert mapped([name, *FEATURES]).label == 0


def test_another_form_of_the_label_is_left_out():
    columns = mapped(["label_id", "label", *FEATURES])

    assert columns.label == 1
    assert columns.dropped == ("label_id",)


def test_columns_are_known_by_their_names_and_by_aliases():
    assert [known_column(name) for name in COLUMNS] == list(COLUMNS)
    assert known_column("jet1pt") == FEATURES[5]
    assert known_column("met") == FEATURES[3]
    assert known_column("lepton_η [rad]") == FEATURES[1]
    assert known_column("ΔΦ") is None
    assert known_column("missing_energy_Φ") == FEATURES[4]


@pytest.mark.parametrize(
    "others", [[], [f"jet_4_{part}" for part in ("pt", "eta", "phi", "b_tag")]]
)
@pytest.mark.parametrize("jet", ["jet_", "j"])
def test_jets_may_be_counted_from_0(others, jet):
    names = [re.sub(r"jet_(\d)", lambda m: f"{jet}{int(m[1]) - 1}", name) for name in COLUMNS]

    columns = mapped([*others, *names])

    assert columns.features == tuple(range(len(others) + 1, len(others) + 29))
    assert columns.dropped == tuple(others)


def test_names_can_be_mapped():
    names = ["truth", *FEATURES[:-1], "mass7"]

    columns = mapped(names, names={FEATURES[-1]: "mass7"}, label="truth")

    assert columns.features[-1] == 28
    assert columns.label == 0


def test_one_column_is_not_given_two_names():
    with pytest.raises(IntakeError, match=r"for lepton_pt and for label\. Correct --names or --l"):
        mapped(COLUMNS, names={FEATURES[0]: "m_bb"}, label="m_bb")


def test_columns_without_names_are_the_published_ones():
    columns = mapped(None, width=29)

    assert (columns.label, columns.features) == (0, tuple(range(1, 29)))
    assert columns.by_position


def test_a_table_with_fewer_columns_than_features_cannot_be_given_names():
    assert "19 columns without names, not 29 (the label, then the 28 features). Give a" in refusal(
        None, width=19
    )


@pytest.mark.parametrize("pattern", ["{}", "f{}", "_c{}", "V{}", "Column {}"])
@pytest.mark.parametrize("start", [0, 1])
def test_numbered_columns_count_as_unnamed(pattern, start):
    names = [pattern.format(index) for index in range(start, start + 29)]

    assert mapped(names).features == tuple(range(1, 29))
    assert mapped(["index", *names]).features == tuple(range(2, 30))


def test_a_table_of_one_class_needs_no_label():
    assert mapped(FEATURES, is_labelled=False).label is None
    assert mapped(["label", "class", *FEATURES], is_labelled=False).label is None
    assert mapped(None, is_labelled=False, width=28).features == tuple(range(28))


@pytest.mark.parametrize(
    ("names", "options", "sentence"),
    [
        (
            ["label", *FEATURES[1:], "lep1"],
            {},
            f"x: 1 of the 28 features is missing ({FEATURES[0]}); unused columns: lep1. If they "
            "have other names, give them with --names FILE",
        ),
        (
            ["EventId", "Weight", "Weight", "s"],
            {},
            "and 22 more); unused columns: EventId, Weight, s. Give a table with all of them",
        ),
        ([*COLUMNS, "m_bb"], {}, "x: has two columns named 'm_bb'. Rename one."),
        (FEATURES, {}, "x: no column is named as the label. Name it with --label NAME (for"),
        (
            [*COLUMNS, "class"],
            {},
            "x: label and class are both names of label. Choose with --label NAME.",
        ),
        (
            [*COLUMNS, FEATURES[0].upper()],
            {},
            f"x: {FEATURES[0]} and {FEATURES[0].upper()} are both names of {FEATURES[0]}.",
        ),
        (COLUMNS, {"label": "lable"}, "x: has no column 'lable' for label; it has label."),
        (
            COLUMNS,
            {"names": {"label": "truth"}, "is_labelled": False},
            "x: has no column 'truth' for label; it has label, lepton_pt, lepton_eta, lepton_phi, "
            "missing_energy_magnitude, missing_energy_phi and 23 more. Correct --names.",
        ),
        (
            COLUMNS,
            {"names": {"m_bb": "m_jj", "m_jlv": "m_jj"}, "is_labelled": False},
            "x: 'm_jj' is given for m_bb and for m_jlv. Correct --names.",
        ),
        (
            ["index", *map(str, range(27))],
            {"is_labelled": False},
            "x: has 28 columns without names, not 28 (the features). Give a table with all of them",
        ),
        (COLUMNS, {"keep": ("weight",)}, "x: has no column 'weight' to keep; it has label,"),
        (
            ["truth", *COLUMNS],
            {"label": "truth", "keep": ("label",)},
            "x: --keep label would replace the key label of the records. Rename the column",
        ),
        (
            ["features", *COLUMNS],
            {"keep": ("features",)},
            "x: --keep features would replace the key features of the records.",
        ),
        (
            COLUMNS,
            {"keep": ("m_bb",)},
            "x: --keep m_bb names the label or a feature, which",
        ),
        (
            COLUMNS,
            {"header": COLUMNS},
            f"x: has its own column names (label, {FEATURES[0]}, {FEATURES[1]} and 26 more). Leave",
        ),
        (
            ["1.0", *(f"0.{index}5" for index in range(28))],
            {},
            "x: its column names are the numbers of an event, such as '1.0'",
        ),
        *(
            ([number] * 29, {}, f"are the numbers of an event, such as '{number}'")
            for number in ("1.75D+00", "0x1.c11bp+0")
        ),
    ],
)
def test_missing_or_ambiguous_columns_are_named_with_the_option(names, options, sentence):
    assert sentence in refusal(names, **options)


def test_a_name_that_occurs_twice_cannot_be_chosen():
    names = [*COLUMNS, "kind", "kind"]

    assert "has 2 columns named 'kind', so --label is ambig" in refusal(names, label="kind")
    assert "has 2 columns named 'kind', so --keep is ambig" in refusal(names, keep=("kind",))


def test_the_header_must_name_every_column():
    with pytest.raises(IntakeError, match="has 30 columns, and --header names 29"):
        mapped(None, width=30, header=COLUMNS)


def test_mapping_files(tmp_path):
    path = tmp_path / "names.yaml"
    path.write_text(f"{FEATURES[0]}: lep_pt_0\n{FEATURES[1]}: 1_0\nlabel: 7\n")

    assert read_names(path) == {FEATURES[0]: "lep_pt_0", FEATURES[1]: "1_0", "label": "7"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lepton_Pt: x\n", "'lepton_Pt' is not one of our columns; the nearest is lepton_pt"),
        ("m_bb: a\nm_bb: b\n", "is not a mapping file"),
        ("- a\n", "is not a mapping file. Write one line 'OURS: THEIRS' per column"),
        (": : :", "is not a mapping file"),
        ("m_bb: {{ m_bb }}\n", "is not a mapping file"),
    ],
)
def test_other_mapping_files_are_refused(tmp_path, text, sentence):
    (tmp_path / "names.yaml").write_text(text)

    with pytest.raises(IntakeError, match=sentence):
        read_names(tmp_path / "names.yaml")
