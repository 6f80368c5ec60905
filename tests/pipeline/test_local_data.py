import os

import pytest

from formats.errors import DataRefusedError
from pipeline.local_data import NoShardsError, data_layout, find_data

PLAIN = ["training/a.tfrecord", "training/b.tfrecord", "validation/a.tfrecord"]


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 500_000)
        return tmp_path

    return make


def lines(root, layout="folders"):
    return dict(find_data(root, layout).lines())


def test_files_and_bytes_of_each_folder_are_listed(folder):
    root = folder(*PLAIN)
    assert lines(root) == {"data": "2 files, 1.0 MB in training/; 1 file, 0.5 MB in validation/"}
    assert lines(root / "training", "single") == {"data": "2 files, 1.0 MB"}
    assert find_data(root, "folders").shards["training"] == [
        root / "training/a.tfrecord",
        root / "training/b.tfrecord",
    ]


@pytest.mark.parametrize(
    ("name", "unread"),
    [
        ("training/a.tfrecord.bak", "training/a.tfrecord.bak"),
        ("training/c.tfrecord.crdownload", "training/c.tfrecord.crdownload"),
        ("validation/more.csv", "validation/more.csv"),
        ("training/_c.tfrecord", "training/_c.tfrecord"),
        ("training/more/c.tfrecord", "training/more/ (1 file)"),
        ("training/more/deep/c.tfrecord.gz", "training/more/ (1 file)"),
        ("c.tfrecord", "c.tfrecord"),
        ("HIGGS.csv.gz", "HIGGS.csv.gz"),
        ("training/c.tfrecord.zst", "training/c.tfrecord.zst"),
    ],
)
def test_what_looks_like_data_and_is_not_read_is_named(folder, name, unread):
    assert lines(folder(*PLAIN, name))["not read"].startswith(f"{unread} in ")


@pytest.mark.parametrize(
    "name", ["README.md", "training/_SUCCESS", "training/._a.tfrecord", ".cache/c.tfrecord"]
)
def test_other_files_are_not_mentioned(folder, name):
    assert "not read" not in lines(folder(*PLAIN, name))


def test_a_test_set_is_read_for_the_figure_to_publish(folder):
    root = folder(*PLAIN, "test/a.tfrecord")
    layout = data_layout(root)
    assert layout == "folders-with-test"
    assert lines(root, layout) == {
        "data": "2 files, 1.0 MB in training/; 1 file, 0.5 MB in validation/; 1 file, 0.5 MB in "
        "test/",
        "test set": "for the figure to publish; no gate depends on it",
    }


def test_a_test_set_without_validation_is_not_a_layout(folder):
    assert data_layout(folder("training/a.tfrecord", "test/a.tfrecord")) == "folders"


def test_a_test_set_is_not_read_where_the_configuration_names_two_folders(folder):
    root = folder(*PLAIN, "test/a.tfrecord")
    expected = f"{root}/test is not read; `higgs evaluate` can evaluate a model on it"
    assert lines(root)["test set"] == expected
    assert "not read" not in lines(root)


def test_many_names_are_counted(folder):
    root = folder(*PLAIN, *(f"training/{i}.csv" for i in range(8)))
    assert lines(root)["not read"].startswith("training/0.csv, training/1.csv, ")
    assert "training/4.csv and 3 more in " in lines(root)["not read"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x.tfrecord", "x.tfrecord.gz"),
        ("x.tfrec", "x.tfrec.gzip"),
        ("x.TFRECORD", "x.tfrecord.GZ"),
        ("x.tfrecord-00000-of-00001", "x.tfrecord-00000-of-00001.gz"),
    ],
)
def test_a_shard_beside_its_compressed_twin_is_refused(folder, first, second):
    root = folder("validation/a.tfrecord", f"training/{first}", f"training/{second}")
    with pytest.raises(DataRefusedError, match=r"training has x.* beside x.*read twice\. Remove"):
        find_data(root, "folders")


