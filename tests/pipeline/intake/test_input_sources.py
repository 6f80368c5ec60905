import bz2
import gzip
import lzma
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.intake.input_sources import find_sources, find_splits, open_source
from pipeline.intake.intake_error import InputNotFoundError, IntakeError

MATRIX = np.zeros((1, 28))


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make_files(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"PAR1" if name.endswith("parquet") else b"1,2\n")

    return make_files


def names_of(*texts):
    return [source.name for source in find_sources(texts)[0]]


def test_files_keep_their_order(make):
    make("b.csv", "a.csv")

    assert names_of("b.csv", "a.csv", "-") == ["b.csv", "a.csv", "standard input"]
    assert names_of("/dev/stdin") == ["standard input"]


def test_folders_and_patterns_are_sorted(make):
    make("d/b.csv", "d/a/x.csv", "d/c.csv.gz", "[1].csv")

    assert names_of("d") == ["d/a/x.csv", "d/b.csv", "d/c.csv.gz"]
    assert names_of("d/*.csv*") == ["d/b.csv", "d/c.csv.gz"]
    assert names_of("[1].csv") == ["[1].csv"]
    make("d/a/b/y.csv")
    assert names_of("d/**/*.csv") == ["d/a/b/y.csv", "d/a/x.csv", "d/b.csv"]
    assert names_of("d/**") == ["d/a/b/y.csv", "d/a/x.csv", "d/b.csv", "d/c.csv.gz"]


def test_a_folder_of_parquet_files_is_one_input(make):
    make("d/label=0/part-0.parquet", "d/label=1/part-0.parquet", "d/_SUCCESS", "d/.part.crc")

    [source] = find_sources(["d"])[0]

    assert (source.name, source.path.is_dir()) == ("d", True)


def test_files_left_out_of_a_folder_are_named(make, tmp_path):
    make("d/a.csv", "d/README.md", "d/Thumbs.db", "d/.hidden", "d/_SUCCESS", "d/manifest.json")
    (tmp_path / "d/empty.csv").touch()
    for module in (gzip, bz2, lzma):
        (tmp_path / f"d/{module.__name__}.csv").write_bytes(module.compress(b""))

    sources, notes = find_sources(["d"])

    assert [source.name for source in sources] == ["d/a.csv"]
    empty = "bz2.csv, empty.csv, gzip.csv, lzma.csv"
    assert notes == ["d: left out README.md, Thumbs.db", f"d: skipped empty {empty}"]


def test_trees_of_a_file_are_separate_inputs(make):
    make("x.root", "with:colon.root")

    sources, _ = find_sources(["x.root:sig", "x.root:bkg", "with:colon.root"])

    assert [(str(source.path), source.tree) for source in sources] == [
        ("x.root", "sig"),
        ("x.root", "bkg"),
        ("with:colon.root", None),
    ]
    assert names_of("*.root:a/sig") == ["with:colon.root:a/sig", "x.root:a/sig"]
    with pytest.raises(InputNotFoundError, match=r"'y\*\.root:sig' matches no file"):
        find_sources(["y*.root:sig"])


@pytest.mark.parametrize(
    ("files", "texts", "sentence"),
    [
        ([], ["none.csv"], "'none.csv' does not exist. Check the path."),
        ([], ["no*.csv"], r"'no\*.csv' matches no file"),
        ([], ["gs://bucket/x.csv"], "gs://bucket/x.csv is a URI, but a local path is required"),
        (["a.csv"], ["a.csv", "./a.csv"], "./a.csv and a.csv are the same file. Name each"),
        (["a.csv"], ["a.csv", "*.csv"], "a.csv is given twice"),
        ([], ["-", "-"], "standard input is given twice"),
        (["d/a.csv", "d/a.csv.gz"], ["d"], "d/a.csv.gz and a.csv are the same table in two forms"),
        (["d/a.csv", "d/a.csv.bak"], ["d"], "d/a.csv.bak: looks like a backup"),
        (["d/a.csv.part"], ["d"], "d/a.csv.part: looks like a backup or an incomplete copy"),
        (["d/README.md"], ["d"], "d: contains no data files, only README.md. Name a folder or"),
        ([], ["."], r"\.: contains no files\. Name a folder"),
        (["d/.a.csv"], ["d"], r"only .a.csv. .*; names that start with . or _ are ignored"),
    ],
)
def test_ambiguous_or_damaged_inputs_are_refused(make, files, texts, sentence):
    make(*files)

    with pytest.raises(IntakeError, match=sentence):
        find_sources(texts)


