"""ROOT, libsvm, ARFF and TFRecord files of other forms."""

import sys
from pathlib import Path

import numpy as np
import pytest
from event_makers import make_published_events, same_events
from fuzz_targets import limited
from shard_makers import frame
from table_makers import convert_all, to_rows, with_columns

from formats.errors import DataRefusedError
from formats.features import COLUMNS, FEATURES
from formats.published.record import encode_events
from pipeline.intake import root_reader
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.conversion import Inputs, SplitOptions, convert
from pipeline.intake.input_sources import find_sources, with_label
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.label_values import LabelValues
from pipeline.intake.scored_rows import file_rows
from pipeline.intake.table_events import ColumnOptions, IntakeOptions

ROOT_FILE = Path(__file__).parents[2] / "fuzz" / "corpus" / "table" / "root"
EVENTS = make_published_events(25, seed=6)
ROWS = to_rows(EVENTS, "%.9g")
SEQUENCE = b"\x0a\x0d\x0a\x0b\x0a\x05label\x12\x02\x1a\x00\x12\x05\x0a\x03\x0a\x01x"
"""A `tf.train.SequenceExample` with a label in its context."""


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "x"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_bytes


@pytest.fixture
def root_file(tmp_path):
    uproot = pytest.importorskip("uproot")

    def write_trees(**trees):
        with uproot.recreate(tmp_path / "x.root") as file:
            for name, columns in trees.items():
                types = {key: (array.dtype, array.shape[1:]) for key, array in columns.items()}
                file.mktree(name, types)
                file[name].extend(columns)
        return tmp_path / "x.root"

    return write_trees


def branches(rows=slice(None)):
    return {name: EVENTS.features[rows, index] for index, name in enumerate(FEATURES)}


@pytest.mark.slow
def test_a_tree_with_a_label(tmp_path, root_file):
    path = root_file(events={**branches(), "Type": EVENTS.labels})

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_a_branch_with_all_features(tmp_path, root_file):
    path = root_file(
        events={"Type": EVENTS.labels, "inputs": EVENTS.features, "run": EVENTS.labels}
    )

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_named_branches_are_read_beside_several_of_28_numbers(tmp_path, root_file):
    columns = {f"b_{name}": values for name, values in branches().items()}
    vectors = {"raw": EVENTS.features, "scaled": EVENTS.features}
    path = root_file(events={**vectors, **columns, "Type": EVENTS.labels})

    options = with_columns(names={name: f"b_{name}" for name in FEATURES})
    events, _ = convert_all([path], tmp_path / "out", options)

    assert same_events(events, EVENTS)


def test_one_of_several_branches_with_all_features_can_be_chosen(tmp_path, root_file):
    features = EVENTS.features
    path = root_file(events={"Type": EVENTS.labels, "raw": features, "scaled": features + 1})

    with pytest.raises(
        IntakeError, match=r"several columns of 28 numbers: raw, scaled.*--features"
    ):
        convert_all([path], tmp_path / "out")
    options = IntakeOptions(arrays=ArrayChoice("raw"))
    events, _ = convert_all([path], tmp_path / "out", options)
    assert same_events(events, EVENTS)


@pytest.fixture
def baskets(tmp_path, monkeypatch):
    """A file with two baskets per branch, read in smaller batches; counts the baskets read."""
    uproot = pytest.importorskip("uproot")
    columns, read = {**branches(), "Type": EVENTS.labels}, []
    with uproot.recreate(tmp_path / "x.root") as file:
        file.mktree("events", {name: array.dtype for name, array in columns.items()})
        for rows in (slice(10), slice(10, None)):
            file["events"].extend({name: array[rows] for name, array in columns.items()})
    members = uproot.models.TBasket.Model_TBasket.read_members

    def read_members(self, *arguments):
        read.append(self)
        members(self, *arguments)

    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read_members", read_members)
    monkeypatch.setattr("pipeline.intake.table._BATCH_ROWS", 4)
    return tmp_path / "x.root", read


def test_a_basket_is_read_once(tmp_path, baskets):
    path, read = baskets

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert len(read) == 2 * len(COLUMNS)


