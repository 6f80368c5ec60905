"""Each command of the table in ``docs/data.md`` converts the input beside it."""

import gzip
import lzma
import os
import re
import shlex
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from event_makers import join_events, make_published_events, select
from shard_makers import frame, read_folder
from table_makers import to_csv, to_frame, to_parquet, to_physical, to_rows, uci_csv

from formats.features import COLUMNS, DISCRETE_VALUES, FEATURES, LABEL, UNITS
from formats.published.record import Events
from pipeline.cli.convert_command import convert

PAGE = Path(__file__).parents[1] / "docs/data.md"
COMMANDS = re.findall(r"^\| .* \| `(higgs convert .*)` \|$", PAGE.read_text(), re.MULTILINE)

EVENTS = make_published_events(200, seed=11)
X, Y = EVENTS
ROWS = to_rows(EVENTS, "%.9g")
FRAME = to_frame(EVENTS)
BY_CLASS = [FRAME[FRAME[LABEL] == label].drop(columns=LABEL) for label in (0, 1)]


def uci_zip():
    with zipfile.ZipFile("higgs.zip", "w") as archive:
        archive.writestr("HIGGS.csv.gz", gzip.compress(uci_csv(EVENTS)))


def shuffled_tsv():
    order = [*range(5, 29), *range(5)]
    rows = [[row[i] for i in order] for row in ROWS]
    Path("events.tsv").write_text(to_csv(rows, [COLUMNS[i] for i in order], "\t"))


def packed_parts():
    Path("runs").mkdir()
    for part in range(2):
        content = uci_csv(select(EVENTS, slice(100 * part, 100 * part + 100)))
        Path(f"runs/{part}.csv.xz").write_bytes(lzma.compress(content))


def nested_parts():
    packed_parts()
    Path("runs/later").mkdir()
    Path("runs/1.csv.xz").rename("runs/later/1.csv.xz")


def write_csv(rows=ROWS, header=COLUMNS, separator=","):
    Path("events.csv").write_text(to_csv(rows, header, separator))


def other_names():
    write_csv(header=[LABEL, "lep1", *COLUMNS[2:]])
    Path("names.yaml").write_text(f"{FEATURES[0]}: lep1\n")


def letters():
    rows = [["sb"[label == 0], *row[1:]] for label, row in zip(Y, ROWS, strict=True)]
    write_csv(rows, ["origin", *FEATURES])


def decimal_commas():
    write_csv([[cell.replace(".", ",") for cell in row] for row in ROWS], separator=";")


def with_missing_values():
    write_csv([*ROWS, ["1", "", *ROWS[0][2:]], ["0", *ROWS[0][1:28], "NA"]])


def short_b_tags():
    short = to_rows(EVENTS, "%.6f")
    tags = [COLUMNS.index(name) for name in DISCRETE_VALUES]
    write_csv(
        [[short[i][k] if k in tags else row[k] for k in range(29)] for i, row in enumerate(ROWS)]
    )


def write_parquet(frame=FRAME, name="events.parquet"):
    Path(name).write_bytes(to_parquet(frame))


def physical():
    write_parquet(to_frame(to_physical(EVENTS, UNITS, DISCRETE_VALUES)))


def partitions():
    for label, part in enumerate(BY_CLASS):
        Path(f"dataset/label={label}").mkdir(parents=True)
        write_parquet(part, f"dataset/label={label}/part-0.parquet")


def files_of_one_class():
    for name, part in zip(("background", "signal"), BY_CLASS, strict=True):
        write_parquet(part, f"{name}.parquet")


def write_trees(**frames):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate("events.root") as file:
        for name, columns in frames.items():
            file[name] = {column: columns[column].to_numpy() for column in columns}


def write_hdf5(**arrays):
    with h5py.File("events.h5", "w") as file:
        for name, array in (arrays or {"x": X, "y": Y}).items():
            file[name] = array


def write_groups():
    with h5py.File("events.h5", "w") as file:
        for name in COLUMNS:
            file[f"train/{name}"] = FRAME[name].to_numpy()
            file[f"test/{name}"] = FRAME[name].to_numpy()[:9]


def two_splits():
    Path("parts").mkdir()
    Path("parts/train.csv").write_text(to_csv(ROWS[:-60], COLUMNS))
    Path("parts/test.csv").write_text(to_csv(ROWS[-60:], COLUMNS))


def two_arrays():
    np.save("X.npy", X)
    np.save("y.npy", Y.astype(int))


def write_libsvm():
    lines = (
        " ".join([f"{label:g}", *(f"{i}:{value:.9g}" for i, value in enumerate(row, 1) if value)])
        for row, label in zip(X, Y, strict=True)
    )
    Path("events.libsvm").write_text("\n".join(lines) + "\n")