def test_pipes_and_linked_folders_of_a_folder_are_refused_without_waiting(make, tmp_path):
    make("d/b.csv", "other/c.csv", "e/a.csv")
    os.mkfifo(tmp_path / "d/a.csv")
    (tmp_path / "e/sub").symlink_to(tmp_path / "other")

    with pytest.raises(IntakeError, match=r"d/a\.csv: is not a file"):
        find_sources(["d"])
    with pytest.raises(IntakeError, match=r"e/sub: is a link to a folder, which is not followed"):
        find_sources(["e"])


def test_a_folder_that_cannot_be_read_is_not_passed_over(make, monkeypatch):
    make("d/a.csv", "d/locked/b.csv", "e/a.csv", "e/.trash/c.csv")
    scandir = os.scandir

    def refuse(path):
        if str(path).rstrip("/").endswith(("locked", ".trash")):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for text in ("d", "d/**/*.csv", "*/*/*.csv"):
        with pytest.raises(PermissionError, match="locked"):
            find_sources([text])
    assert names_of("e") == ["e/a.csv"]
    assert names_of("e/*.csv") == ["e/a.csv"]
    assert names_of("d/*.csv") == ["d/a.csv"]


def test_a_missing_part_is_named(make):
    make("d/x.tfrecord-00000-of-00002", "d/y-00000-of-00001.csv", "d/z-1-of-1.csv")

    assert find_sources(["d"])[1] == [
        "d: x.tfrecord-00001-of-00002, z-0-of-1 is missing, judging by the names of the others"
    ]


def test_missing_inputs_are_bad_usage():
    with pytest.raises(InputNotFoundError):
        find_sources(["none.csv"])


@pytest.mark.parametrize("text", ["gone", "loop", "*n*"])
def test_a_broken_link_is_named_by_itself_and_by_a_pattern(make, tmp_path, text):
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(InputNotFoundError, match=r"'(gone|loop)' is a broken link. Restore its"):
        find_sources([text])


def test_broken_links_and_empty_folders_are_named(make, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/gone.csv").symlink_to("/nonexistent")
    (tmp_path / "e").mkdir()
    (tmp_path / "e/a.csv").touch()

    with pytest.raises(IntakeError, match=r"d/gone\.csv: is a broken link"):
        find_sources(["d"])
    with pytest.raises(IntakeError, match=r"e: has only empty files \(1\)"):
        find_sources(["e"])


@pytest.mark.parametrize(
    ("training", "validation"),
    [("training", "validation"), ("Train", "test"), ("train", "val"), ("trainval", "test")],
)
def test_an_input_that_is_split_already_is_recognized(make, training, validation):
    make(f"d/{training}/a.tfrecord", f"d/{validation}/a.tfrecord")

    assert find_splits("d") == [[f"d/{training}"], [f"d/{validation}"]]


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        (["Train.csv.gz"], ["test.csv"]),
        (["split=train"], ["split=test"]),
        (["higgs_train_1.csv", "higgs_train_2.csv"], ["higgs_test.csv"]),
        (["higgs-train.tfrecord-00000-of-00001"], ["higgs-val.tfrecord-00000-of-00001"]),
    ],
)
def test_names_that_mean_a_split_stay_apart(make, training, validation):
    names = [*training, *validation]
    make(*(f"d/{name}" if "." in name else f"d/{name}/a.parquet" for name in names), "d/README.md")

    assert find_splits("d") == [[f"d/{name}" for name in part] for part in (training, validation)]


