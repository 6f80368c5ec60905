import re
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from event_makers import make_published_events, same_events
from table_makers import convert_all, to_frame, with_columns

from formats.features import COLUMNS, FEATURES
from pipeline.intake.array_readers import open_numpy_archive
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.input_members import open_members
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.label_values import LabelValues
from pipeline.intake.table_events import ColumnOptions, IntakeOptions

EVENTS = make_published_events(30, seed=2)
X, Y = EVENTS.features, EVENTS.labels
MATRIX = np.column_stack([Y, X])
FRAME = to_frame(EVENTS)
RECORDS = FRAME.to_records(index=False)
VECTORS = {name: FRAME[name].to_numpy() for name in COLUMNS}


def write_hdf5(path, attributes=None, *, place=None, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
        file[place or next(iter(arrays)).replace("__", "/")].attrs.update(attributes or {})


WRITERS = {
    "matrix.npy": lambda path: np.save(path, MATRIX),
    "doubles in columns.npy": lambda path: np.save(path, np.asfortranarray(MATRIX.astype("f8"))),
    "records.npy": lambda path: np.save(path, RECORDS),
    "X and y.npz": lambda path: np.savez(path, X=X, y=Y),
    "compressed.npz": lambda path: np.savez_compressed(path, features=X, label=Y.astype(int)),
    "vectors.npz": lambda path: np.savez(path, **VECTORS),
    "x and y.h5": lambda path: write_hdf5(path, x=X, y=Y[:, None]),
    "groups.h5": lambda path: write_hdf5(path, a__data=X, a__labels=Y),
    "compound.h5": lambda path: write_hdf5(path, table=RECORDS),
    "columns.npz": lambda path: np.savez(
        path, version=1, **{k: v.reshape(-1, 1) for k, v in VECTORS.items()}
    ),
    "vectors.h5": lambda path: write_hdf5(path, **{f"events__{k}": v for k, v in VECTORS.items()}),
}


SHUFFLED = np.random.default_rng(0).permutation(28)
NAMES = [FEATURES[i] for i in SHUFFLED]
WITH_NAMES = {
    "named.npz": lambda path: np.savez(path, columns=NAMES, X=X[:, SHUFFLED], y=Y),
    "with the label.npz": lambda path: np.savez(
        path, data=MATRIX[:, [*(1 + SHUFFLED), 0]], names=np.bytes_([*NAMES, "is_boson"])
    ),
    "named.h5": lambda path: write_hdf5(path, x=X[:, SHUFFLED], y=Y, feature_names=NAMES),
    "attribute.h5": lambda path: write_hdf5(path, {"columns": NAMES}, x=X[:, SHUFFLED], y=Y),
    "attribute of a group.h5": lambda path: write_hdf5(
        path, {"columns": NAMES}, events__x=X[:, SHUFFLED], events__y=Y, place="events"
    ),
    "attribute of the file.h5": lambda path: write_hdf5(
        path, {"columns": NAMES}, x=X[:, SHUFFLED], y=Y, place="/"
    ),
}


@pytest.mark.parametrize("name", WITH_NAMES)
def test_names_beside_a_matrix_give_the_order_of_its_columns(tmp_path, name):
    WITH_NAMES[name](tmp_path / name)

    events, conversion = convert_all([tmp_path / name], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert not conversion.counts.notes


def test_names_beside_a_matrix_must_be_those_of_all_features(tmp_path):
    np.savez(tmp_path / "x.npz", columns=[*FEATURES[:27], "ht"], X=X, y=Y)

    with pytest.raises(IntakeError, match=r"1 of the 28 features is missing \(m_wwbb\).* ht\."):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")


def chosen(features=None, label=None):
    return IntakeOptions(columns=ColumnOptions(label=label), arrays=ArrayChoice(features, label))


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_in_every_arrangement_give_the_same_events(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)

    events, _ = convert_all([path], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_the_names_of_an_enumeration_are_the_labels(tmp_path):
    """Its numbers need not be those of signal and background."""
    kind = h5py.enum_dtype({"SIGNAL": 0, "BACKGROUND": 1}, "i1")
    write_hdf5(tmp_path / "x.h5", x=X, label=(1 - Y).astype("i1").astype(kind))

    with pytest.raises(IntakeError, match="--signal SIGNAL --background BACKGROUND"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out")
    options = IntakeOptions(labels=LabelValues("SIGNAL", "BACKGROUND", are_given=True))
    events, _ = convert_all([tmp_path / "x.h5"], tmp_path / "out", options)
    assert same_events(events, EVENTS)


def test_additional_columns_are_numbers(tmp_path):
    kind = h5py.enum_dtype({"none": 0, "tight": 1}, "i1")
    write_hdf5(tmp_path / "x.h5", X=X, y=Y, tag=(1 - Y).astype("i1").astype(kind))

    with pytest.raises(IntakeError, match=r"row 1 with '\w+' as tag, which is not a number"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out", with_columns(keep=("tag",)))


def test_a_text_among_the_features_is_named(tmp_path):
    texts = VECTORS["m_bb"].astype(str).astype(object)
    texts[4] = "n/a"
    write_hdf5(tmp_path / "x.h5", **{**VECTORS, "m_bb": texts})

    with pytest.raises(IntakeError, match="row 5 with 'n/a' as m_bb, which is not a number"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out")


@pytest.mark.parametrize("name", ["y_pred", "label_weights", "targets_w", "num_classes", "classID"])
def test_predictions_and_weights_are_not_labels(tmp_path, name):
    np.savez(tmp_path / "x.npz", x=X, **{name: Y})

    with pytest.raises(IntakeError, match=rf"no column is named .* {name}\. Name it with --label"):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")


@pytest.mark.parametrize("name", ["y_train", "Target_Val", "y_val_labels", "y_int", "cls"])
def test_labels_may_be_those_of_a_split(tmp_path, name):
    np.savez(tmp_path / "x.npz", x=X, y_pred=1 - Y, **{name: Y})

    events, _ = convert_all([tmp_path / "x.npz"], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_named_columns_are_read_beside_several_vectors(tmp_path):
    fields = [("raw", "f4", 28), ("scaled", "f4", 28), ("label", "f4")]
    fields += [(f"c_{name}", "f4") for name in FEATURES]
    rows = [(x, x, y, *x) for x, y in zip(X, Y, strict=True)]
    np.save(tmp_path / "x.npy", np.array(rows, fields))

    options = with_columns(names={name: f"c_{name}" for name in FEATURES})
    events, _ = convert_all([tmp_path / "x.npy"], tmp_path / "out", options)

    assert same_events(events, EVENTS)


def test_one_of_several_vectors_in_a_table_can_be_chosen(tmp_path):
    fields = [("raw", "f4", 28), ("scaled", "f4", 28), ("label", "f4")]
    table = np.array([*zip(X, X + 1, Y, strict=True)], fields)
    write_hdf5(tmp_path / "x.h5", table=table)

    with pytest.raises(IntakeError, match="several columns of 28 numbers: raw, scaled"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out")
    with pytest.raises(IntakeError, match=r"no column 'row' of 28 numbers; .*: raw, scaled"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out", chosen("row"))
    events, _ = convert_all([tmp_path / "x.h5"], tmp_path / "out", chosen("raw"))
    assert same_events(events, EVENTS)


def test_a_chosen_vector_replaces_columns_with_names_of_features(tmp_path):
    fields = [("m_bb", "f4"), ("scaled", "f4", 28), ("label", "f4")]
    write_hdf5(tmp_path / "x.h5", table=np.array([*zip(Y, X, Y, strict=True)], fields))

    events, _ = convert_all([tmp_path / "x.h5"], tmp_path / "out", chosen("scaled"))

    assert same_events(events, EVENTS)


@pytest.mark.parametrize("kind", ["virtual", "external", "link"])
def test_values_in_other_files_are_not_followed(tmp_path, kind):
    """HDF5 gives fill values for the missing file of a virtual data set, without an error."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["y"] = Y
        if kind == "external":
            (tmp_path / "raw").write_bytes(X.tobytes())
            file.create_dataset("x", X.shape, "f4", external=[(str(tmp_path / "raw"), 0, X.nbytes)])
        elif kind == "link":
            file["x"] = h5py.ExternalLink("other.h5", "/x")
        else:
            layout = h5py.VirtualLayout(X.shape, "f4")
            layout[:] = h5py.VirtualSource("missing.h5", "x", X.shape)
            file.create_virtual_dataset("x", layout, fillvalue=0.5)

    with pytest.raises(IntakeError, match=r"x\.h5: .* Left out: x holds values of another file"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out")


def test_a_link_beside_the_events_is_left_out(tmp_path):
    write_hdf5(tmp_path / "x.h5", x=X, y=Y, raw=h5py.ExternalLink("raw.h5", "/"))

    events, conversion = convert_all([tmp_path / "x.h5"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert any("left out: raw holds values of another" in note for note in conversion.counts.notes)


def test_named_features_are_read_beside_a_vector_of_other_numbers(tmp_path):
    kinds = [(name, "f4") for name in COLUMNS] + [("variations", "f4", (28,))]
    records = np.zeros(len(Y), kinds)
    for name in COLUMNS:
        records[name] = FRAME[name]
    np.save(tmp_path / "x.npy", records)

    events, _ = convert_all([tmp_path / "x.npy"], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_fields_of_several_numbers_are_named(tmp_path):
    records = np.zeros(9, [(name, "f4", (2,) if name == "m_bb" else ()) for name in COLUMNS])
    np.save(tmp_path / "x.npy", records)

    with pytest.raises(IntakeError, match=r"m_bb holds .*, not numbers"):
        convert_all([tmp_path / "x.npy"], tmp_path / "out")


def test_a_second_array_in_a_file_is_not_passed_over(tmp_path):
    with (tmp_path / "x.npy").open("wb") as file:
        np.save(file, MATRIX[:20])
        np.save(file, MATRIX[20:])

    with pytest.raises(IntakeError, match=r"x\.npy: has data after the end of the array"):
        convert_all([tmp_path / "x.npy"], tmp_path / "out")


def test_labels_may_be_in_a_file_of_their_own(tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y.astype(np.int64))

    events, _ = convert_all(
        [tmp_path / "X.npy"], tmp_path / "out", chosen(label=str(tmp_path / "y.npy"))
    )

    assert same_events(events, EVENTS)


@pytest.mark.parametrize("save", [np.savez, write_hdf5])
def test_one_of_several_matrices_can_be_chosen(tmp_path, save):
    path = tmp_path / "parts.npz"
    save(path, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9])

    with pytest.raises(IntakeError, match=r"several matrices: .*x_test \[9, 28\].* --features"):
        convert_all([path], tmp_path / "out")
    events, _ = convert_all([path], tmp_path / "out", chosen("x_train", "y_train"))
    assert same_events(events, EVENTS)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_group_with_matrix_and_labels_can_be_chosen(tmp_path, by_name):
    path = tmp_path / "parts.h5"
    write_hdf5(path, train__x=X, train__y=Y, test__x=X[:9], test__y=Y[:9])
    source, options = (f"{path}:train", None) if by_name else (path, chosen("train"))

    events, conversion = convert_all([source], tmp_path / "out", options)

    assert same_events(events, EVENTS)
    assert conversion.counts.notes == [f"{source}: left out test/x, test/y"]


def test_an_empty_data_set_beside_the_events_is_left_out(tmp_path):
    write_hdf5(tmp_path / "x.h5", x=X, y=Y, empty=h5py.Empty("f4"))

    events, _ = convert_all([tmp_path / "x.h5"], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_a_matrix_is_read_beside_any_number_of_vectors(tmp_path):
    np.savez(tmp_path / "x.npz", X=X, y=Y, **{f"edges_{i}": np.arange(5.0) for i in range(40)})

    events, conversion = convert_all([tmp_path / "x.npz"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert "left out edges_0, " in conversion.counts.notes[0]


def test_columns_are_read_beside_a_matrix_of_something_else(tmp_path):
    np.savez(tmp_path / "x.npz", **VECTORS, covariance=np.eye(28))

    events, conversion = convert_all([tmp_path / "x.npz"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert conversion.counts.notes == [f"{tmp_path / 'x.npz'}: left out covariance"]


CLASSES = np.stack([1 - Y, Y], 1)


@pytest.mark.parametrize(
    ("names", "labels", "label", "message"),
    [
        ("X y", Y[:9], None, r"left out y \(not of these 30 rows\)"),
        (
            "X y",
            CLASSES,
            None,
            r"y have the shape \[30, 2\], .* Write one .*, such as y\[",
        ),
        ("x_train y_train", CLASSES, None, r"such as y_train\[:, 1\] if"),
        ("X y", CLASSES, "y", r"such as y\[:, 1\] if"),
    ],
)
def test_labels_of_another_shape_are_named(tmp_path, names, labels, label, message):
    np.savez(tmp_path / "x.npz", **dict(zip(names.split(), (X, labels), strict=True)))

    with pytest.raises(IntakeError, match=message):
        convert_all([tmp_path / "x.npz"], tmp_path / "out", chosen(label=label))


@pytest.mark.parametrize("save", [np.savez, write_hdf5])
def test_matrices_of_two_classes_are_refused_with_a_command_that_converts_them(tmp_path, save):
    save(tmp_path / "x.npz", bkg=X[Y == 0], sig=X[Y == 1])
    file = re.escape(str(tmp_path / "x.npz"))

    with pytest.raises(IntakeError, match=f"--signal {file}:sig --background {file}:bkg."):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")


def test_labels_of_another_split_do_not_fit(tmp_path):
    half = len(Y) // 2
    arrays = {"x_train": X[:half], "y_train": Y[:half], "x_test": X[half:]}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(IntakeError, match="no column is named as the label"):
        convert_all([tmp_path / "x.npz"], tmp_path / "out", chosen("x_test"))

    np.savez(tmp_path / "x.npz", **arrays, y_test=Y[half:])
    events, _ = convert_all([tmp_path / "x.npz"], tmp_path / "out", chosen("x_test"))
    assert same_events(events, [part[half:] for part in EVENTS])


@pytest.mark.slow
def test_arrays_of_an_archive_are_not_held_in_memory(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, X=np.zeros((200_000, 28)), y=np.zeros(200_000))
    with path.open("rb") as stream:
        [member] = open_members(str(path), stream, path)
        tracemalloc.start()
        table = open_numpy_archive(member, ArrayChoice())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(table.names) == 29
    assert peak < 8 << 20 < 200_000 * 28 * 8


def test_an_archive_whose_member_announces_more_than_it_holds_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", X=X, y=Y)
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part.replace(b"(30, 28)", b"(99, 28)"))

    with pytest.raises(IntakeError, match=r"x\.npz:X\.npy: is a truncated or corrupt NumPy file"):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")


def test_an_archive_with_an_array_and_its_replacement_is_refused(tmp_path):
    np.save(tmp_path / "X.npy", X)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.write(tmp_path / "X.npy", "X.npy")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.write(tmp_path / "X.npy", "X.npy")

    with pytest.raises(IntakeError, match=r"holds X\.npy twice"):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")


def test_labels_in_a_text_file_are_named(tmp_path):
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "y.txt").write_text("1\n0\n")

    with pytest.raises(IntakeError, match=r"y\.txt: is not a NumPy file"):
        convert_all([tmp_path / "X.npy"], tmp_path / "out", chosen(label=str(tmp_path / "y.txt")))


def test_one_of_several_tables_can_be_chosen_and_the_others_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", a=RECORDS, b=RECORDS[9:], w=Y)
    write_hdf5(tmp_path / "x.h5", **{f"b__{k}": v[:9] for k, v in VECTORS.items()})
    with h5py.File(tmp_path / "x.h5", "a") as file:
        for name, values in VECTORS.items():
            file[f"a/{name}"] = values

    for name in ("x.npz", "x.h5"):
        events, conversion = convert_all([tmp_path / name], tmp_path / name[2:], chosen("a"))
        assert same_events(events, EVENTS)
        [note] = conversion.counts.notes
        assert note.startswith(f"{tmp_path / name}: left out b")


OBJECTS = np.array([{}, None], object)


def write_filtered(file, name):
    """Writes a data set whose filter, zstd, is not a part of HDF5."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(X.shape)
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple(X.shape)
    data = h5py.h5d.create(file.id, name, h5py.h5t.NATIVE_FLOAT, space, properties)
    data.write_direct_chunk((0, 0), X.tobytes())


def test_arrays_that_cannot_be_read_do_not_hide_the_others(tmp_path):
    np.savez(tmp_path / "x.npz", X=X, y=Y, meta=OBJECTS)
    write_hdf5(tmp_path / "x.h5", X=X, y=Y)
    with h5py.File(tmp_path / "x.h5", "a") as file:
        write_filtered(file, b"meta")

    for name, reason in (("x.npz", "Python objects"), ("x.h5", "values that are packed by the")):
        events, conversion = convert_all([tmp_path / name], tmp_path / name[2:])
        assert same_events(events, EVENTS)
        assert f"{name}: left out: meta holds {reason}" in "".join(conversion.counts.notes)


@pytest.mark.parametrize(
    ("arrays", "options", "sentence"),
    [
        ({"X": X, "y": Y.astype(object)}, None, "label; left out: y holds Python objects, which"),
        ({"X": X.astype(object), "y": Y}, None, "Left out: X holds Python objects, which are not"),
        ({"X": X, "y": Y, "z": OBJECTS}, chosen("X", "z"), "z holds Python objects"),
    ],
)
def test_an_array_that_is_needed_and_cannot_be_read_is_named(tmp_path, arrays, options, sentence):
    np.savez(tmp_path / "x.npz", **arrays)

    with pytest.raises(IntakeError, match=sentence):
        convert_all([tmp_path / "x.npz"], tmp_path / "out", options)


def test_an_unknown_filter_is_named_with_its_number(tmp_path):
    write_hdf5(tmp_path / "x.h5", y=Y)
    with h5py.File(tmp_path / "x.h5", "a") as file:
        write_filtered(file, b"X")

    with pytest.raises(IntakeError, match=r"X holds values .* by the HDF5 filter 32015"):
        convert_all([tmp_path / "x.h5"], tmp_path / "out")


@pytest.mark.parametrize("name", ["weight", "fold", "is_train"])
def test_a_vector_with_another_name_is_not_the_label(tmp_path, name):
    np.savez(tmp_path / "x.npz", X=X, **{name: np.ones(len(Y))})
    write_hdf5(tmp_path / "x.h5", X=X, **{name: np.ones(len(Y))})

    for file in ("x.npz", "x.h5"):
        with pytest.raises(IntakeError, match=f"named as the label; unused columns: {name}. Name"):
            convert_all([tmp_path / file], tmp_path / "out")


def test_the_only_vector_without_a_name_is_the_label(tmp_path):
    np.savez(tmp_path / "x.npz", X, Y)

    assert same_events(convert_all([tmp_path / "x.npz"], tmp_path / "out")[0], EVENTS)


def test_a_field_of_28_values_holds_the_features(tmp_path):
    table = np.zeros(len(Y), [("x", "f4", (28,)), ("y", "i1"), ("track", "f4", (3,))])
    table["x"], table["y"] = X, Y
    np.save(tmp_path / "x.npy", table)
    write_hdf5(tmp_path / "x.h5", table=table)

    for name in ("x.npy", "x.h5"):
        events, conversion = convert_all([tmp_path / name], tmp_path / name[2:])
        assert same_events(events, EVENTS)
        assert conversion.counts.notes == [f"{tmp_path / name}: dropped the column track"]


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: np.savez(path, X=X.T, y=Y), r"X has the shape \[28, 30\], which is one col"),
        (lambda path: np.save(path, MATRIX.T), r"the array has the shape \[29, 30\]"),
        (lambda path: np.save(path, X), "no column is named as the label. .* an .npy file"),
        (lambda path: np.save(path, X[0]), r"holds one event\. Write all events as the rows of"),
        (lambda path: np.save(path, Y), r"holds an array of shape \[30\], not a matrix of events"),
        (lambda path: np.save(path, MATRIX[:, :20]), "has 20 columns without names, not 29"),
        (lambda path: np.save(path, np.array([{}], object)), "holds Python objects"),
        (lambda path: np.savez(path, a=np.array([{}], object)), "holds Python objects"),
        (lambda path: np.savez(path, a=Y), r"holds no matrix of events: a \[30\]"),
        (
            lambda path: np.savez(path, low=np.ones((30, 21)), high=np.ones((30, 7))),
            r"several matrices: .* Write all features as one matrix of 28 columns\.",
        ),
        (
            lambda path: np.savez(path, **{**VECTORS, COLUMNS[3]: Y[:7]}),
            f"{COLUMNS[3]} has 7 rows and label 30",
        ),
        (
            lambda path: write_hdf5(path, df__axis0=Y, df__block0_values=X),
            "was written by pandas. Save it as Parquet",
        ),
        (
            lambda path: write_hdf5(
                path, df__table=np.zeros(9, [("label", "i1"), ("values_block_0", "f4", (28,))])
            ),
            "was written by pandas. Save it as Parquet",
        ),
        (
            lambda path: np.savez(path, X=X, y=Y, columns=np.array(FEATURES, object)),
            r"columns\.npy: holds Python objects, .* may be the names .* `frame\.columns\.to_numpy",
        ),
        (
            lambda path: np.savez(path, a=RECORDS[:9], b=RECORDS[9:]),
            "holds several tables: a, b. Choose with --features TABLE",
        ),
        (
            lambda path: write_hdf5(
                path, **{f"{part}__{k}": v for part in ("a", "b") for k, v in VECTORS.items()}
            ),
            r"holds several columns (\w+): a/\1, b/\1. Choose with --features GROUP",
        ),
        (lambda path: np.save(path, MATRIX.astype(complex)), "the array holds complex128, not num"),
        (lambda path: np.save(path, MATRIX.astype("M8[s]")), "holds datetime64"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\0v\0{"), "truncated or corrupt NumPy"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(9)), "corrupt HDF5 file"),
    ],
)
def test_other_arrays_are_named(tmp_path, write, sentence):
    path = tmp_path / "x.npy"
    write(path)
    path = path if path.exists() else tmp_path / "x.npy.npz"

    with pytest.raises(IntakeError, match=sentence):
        convert_all([path], tmp_path / "out")