def test_a_basket_without_all_of_its_entries_is_damaged(tmp_path, baskets, monkeypatch):
    path, _ = baskets
    monkeypatch.setattr("uproot.models.TBasket.Model_TBasket.num_entries", 9)

    with pytest.raises(IntakeError, match="as ROOT after 0 events: it is truncated"):
        convert_all([path], tmp_path / "out")


def test_named_branches_are_read_beside_one_of_28_other_numbers(tmp_path, root_file):
    path = root_file(events={**branches(), "Type": EVENTS.labels, "weights": EVENTS.features + 1})

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_a_branch_of_another_length_is_named(tmp_path, root_file):
    path = root_file(events={**branches(), "Type": EVENTS.labels, "m_bb": EVENTS.features[:, :3]})

    with pytest.raises(IntakeError, match="the branch m_bb does not hold one number per entry"):
        convert_all([path], tmp_path / "out")


@pytest.mark.slow
def test_no_text_of_a_root_file_is_run(tmp_path, root_file, monkeypatch):
    """uproot evaluates the titles of leaves, and compiles classes that the file describes."""
    path = root_file(events={**branches(), "Type": EVENTS.labels, "z": np.zeros((25, 2, 2))})

    def fail(*_, **__):
        pytest.fail("a type was read from the texts of the file")

    monkeypatch.setattr("uproot.interpretation.identify.interpretation_of", fail)
    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)
    path.write_bytes(path.read_bytes().replace(b"fMarkerColor", b"f'+exit(77)'"))
    with pytest.raises(IntakeError, match=r"member named .*exit\(77\).* not a C\+\+ name"):
        convert_all([path], tmp_path / "out2")


def test_classes_that_uproot_does_not_know_are_read_as_the_file_describes_them(
    tmp_path, root_file, monkeypatch
):
    """As those of later versions of ROOT, and of trees such as TNtuple."""
    path = root_file(events={**branches(), "Type": EVENTS.labels})
    versions = pytest.importorskip("uproot").classes["TAttMarker"].known_versions
    monkeypatch.delitem(versions, 2)

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert versions[2].__module__ == "uproot.dynamic"


@pytest.mark.parametrize("columns", [branches(), {"x": EVENTS.features}], ids=["scalars", "vector"])
def test_packed_numbers_are_named(tmp_path, root_file, monkeypatch, columns):
    """uproot does not write them."""
    path = root_file(events={**columns, "Type": EVENTS.labels.astype("f8")})
    monkeypatch.delitem(root_reader._TYPES, "TLeafF")
    monkeypatch.setitem(root_reader._PACKED, "TLeafF", "Float16_t")

    with pytest.raises(IntakeError, match=r"holds Float16_t, .* in 1 branch: (x|\w+)\. Write them"):
        convert_all([path], tmp_path / "out")


def test_a_branch_of_several_numbers_per_entry_is_named(tmp_path, root_file):
    path = root_file(events={"jets": np.zeros((25, 4, 7)), "Type": EVENTS.labels})

    with pytest.raises(IntakeError, match="the branch jets does not hold one number per entry, bu"):
        convert_all([path], tmp_path / "out")

    others = {f"{name}_reco": column for name, column in branches().items()}
    path = root_file(events={"jets": np.zeros((25, 4, 7)), "Type": EVENTS.labels, **others})
    with pytest.raises(IntakeError, match="If they have other names, give them with --names FILE"):
        convert_all([path], tmp_path / "out")


def test_a_branch_that_was_not_filled_for_every_entry_is_named(tmp_path, root_file, monkeypatch):
    path = root_file(events={**branches(), "Type": EVENTS.labels})
    monkeypatch.setattr("uproot.behaviors.TTree.TTree.num_entries", 26)

    with pytest.raises(IntakeError, match=r"branch \w+ has 25 of the 26 entries of events\. Fill"):
        convert_all([path], tmp_path / "out")