@pytest.mark.parametrize("name", ["run/train.csv", "train/a.csv"])
def test_splits_below_other_folders_are_not_joined(make, name):
    make(f"d/higgs/{name}", f"d/higgs/{name.replace('train', 'test')}")

    with pytest.raises(IntakeError, match=r"d: holds a training and a validation set, such as"):
        find_sources(["d"])


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("_delta_log/0.json", "a Delta Lake table"),
        (".hoodie/hoodie.properties", "a Hudi table"),
        ("metadata/v1.metadata.json", "an Iceberg table"),
    ],
)
def test_tables_with_deleted_rows_are_not_read_as_parquet(make, log, kind):
    make("d/part-0.parquet", f"d/{log}")

    with pytest.raises(IntakeError, match=f"d: is {kind}, whose files may hold deleted"):
        find_sources(["d"])


def test_other_inputs_are_not_split(make):
    make("d/training/a.csv", "x.csv")
    np.savez("x.npz", x_train=MATRIX, raw_train=MATRIX, x_test=MATRIX)
    Path("y.npz").write_bytes(Path("x.npz").read_bytes()[:-9])
    np.savez("indices.npz", x=MATRIX, y=[0], train=[True], test_idx=[0])
    with h5py.File("indices.h5", "w") as file:
        file["x"], file["y"], file["train"], file["test_idx"] = MATRIX, [0], [True], [0]

    inputs = ("d", "x.csv", "-", "none", "x.npz", "y.npz", "indices.npz", "indices.h5")
    assert [find_splits(text) for text in inputs] == [None] * 8


def test_arrays_of_one_file_stay_apart(make, tmp_path):
    arrays = {f"x_{split}": MATRIX for split in ("train", "val", "test")}
    arrays |= {name.replace("x", letter): [0] for name in arrays for letter in "yw"}
    np.savez("x.npz", **arrays)
    with h5py.File("x.h5", "w") as file:
        file["train/x"], file["train/label"] = MATRIX, [0]
        file["test/x"], file["test/label"] = np.zeros(1, [("m_jj", "f4")]), [0]

    assert find_splits("x.npz") == [["x.npz:x_train"], ["x.npz:x_val"], ["x.npz:x_test"]]
    assert find_splits("x.h5") == [["x.h5:train/x"], ["x.h5:test/x"]]


@pytest.mark.parametrize("beside", ["d/extra.tfrecord", "d/more/a.csv"])
def test_data_beside_the_splits_are_not_left_out(make, beside):
    make("d/training/a.csv", "d/validation/a.csv", beside, "d/README.md", "d/manifest.json")
    make("d/dataset_dict.json")

    with pytest.raises(IntakeError, match=r"d: contains (extra.tfrecord|more) beside training and"):
        find_splits("d")


@pytest.mark.parametrize(
    "names",
    [
        ("training", "validation", "test"),
        ("Train", "val", "holdout"),
        ("split=train", "split=dev", "split=testing"),
    ],
)
def test_three_splits_stay_apart(make, names):
    make(*(f"d/{name}/a.parquet" for name in names))

    assert find_splits("d") == [[f"d/{name}"] for name in names]


@pytest.mark.parametrize(
    "others", [("valid", "dev"), ("valid", "eval", "test"), ("valid", "test", "holdout")]
)
def test_two_sets_for_one_split_are_ambiguous(make, others):
    make("d/train.csv", *(f"d/{name}.csv" for name in others))

    with pytest.raises(IntakeError, match=r"d: has train.csv, .* do not identify one training"):
        find_splits("d")


def test_closed_standard_input_is_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    [source] = find_sources(["-"])[0]

    with pytest.raises(IntakeError, match="standard input: is closed"):
        open_source(source)