def write_arff():
    attributes = [f"@attribute {name} numeric" for name in COLUMNS]
    lines = ["@relation higgs", *attributes, "@data", *(",".join(row) for row in ROWS)]
    Path("events.arff").write_text("\n".join(lines) + "\n")


def write_records(path, make_features):
    from tensorflow.train import Example, Features

    records = [
        Example(features=Features(feature=make_features(x, y))).SerializeToString()
        for x, y in zip(X, Y, strict=True)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(frame(records))


def floats(*values):
    from tensorflow.train import Feature, FloatList

    return Feature(float_list=FloatList(value=values))


def one_key_per_column():
    write_records(
        Path("tfds/higgs-train.tfrecord-00000-of-00001"),
        lambda x, y: {
            "class_label": floats(y),
            **{name: floats(value) for name, value in zip(FEATURES, x, strict=True)},
        },
    )


INPUTS = {
    "higgs.zip": uci_zip,
    "events.tsv": shuffled_tsv,
    "runs/*.csv.xz": packed_parts,
    "'runs/**/*.csv.xz'": nested_parts,
    "- --out data/own < HIGGS.csv.gz": lambda: Path("HIGGS.csv.gz").write_bytes(uci_csv(EVENTS)),
    "events.csv --header features,label": lambda: write_csv(
        [[*row[1:], row[0]] for row in ROWS], header=()
    ),
    "events.csv --names names.yaml": other_names,
    "events.csv --label origin --signal s --background b": letters,
    "events.csv --decimal ,": decimal_commas,
    "events.csv --missing drop": with_missing_values,
    "events.csv --snap-b-tags": short_b_tags,
    "events.parquet --units gev": physical,
    "events.parquet --keep weight": lambda: write_parquet(FRAME.assign(weight=0.5)),
    "events.parquet --split hash": lambda: write_parquet(FRAME.sort_values(LABEL)),
    "dataset --split hash": partitions,
    "events.feather": lambda: FRAME.to_feather("events.feather"),
    "--signal signal.parquet --background background.parquet": files_of_one_class,
    "--signal events.root:sig_tree --background events.root:bkg_tree": lambda: write_trees(
        bkg_tree=BY_CLASS[0], sig_tree=BY_CLASS[1]
    ),
    "events.root:events --label is_signal": lambda: write_trees(
        events=FRAME.rename(columns={LABEL: "is_signal"}), other=FRAME
    ),
    "events.npz --features x_train --label y_train": lambda: np.savez(
        "events.npz", x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9]
    ),
    "splits.npz": lambda: np.savez(
        "splits.npz", x_train=X[:150], y_train=Y[:150], x_test=X[150:], y_test=Y[150:]
    ),
    "X.npy --label y.npy": two_arrays,
    "events.h5": write_hdf5,
    "--signal events.h5:signal --background events.h5:background": lambda: write_hdf5(
        signal=X[Y == 1], background=X[Y == 0]
    ),
    "events.h5 --features train": write_groups,
    "parts": two_splits,
    "events.libsvm": write_libsvm,
    "events.arff": write_arff,
    "tfds": one_key_per_column,
    "events.tfrecord --features x --label y": lambda: write_records(
        Path("events.tfrecord"), lambda x, y: {"x": floats(*x), "y": floats(y)}
    ),
}


def key_of(command):
    """The arguments of a command without the output folder; all of them if it comes first."""
    arguments = command.removeprefix("higgs convert ")
    return arguments if " < " in arguments else re.sub(r" --out \S+$", "", arguments)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events_by_content(events: Events):
    table = np.column_stack([events.labels, events.features])
    return table[np.lexsort(table.T[::-1])]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_converts_the_input(folder, monkeypatch, command):
    INPUTS[key_of(command)]()
    arguments, _, redirected = command.removeprefix("higgs convert ").partition(" < ")
    words = [
        word
        for text in shlex.split(arguments)
        # As a shell does, unless the pattern is quoted.
        for word in (
            sorted(map(str, Path().glob(text)))
            if "*" in text and f"'{text}'" not in arguments
            else [text]
        )
    ]

    with Path(redirected or os.devnull).open("rb") as stdin, monkeypatch.context() as patched:
        patched.setattr("sys.stdin", stdin)
        convert.main(words, standalone_mode=False)

    out = Path(words[words.index("--out") + 1])
    parts = [read_folder(out / split, ["weight"]) for split in ("training", "validation")]
    events = join_events(parts)
    np.testing.assert_allclose(
        events_by_content(events), events_by_content(EVENTS), rtol=3e-7 if "gev" in command else 0
    )
    assert len(parts[1].labels) > 20


def test_each_input_is_in_the_table():
    assert sorted(map(key_of, COMMANDS)) == sorted(INPUTS)