def test_root_files_that_were_joined_or_not_closed_are_named(tmp_path, root_file):
    path = root_file(events={**branches(), "Type": EVENTS.labels})
    content = path.read_bytes()
    path.write_bytes(content[:16] + bytes(4) + content[20:])  # Without a list of free space.

    events, conversion = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert "x.root: was not closed by the program that wrote it" in conversion.counts.notes[0]
    path.write_bytes(content * 2)
    with pytest.raises(IntakeError, match="data after the end of the ROOT file"):
        convert_all([path], tmp_path / "out2")


def test_two_branches_of_one_name_are_named(tmp_path, root_file):
    path = root_file(events={**branches(), "Type": EVENTS.labels, "m_bx": EVENTS.labels})
    path.write_bytes(path.read_bytes().replace(b"m_bx", b"m_bb"))

    with pytest.raises(IntakeError, match="has two columns named 'm_bb'"):
        convert_all([path], tmp_path / "out")


def test_friends_of_a_tree_are_named(tmp_path, root_file, monkeypatch):
    path = root_file(events={**branches(), "Type": EVENTS.labels})
    model = pytest.importorskip("uproot").model.Model
    member = model.member
    monkeypatch.setattr(
        model, "member", lambda self, key, **k: key == "fFriends" or member(self, key, **k)
    )

    _, conversion = convert_all([path], tmp_path / "out")

    assert conversion.counts.notes[0].endswith("events has friends, whose branches are not read")


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["ZLIB", "LZMA", "LZ4", "ZSTD"])
def test_every_compression_of_root_is_read(tmp_path, compression):
    uproot = pytest.importorskip("uproot")
    path = tmp_path / "x.root"
    with uproot.recreate(path, compression=getattr(uproot, compression)(1)) as file:
        file["events"] = {**branches(), "Type": EVENTS.labels}
    with uproot.open(path) as file:
        label = file["events"]["Type"]
        assert label.compressed_bytes < label.uncompressed_bytes

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_a_package_that_a_compression_needs_is_named(tmp_path, monkeypatch):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "x.root", compression=uproot.LZ4(1)) as file:
        file["events"] = {**branches(), "Type": EVENTS.labels}
    monkeypatch.setitem(sys.modules, "xxhash", None)

    with pytest.raises(IntakeError, match=r"install the .xxhash. packages"):
        convert_all([tmp_path / "x.root"], tmp_path / "out")


@pytest.mark.parametrize("kind", ["ROOT::RNTuple", "ROOT::Experimental::RNTuple"])
def test_an_ntuple_of_the_new_kind_is_named(tmp_path, kind):
    with pytest.importorskip("uproot").recreate(tmp_path / "x.root") as file:
        file._cascading.add_object(file.file.sink, kind, "events", "", b"anchor", 6)

    with pytest.raises(IntakeError, match=r"events is an RNTuple, which is not read\. Write it"):
        convert_all([tmp_path / "x.root"], tmp_path / "out")


def test_a_file_whose_damage_asks_for_much_memory_is_named(tmp_path):
    data = ROOT_FILE.read_bytes()
    start = data.index(b"\x05TTree\x01t") + 6
    (tmp_path / "x.root").write_bytes(data[:start] + data[start + 2 :])

    with limited(), pytest.raises(IntakeError, match=r"x\.root: .* as ROOT after 0 .* more memory"):
        convert_all([tmp_path / "x.root"], tmp_path / "out")


def test_trees_of_one_class_each(tmp_path, root_file):
    is_signal = EVENTS.labels == 1
    path = root_file(sig=branches(is_signal), bkg=branches(~is_signal))
    with pytest.raises(IntakeError, match=r"has 2 trees: bkg, sig\. Name one as .*x\.root:TREE"):
        convert_all([path], tmp_path / "out")

    signal, background = (find_sources([f"{path}:{tree}"])[0] for tree in ("sig", "bkg"))
    inputs = Inputs([*with_label(signal, 1), *with_label(background, 0)])
    conversion = convert(inputs, tmp_path / "out", IntakeOptions(), SplitOptions(by_hash=True))

    assert conversion.counts.read == 25
    assert [source.events for source in conversion.counts.sources] == [
        is_signal.sum(),
        (~is_signal).sum(),
    ]