def test_shards_of_one_set_are_not_twins(folder):
    parts = ["training/x.tfrecord-00000-of-00002", "training/x.tfrecord-00001-of-00002.gz"]
    found = lines(folder("validation/a.tfrecord", *parts))
    assert found["data"].startswith("2 files")
    assert "missing" not in found


def test_a_missing_part_of_a_set_is_named(folder):
    parts = ["training/x.tfrecord-00000-of-00003", "validation/x.tfrecord-00002-of-00003"]
    assert lines(folder(*parts))["missing"] == (
        "x.tfrecord-00001-of-00003, judging by the other shards"
    )


def test_a_folder_named_as_a_shard_is_refused(folder):
    root = folder(*PLAIN, "training/c.tfrecord/part-r-00000", "training/c.tfrecord/_SUCCESS")
    with pytest.raises(DataRefusedError, match=r"c\.tfrecord is a folder with part-r-00000, not"):
        find_data(root, "folders")


@pytest.mark.parametrize(
    ("names", "layout", "message"),
    [
        (["Training/a.tfrecord", "Validation/a.tfrecord"], "single", r"Rename Training/ to "),
        (["train/a.tfrecord", "valid/a.tfrecord"], "single", "train/ to training/ and valid/ to"),
        (
            ["training/a.tfrecord", "test/a.tfrecord"],
            "folders",
            r"no folder validation/ in .*, only test/, training/\. Rename test/ to validation/",
        ),
        (
            ["training/a.tfrecord", "manifest.json"],
            "folders",
            r"no folder validation/ in .*, only training/\. Give .*/training instead",
        ),
        (["HIGGS.csv.gz"], "single", r"only HIGGS.csv.gz\. .*`higgs convert .*/HIGGS.csv.gz --out"),
        (["part-0.parquet"], "single", "`higgs convert .*/part-0.parquet --out"),
        (["part-r-00000", "_SUCCESS"], "single", "part-r-00000 is a TFRecord file, give it a name"),
        (
            ["training/a.tfrecord", "validation/a.tfrecord"],
            "single",
            "only training/, validation/. Give one of its folders, such as .*/validation",
        ),
        (["run 1/training/a.tfrecord"], "single", "Give .*/run 1 instead"),
        (["x.csv", "all/a.tfrecord"], "single", "only all/, x.csv. Give .*/all instead"),
        (["training/x.csv", "validation/a.tfrecord"], "folders", "higgs convert .*x.csv --out"),
        (
            ["train/a.arrow", "test/a.arrow"],
            "single",
            "only test/, train/. .*`higgs convert .* --out",
        ),
        (["notes/readme"], "single", "only notes/. .* must contain training/"),
        ([".a.tfrecord"], "single", "only .a.tfrecord, which is not read. .* do not start with ."),
    ],
)
def test_a_folder_without_shards_says_what_it_has_instead(folder, names, layout, message):
    with pytest.raises(NoShardsError, match=message):
        find_data(folder(*names), layout)


def test_toy_events_are_only_offered_for_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(NoShardsError, match=r"new does not exist\..*higgs generate .*new"):
        find_data(tmp_path / "new", "single")
    (tmp_path / "HIGGS.csv").touch()
    with pytest.raises(NoShardsError) as refused:
        find_data(tmp_path, "single")
    assert f"--out {tmp_path}`" not in str(refused.value)


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / os.fsdecode(b"bad\xff.tfrecord")).touch()

    with pytest.raises(
        DataRefusedError, match=r"the name bad\\udcff\.tfrecord is not UTF-8; rename"
    ):
        find_data(tmp_path, "single")


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "x.tfrecord").touch()
    with pytest.raises(NoShardsError, match=r"x\.tfrecord is a file\. Give the folder"):
        find_data(tmp_path / "x.tfrecord", "single")
    (tmp_path / "x.csv").touch()
    with pytest.raises(NoShardsError, match=r"x\.csv is a file\. .* `higgs convert .*x\.csv --out"):
        find_data(tmp_path / "x.csv", "single")