def test_the_last_version_of_a_tree_is_read_and_the_others_are_counted(tmp_path, root_file):
    path = root_file(events={**branches(slice(9)), "Type": EVENTS.labels[:9]})
    uproot = pytest.importorskip("uproot")
    columns = {**branches(), "Type": EVENTS.labels}
    with uproot.update(path) as file:
        file.mktree("events", {key: array.dtype for key, array in columns.items()})
        file["events"].extend(columns)

    events, conversion = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)
    [note] = conversion.counts.notes
    assert note.endswith("the last of 2 versions of the tree events is read, of 25 entries")


def test_a_tree_that_does_not_exist(tmp_path, root_file):
    path = root_file(events=branches())

    with pytest.raises(IntakeError, match=r"x\.root:event: has no tree 'event'; its trees: events"):
        convert_all([f"{path}:event"], tmp_path / "out")


def test_only_files_with_several_tables_take_a_name(tmp_path, write):
    path = write(to_arff(ROWS))

    with pytest.raises(IntakeError, match=r"is ARFF, .* no parts with names\. Leave out ':t'"):
        convert_all([f"{path}:t"], tmp_path / "out")


def test_without_uproot_the_extra_is_named(tmp_path, write, monkeypatch):
    monkeypatch.setitem(sys.modules, "uproot", None)

    with pytest.raises(IntakeError, match=r"pip install 'higgs-pipeline\[root\]'"):
        convert_all([write(b"root\0\0")], tmp_path / "out")


def test_a_damaged_root_file(tmp_path, write):
    pytest.importorskip("uproot")

    with pytest.raises(IntakeError, match=r"x: (is a truncated or corrupt ROOT|has no trees)"):
        convert_all([write(b"root" + bytes(100))], tmp_path / "out")


def to_libsvm(events):
    lines = [
        " ".join([f"{label:g}", *(f"{i}:{v:.9g}" for i, v in enumerate(values, 1) if v)])
        for values, label in zip(*events, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines)


def test_a_last_line_without_a_newline_may_be_cut(tmp_path, write):
    _, conversion = convert_all([write(to_libsvm(EVENTS)[:-3])], tmp_path / "out")

    [note] = conversion.counts.notes
    assert "the last line has no newline; if the file was cut there" in note


def test_libsvm_leaves_out_zeros(tmp_path, write):
    text = to_libsvm(EVENTS)
    assert len(text.split()) < 25 * 29

    events, _ = convert_all([write(text)], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_libsvm_with_queries_comments_and_blank_lines(tmp_path, write):
    lines = to_libsvm(EVENTS).replace("\n", " # an event\n").splitlines()
    lines = [line.replace(" ", " qid:1 ", 1) for line in lines]
    text = "\n".join(["# written by a program", *lines[:9], "", *lines[9:]]) + "\n"

    events, _ = convert_all([write(text)], tmp_path / "out")

    assert same_events(events, EVENTS)
    with pytest.raises(IntakeError, match="line 28 has the label '2'"):
        convert_all([write(text + "2 1:0.5\n")], tmp_path / "new")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_the_mark_of_other_systems(tmp_path, write, end):
    for text in (to_libsvm(EVENTS), to_arff(ROWS)):
        folder = tmp_path / text.split(maxsplit=1)[0]
        events, conversion = convert_all([write("\ufeff" + text.replace("\n", end))], folder)
        assert same_events(events, EVENTS)
        assert not any("newline" in note for note in conversion.counts.notes)
    path = write((to_libsvm(EVENTS) + "1 1:abc\n").replace("\n", end))
    with pytest.raises(IntakeError, match="line 26 has '1:abc'"):
        convert_all([path], tmp_path / "new")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 0:0.5 1:0.5\n", r"line 26 has '0:0.5'; .* Add 1 to each index"),
        ("1 2:0.5 1:0.5\n", "line 26 has the index 1 after one that is not smaller. Write each"),
        ("1 2:0.5 2:0.5\n", "line 26 has the index 2 after one that is not smaller. Write each"),
        ("1 1:0.5 29:1\n", "x: line 26 has '29:1'; expected INDEX:VALUE with an index from 1 to"),
        (
            f"1 {10**20}:0.5\n",
            "x: line 26 has .100000000000000000000:0.5.; expected INDEX:VALUE with an",
        ),
        (f"1 {'5' * 5000}:0.5\n", "x: line 26 has .5555.*; expected INDEX:VALUE with an index"),
        ("1 0:0.5\n", "x: line 26 has '0:0.5'"),
        ("1 1:abc\n", "x: line 26 has '1:abc'"),
        ("s 1:0.5\n", "x: line 26 has 's' as label"),
        ("-1 1:0.5\n", "x: line 26 has the label '-1'"),
    ],
    ids=lambda text: text[:30],
)
def test_invalid_lines_of_libsvm(tmp_path, write, line, sentence):
    with pytest.raises(IntakeError, match=sentence):
        convert_all([write(to_libsvm(EVENTS) + line)], tmp_path / "out")


def to_arff(rows, names=COLUMNS):
    attributes = "".join(f"@ATTRIBUTE '{name}' NUMERIC\n" for name in names)
    data = "".join(",".join(row) + "\n" for row in rows)
    return f"% a comment\n@RELATION higgs\n\n{attributes}\n@DATA\n{data}"


def test_arff_names_its_columns(tmp_path, write):
    names = ["class", *(name.replace("_", "-") for name in FEATURES)]

    text = to_arff(ROWS, names) + "%\n% the end\n"
    events, _ = convert_all([write(text)], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_lines_of_arff_are_counted_from_the_start_of_the_file(tmp_path, write):
    rows = [*ROWS[:3], [*ROWS[3][:5], "?", *ROWS[3][6:]]]
    text = to_arff(rows)
    line = text.splitlines().index(",".join(rows[3])) + 1

    with pytest.raises(IntakeError, match=f"the first in line {line} with '.' as {COLUMNS[5]}"):
        convert_all([write(text)], tmp_path / "out")


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_no_row_of_arff_is_lost_to_a_comment(tmp_path, write, separator):
    text = to_arff(ROWS).replace("% a comment", f"% page 1{separator}% page 2{separator}")

    events, _ = convert_all([write(text.replace("@DATA", "@DATA % of 2021"))], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_an_attribute_that_is_missing_in_arff(tmp_path, write):
    with pytest.raises(IntakeError, match="line 34 has 29 columns, not 28"):
        convert_all([write(to_arff(ROWS, COLUMNS[:-1]))], tmp_path / "out")


def test_sparse_and_incomplete_arff(tmp_path, write):
    with pytest.raises(IntakeError, match=r"has sparse rows, such as '\{0'"):
        convert_all([write(to_arff([["{0 1", "2 0.5}"]]))], tmp_path / "out")
    with pytest.raises(IntakeError, match="has no line @data"):
        convert_all([write("@relation x\n@attribute y numeric\n")], tmp_path / "out")


def float_feature(*values):
    from tensorflow.train import Feature, FloatList

    return Feature(float_list=FloatList(value=values))


def int_feature(*values):
    from tensorflow.train import Feature, Int64List

    return Feature(int64_list=Int64List(value=map(int, values)))


def bytes_feature(*values):
    from tensorflow.train import BytesList, Feature

    return Feature(bytes_list=BytesList(value=values))


def tensor_feature(array):
    import tensorflow as tf

    return bytes_feature(tf.io.serialize_tensor(tf.constant(array)).numpy())


def damaged_tensor(kind):
    """A tensor of 28 numbers with 13 bytes for them."""
    from tensorflow.core.framework import tensor_pb2

    tensor = tensor_pb2.TensorProto(dtype=kind, tensor_content=bytes(13))
    tensor.tensor_shape.dim.add(size=28)
    return bytes_feature(tensor.SerializeToString())


def shard(make_features):
    from tensorflow.train import Example, Features

    records = [
        Example(features=Features(feature=make_features(x, y))).SerializeToString()
        for x, y in zip(*EVENTS, strict=True)
    ]
    return frame(records)


FORMS = {
    "published": lambda x, y: {"features": tensor_feature(x), "label": float_feature(y)},
    "label of type int64": lambda x, y: {"features": tensor_feature(x), "label": int_feature(y)},
    "doubles": lambda x, y: {"features": tensor_feature(x.astype("f8")), "label": float_feature(y)},
    "a row": lambda x, y: {"features": tensor_feature(x[None]), "label": float_feature(y)},
    "a list": lambda x, y: {"features": float_feature(*x), "label": float_feature(y)},
    "columns": lambda x, y: {
        "class_label": float_feature(y),
        **{name: float_feature(value) for name, value in zip(FEATURES, x, strict=True)},
    },
    "a weight": lambda x, y: {
        "features": tensor_feature(x),
        "label": float_feature(y),
        "weight": float_feature(0.5),
    },
    "other lists": lambda x, y: {
        "features": tensor_feature(x),
        "label": float_feature(y),
        "ids": int_feature(1, 2),
    },
}
NOTES = {"a weight": ["dropped the column weight"], "other lists": ["left out ids"]}


@pytest.mark.parametrize("form", FORMS)
def test_records_of_every_form_give_the_same_events(tmp_path, write, form):
    events, conversion = convert_all([write(shard(FORMS[form]))], tmp_path / "out")

    assert same_events(events, EVENTS)
    [*notes] = (note.partition(": ")[2] for note in conversion.counts.notes)
    assert notes == NOTES.get(form, [])


def test_half_precision_loses_the_codes_of_b_tags(tmp_path, write):
    content = shard(lambda x, y: {"x": tensor_feature(x.astype("f2")), "y": float_feature(y)})
    options = IntakeOptions(columns=ColumnOptions(label="y"), arrays=ArrayChoice("x", "y"))

    with pytest.raises(IntakeError, match=r"invalid b-tags: .*the first in record \d+ with '\d"):
        convert_all([write(content)], tmp_path / "out", options)


def test_labels_and_other_keys_may_be_texts(tmp_path, write):
    path = write(
        shard(
            lambda x, y: {
                "features": tensor_feature(x),
                "label": bytes_feature([b"bkg", b"sig"][int(y)]),
                "event": int_feature(2**60 + int(y)),
                "run": bytes_feature(b"2017A"),
            }
        )
    )
    options = IntakeOptions(labels=LabelValues("sig", "bkg", are_given=True))

    assert same_events(convert_all([path], tmp_path / "out", options)[0], EVENTS)
    rows = file_rows(str(path), ["run"], "event", False)
    [part] = rows.read(rows.digest(), lambda _: None)
    assert part.columns["event"].to_pylist() == [2**60 + int(y) for y in EVENTS.labels]
    assert part.columns["run"].to_pylist() == ["2017A"] * 25


def test_a_copied_key_of_bytes_that_are_no_text_is_named(write):
    run = bytes_feature(b"\xff\x01")
    path = write(shard(lambda x, _: {"features": tensor_feature(x), "run": run}))
    rows = file_rows(str(path), ["run"], "", False)

    with pytest.raises(DataRefusedError, match="record 1 has bytes in 'run' that are not UTF-8"):
        list(rows.read(rows.digest(), lambda _: None))


def test_a_copied_key_of_texts_and_numbers_is_named(write):
    runs = {0.0: bytes_feature(b"2017A"), 1.0: int_feature(2017)}
    path = write(shard(lambda x, y: {"features": tensor_feature(x), "run": runs[float(y)]}))
    rows = file_rows(str(path), ["run"], "", False)

    with pytest.raises(DataRefusedError, match="x: the column 'run' holds values of several types"):
        list(rows.read(rows.digest(), lambda _: None))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (lambda x, _: {"features": tensor_feature(x)}, "no column is named as the label"),
        (lambda *_: {}, "record 1 is not a tf.train.Example with keys"),
        (
            lambda x, y: {
                "features": tensor_feature(x),
                "label": bytes_feature(b"bs"[int(y) :][:1]),
            },
            r"has the label '[sb]', which is neither 0 nor 1. .* such as --signal s --background b",
        ),
        (
            lambda *_: {**dict.fromkeys(FEATURES, bytes_feature(b"1")), "label": float_feature(1)},
            "record 1 has 1 values of bytes_list in 'lepton_pt', not one number",
        ),
        (lambda x, y: {"x": tensor_feature(x), "y": float_feature(y)}, "--features and that of"),
        (
            lambda x, y: {"features": tensor_feature(x[:21]), "label": float_feature(y)},
            r"record 1 holds a tensor of shape \[21\] in 'features', not \[28\]",
        ),
        (
            lambda x, y: {"features": tensor_feature(np.stack([x, x])), "label": float_feature(y)},
            r"record 1 holds a tensor of shape \[2, 28\] .* write one record per event",
        ),
        (
            lambda x, y: {"features": float_feature(*x[:9]), "label": float_feature(y)},
            "record 1 has 9 values in 'features', not 28",
        ),
        (
            lambda x, y: {"features": float_feature(*x), "label": float_feature(y, 1 - y)},
            "record 1 has 2 values of float_list in 'label', not one number or text",
        ),
        (
            lambda x, _: {"features": float_feature(*x), "label": float_feature(0.95)},
            "record 1 has the label '0.95', which is neither 0 nor 1",
        ),
        *(
            (
                lambda *_, kind=kind: {"features": damaged_tensor(kind), "label": float_feature(1)},
                f"record 1 holds a tensor in 'features' that cannot be read: of type {kind}, with",
            )
            for kind in (2, 3, 7, 19, 20, 101, 999)  # double, int32, string, half, resource, ...
        ),
        (
            lambda x, _: {"features": tensor_feature(x.astype("c8")), "label": float_feature(1)},
            "record 1 holds complex numbers in 'features'",
        ),
        (
            lambda *_: {"features": bytes_feature(*[b"?"] * 28), "label": float_feature(1)},
            "record 1 has values in 'features' that are not numbers",
        ),
    ],
)
def test_records_of_other_forms_are_named(tmp_path, write, features, sentence):
    with pytest.raises(IntakeError, match=sentence):
        convert_all([write(shard(features))], tmp_path / "out")


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        *((record, r"is not a tf\.train\.Example") for record in (b"\xff" * 9, b"", SEQUENCE)),
        (bytes(300_000), "has 300,000 bytes; an event has a few hundred"),
    ],
)
def test_records_that_are_not_examples(tmp_path, write, record, sentence):
    with pytest.raises(IntakeError, match=f"x: record 1 {sentence}"):
        convert_all([write(frame([record]))], tmp_path / "out")


def test_the_labels_of_records_may_be_other_values(tmp_path, write):
    content = shard(lambda x, y: {"features": tensor_feature(x), "label": int_feature(2 - y)})
    options = IntakeOptions(labels=LabelValues("1", "2", True))

    events, _ = convert_all([write(content)], tmp_path / "out", options)

    assert same_events(events, EVENTS)


@pytest.mark.parametrize("as_features", [tensor_feature, lambda x: float_feature(*x)])
def test_labels_of_minus_one_need_the_options(tmp_path, write, as_features):
    path = write(
        shard(lambda x, y: {"features": as_features(x), "label": float_feature(2 * y - 1)})
    )

    with pytest.raises(
        IntakeError, match=r"has the label '?-1'?, which .* --signal \S+ --background"
    ):
        convert_all([path], tmp_path / "out")
    options = IntakeOptions(labels=LabelValues("1", "-1", True))
    events, _ = convert_all([path], tmp_path / "out", options)
    assert same_events(events, EVENTS)


@pytest.mark.parametrize("as_features", [tensor_feature, lambda x: float_feature(*x)])
def test_a_key_that_only_later_records_have_is_not_dropped(tmp_path, write, as_features):
    count = iter(range(len(ROWS)))
    content = shard(
        lambda x, y: {
            "features": as_features(x),
            "label": float_feature(y),
            **({"weight": float_feature(2.0)} if next(count) == 9 else {}),
        }
    )

    with pytest.raises(IntakeError, match=r"record 10 .*weight.*Correct or leave out the record"):
        convert_all([write(content)], tmp_path / "out")


def test_published_records_are_read_without_tensorflow(tmp_path, write, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow.core.example", None)

    events, _ = convert_all([write(encode_events(EVENTS))], tmp_path / "out")

    assert same_events(events, EVENTS)
