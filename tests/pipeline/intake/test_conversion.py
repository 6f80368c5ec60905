import errno
import gzip
import hashlib
import os
import tempfile
import threading
import zipfile

import numpy as np
import pytest
from event_makers import make_published_events, same_events, select
from shard_makers import read_folder
from table_makers import convert_all, to_csv, to_frame, to_parquet, to_rows, uci_csv

from components.example_gen.hash_split import assign_splits
from formats.errors import DataRefusedError
from formats.event_hash import event_hashes
from formats.features import COLUMNS, FEATURES
from formats.published.manifest import find_differences, read_manifest
from formats.published.record import Events
from pipeline.intake.column_mapping import ColumnOptions
from pipeline.intake.conversion import (
    Inputs,
    SplitOptions,
    conventional_validation_rows,
    convert,
)
from pipeline.intake.input_sources import find_sources, find_splits
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.scored_rows import file_rows
from pipeline.intake.table_events import IntakeOptions
from pipeline.intake.value_faults import ValueOptions
from pipeline.sample_data.shard_writer import SplitSize

EVENTS = make_published_events(200, seed=8)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(uci_csv(EVENTS))
    return path


@pytest.mark.slow
def test_the_last_rows_are_held_out(tmp_path, csv):
    _, conversion = convert_all(
        [csv], tmp_path / "out", split=SplitOptions(validation_rows=30), shard_size=80
    )

    assert conversion.sizes == {"training": SplitSize(170, 3), "validation": SplitSize(30, 1)}
    first, last = (select(EVENTS, rows) for rows in (slice(-30), slice(-30, None)))
    assert same_events(read_folder(tmp_path / "out/training"), first)
    assert same_events(read_folder(tmp_path / "out/validation"), last)


@pytest.mark.slow
def test_a_fifth_is_held_out_by_default(tmp_path, csv):
    _, conversion = convert_all([csv], tmp_path / "out")

    assert conversion.sizes == {"training": SplitSize(160, 1), "validation": SplitSize(40, 1)}


@pytest.mark.parametrize(
    ("rows", "held_out"), [(0, 0), (9, 1), (36_233, 7246), (11_000_000, 500_000)]
)
def test_conventional_validation_rows(rows, held_out):
    assert conventional_validation_rows(rows) == held_out


@pytest.mark.slow
def test_too_many_validation_rows_are_refused_and_nothing_is_left(tmp_path, csv):
    with pytest.raises(IntakeError, match="has 200 events, so the last 200 leave none to train on"):
        convert_all([csv], tmp_path / "out", split=SplitOptions(validation_rows=200))

    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_hash_splits_the_same_events_in_any_order(tmp_path, csv):
    order = np.random.default_rng(0).permutation(200)
    (tmp_path / "y.csv").write_bytes(uci_csv(select(EVENTS, order)))

    for name in ("x", "y"):
        convert_all([tmp_path / f"{name}.csv"], tmp_path / name, split=SplitOptions(by_hash=True))

    first, second = (read_folder(tmp_path / name / "validation") for name in "xy")
    assert 20 < len(first.labels) < 60
    assert {row.tobytes() for row in first.features} == {row.tobytes() for row in second.features}
    everything = [read_folder(tmp_path / "x" / split) for split in ("training", "validation")]
    assert sum(len(part.labels) for part in everything) == 200


@pytest.mark.slow
def test_a_hash_keeps_equal_events_together_and_each_part_can_be_split_again(tmp_path):
    features = EVENTS.features.copy()
    features[:, FEATURES.index("lepton_eta")] = 0.0
    other = Events(features.copy(), 1 - EVENTS.labels)
    other.features[:, FEATURES.index("lepton_eta")] = -0.0
    for name, events in (("x", Events(features, EVENTS.labels)), ("y", other)):
        (tmp_path / f"{name}.csv").write_bytes(uci_csv(events))

    paths = [tmp_path / "x.csv", tmp_path / "y.csv"]
    convert_all(paths, tmp_path / "out", split=SplitOptions(by_hash=True))

    parts = [read_folder(tmp_path / "out" / name) for name in ("training", "validation")]
    hashes = [event_hashes(part.features) for part in parts]
    assert not {*hashes[0].tolist()} & {*hashes[1].tolist()}
    assert assign_splits(hashes[0], (4, 1)).mean() == pytest.approx(0.2, abs=0.07)


@pytest.mark.slow
def test_an_unshuffled_input_is_refused_with_the_option(tmp_path, csv):
    ordered = select(EVENTS, np.argsort(-EVENTS.labels, kind="stable"))
    csv.write_bytes(uci_csv(ordered))

    with pytest.raises(
        IntakeError, match=r"not shuffled: .* but 0\.0% of the last 40.* --split hash"
    ):
        convert_all([csv], tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_single_class_is_reported(tmp_path, csv):
    csv.write_bytes(uci_csv(Events(EVENTS.features, np.ones(200, np.float32))))

    _, conversion = convert_all([csv], tmp_path / "out")

    assert "all events are signal; training needs both classes" in conversion.counts.notes


@pytest.mark.slow
def test_repeated_events_are_reported_as_a_run_counts_them(tmp_path):
    rows = np.r_[0:150, 0:20, 150:180, 0:10, 10]
    (tmp_path / "x.csv").write_bytes(uci_csv(select(EVENTS, rows)))

    notes = convert_all([tmp_path / "x.csv"], tmp_path / "out")[1].counts.notes
    assert notes[1:] == [
        "training/ has 19 repetitions of earlier events (11.24%); `higgs run` refuses more than "
        "ingestion.max_duplicate_share",
        "validation/ has 12 events that training/ has, too, which `higgs run` refuses: --split "
        "hash keeps them together",
    ]
    options = SplitOptions(by_hash=True)
    notes = convert_all([tmp_path / "x.csv"], tmp_path / "hash", split=options)[1].counts.notes
    assert [note.partition(" has ")[0] for note in notes[1:]] == ["training/", "validation/"]
    assert all(" of earlier events" in note for note in notes[1:])


@pytest.mark.slow
def test_three_splits_become_three_folders(tmp_path):
    parts = {"train": slice(120), "valid": slice(120, 160), "test": slice(160, None)}
    for name, rows in parts.items():
        (tmp_path / f"d/{name}").mkdir(parents=True)
        (tmp_path / f"d/{name}/a.csv").write_bytes(uci_csv(select(EVENTS, rows)))
    sources = [find_sources(texts)[0] for texts in find_splits(str(tmp_path / "d"))]

    conversion = convert(Inputs(*sources), tmp_path / "out", IntakeOptions(), SplitOptions())

    assert [*conversion.sizes] == ["training", "validation", "test"]
    for folder, rows in zip(conversion.sizes, parts.values(), strict=True):
        assert same_events(read_folder(tmp_path / "out" / folder), select(EVENTS, rows))
    manifest = read_manifest(tmp_path / "out/manifest.json")
    assert [shard.events for shard in manifest.shards] == [120, 40, 40]


@pytest.mark.slow
def test_splits_of_the_input_with_other_classes_are_refused(tmp_path):
    events = make_published_events(600, seed=8)
    signal = select(events, events.labels == 1)
    for name, part in (("train", events), ("valid", select(events, slice(300))), ("test", signal)):
        (tmp_path / f"{name}.csv").write_bytes(uci_csv(part))
    sources = [find_sources([str(tmp_path / f"{n}.csv")])[0] for n in ("train", "valid", "test")]

    with pytest.raises(IntakeError, match=r"splits of the input differ: .* 100\.0% .* for test\."):
        convert(Inputs(*sources), tmp_path / "out", IntakeOptions(), SplitOptions())

    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["grow", "shrink", "overwrite", "replace", "remove"])
@pytest.mark.parametrize("form", ["csv", "parquet", "parquet folder", "npy"])
def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path, form, change):
    path = tmp_path / "d" / f"x.{form.split()[0]}"
    path.parent.mkdir()
    if form == "npy":
        np.save(path, np.column_stack([EVENTS.labels, EVENTS.features]))
    elif form == "csv":
        path.write_bytes(uci_csv(EVENTS))
    else:
        to_frame(EVENTS).to_parquet(path)
    os.utime(path, (1, 1))
    content = path.read_bytes()

    def alter(_):
        if change == "grow":
            with path.open("ab") as file:
                file.write(content[:1000])
        elif change == "shrink":
            os.truncate(path, len(content) - 1000)
        elif change == "overwrite":
            path.write_bytes(content)
        elif change == "replace":
            (tmp_path / "new").write_bytes(content)
            (tmp_path / "new").replace(path)
        else:
            path.unlink(missing_ok=True)

    source = path.parent if form == "parquet folder" else path
    with pytest.raises(DataRefusedError, match="was changed while it was read; run the command"):
        convert_all([source], tmp_path / "out", on_read=alter)

    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_not_called_a_corrupt_input(tmp_path, monkeypatch):
    csv = tmp_path / "x.zip"
    with zipfile.ZipFile(csv, "w") as archive:
        archive.writestr("x.csv", uci_csv(EVENTS))
    packed = tmp_path / "x.zip.gz"
    packed.write_bytes(gzip.compress(csv.read_bytes()))

    class FullFile:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FullFile())
    with pytest.raises(OSError, match=f"No space left on device: '{tempfile.gettempdir()}'"):
        convert_all([packed], tmp_path / "out")


@pytest.mark.slow
def test_splits_of_the_input_stay_apart(tmp_path):
    for name, rows in (("train", slice(150)), ("test", slice(150, None))):
        (tmp_path / f"{name}.csv").write_bytes(uci_csv(select(EVENTS, rows)))
    training, validation = (
        find_sources([str(tmp_path / f"{n}.csv")])[0] for n in ("train", "test")
    )

    convert(Inputs(training, validation), tmp_path / "out", IntakeOptions(), SplitOptions())

    assert same_events(read_folder(tmp_path / "out/validation"), select(EVENTS, slice(150, None)))


@pytest.mark.slow
def test_the_manifest_describes_what_was_read_and_written(tmp_path, csv):
    rows = to_rows(EVENTS, "%.9g")
    rows[5][4] = ""
    content = to_csv(rows, COLUMNS).encode()
    csv.write_bytes(content)

    convert_all(
        [csv],
        tmp_path / "out",
        IntakeOptions(values=ValueOptions(drop_missing=True)),
        described={"missing": "drop"},
    )

    path = tmp_path / "out/manifest.json"
    manifest = read_manifest(path)
    [source] = manifest.sources
    assert (source.name, source.kind, source.events) == (str(csv), "CSV", 200)
    assert (source.bytes, source.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (manifest.read, manifest.written) == (200, 199)
    assert manifest.dropped == {"missing or infinite values": 1}
    assert manifest.options == {"missing": "drop"}
    assert [shard.path for shard in manifest.shards] == [
        "training/shard-00000.tfrecord",
        "validation/shard-00000.tfrecord",
    ]
    assert sum(shard.events for shard in manifest.shards) == 199
    assert list(find_differences(path, manifest, with_hashes=True)) == []


@pytest.mark.slow
def test_random_access_inputs_are_hashed_whole(tmp_path):
    path = tmp_path / "x.parquet"
    to_frame(make_published_events(20_000)).to_parquet(path)  # Larger than what is sniffed.

    convert_all([path], tmp_path / "out")

    [source] = read_manifest(tmp_path / "out/manifest.json").sources
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.bytes == path.stat().st_size


@pytest.mark.slow
def test_kept_columns_become_keys_of_the_records(tmp_path):
    from tensorflow.train import Example

    weights = np.linspace(0.1, 3, 200, dtype=np.float32)
    weights[160] = 2.0**60  # Not rounded on the way, unlike integers of this size.
    to_frame(EVENTS).assign(weight=weights, run=7).to_parquet(tmp_path / "x.parquet")
    keep = IntakeOptions(columns=ColumnOptions(keep=("weight", "run")))

    convert_all([tmp_path / "x.parquet"], tmp_path / "out", keep)

    content = (tmp_path / "out/validation/shard-00000.tfrecord").read_bytes()
    length = int.from_bytes(content[:8], "little")
    record = Example.FromString(content[12 : 12 + length]).features.feature
    assert sorted(record) == ["features", "label", "run", "weight"]
    assert record["weight"].float_list.value == [weights[160]]
    assert record["run"].float_list.value == [7.0]
    assert record["label"].float_list.value == [EVENTS.labels[160]]
    assert read_manifest(tmp_path / "out/manifest.json").columns == ("weight", "run")


@pytest.mark.parametrize("number", [2**24 + 1, 2**53 + 1, 2**60 + 1, -(2**53) - 1])
@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_kept_numbers_must_be_exact(tmp_path, name, number):
    frame = to_frame(EVENTS).assign(event=np.where(np.arange(200) == 1, number, 2**24))
    getattr(frame, f"to_{name[2:]}")(tmp_path / name, index=False)
    keep = IntakeOptions(columns=ColumnOptions(keep=("event",)))

    place = "row 2" if name == "x.parquet" else "line 3"
    with pytest.raises(IntakeError, match=f"{place} .*{number}.* as event, which is not exact as"):
        convert_all([tmp_path / name], tmp_path / "out", keep)


@pytest.mark.parametrize(
    ("weight", "reason"),
    [(np.nan, "a finite number"), (-np.inf, "a finite number"), (1e39, "exact as float32")],
)
def test_kept_numbers_must_be_finite(tmp_path, weight, reason):
    weights = np.where(np.arange(200) == 1, weight, 0.5)
    to_frame(EVENTS).assign(weight=weights).to_parquet(tmp_path / "x.parquet")
    keep = IntakeOptions(columns=ColumnOptions(keep=("weight",)))

    with pytest.raises(IntakeError, match=f"row 2 .* weight, which is not {reason}"):
        convert_all([tmp_path / "x.parquet"], tmp_path / "out", keep)


def test_kept_numbers_of_a_later_file_with_wider_floats_must_be_exact(tmp_path):
    (tmp_path / "set").mkdir()
    for name, rows, weight in (
        ("a", slice(100), np.float32(1)),
        ("b", slice(100, 200), 16777217.0),
    ):
        frame = to_frame(select(EVENTS, rows)).assign(weight=weight)
        frame.to_parquet(tmp_path / "set" / f"{name}.parquet")
    keep = IntakeOptions(columns=ColumnOptions(keep=("weight",)))

    with pytest.raises(IntakeError, match=r"row 1 of b.parquet with '16777217' as weight, which"):
        convert_all([tmp_path / "set"], tmp_path / "out", keep)


def test_different_events_of_one_checksum_are_not_taken_for_the_same(tmp_path):
    for name, angles in (
        ("a.npy", (1.0369449853897095, 1.0853159427642822)),  # The CRC-32C of both is the same.
        ("b.npy", (0.25064200162887573, 0.5402140021324158)),
    ):
        event = EVENTS.features[:1].copy()
        event[0, 1:3] = angles
        np.save(tmp_path / name, np.concatenate([[[1.0]], event], axis=1, dtype=np.float32))

    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    events, _ = convert_all(paths, tmp_path / "out", split=SplitOptions(validation_rows=1))
    assert sorted(events.features[:, 1]) == [np.float32(0.250642), np.float32(1.036945)]


@pytest.mark.slow
def test_a_manifest_of_an_earlier_set_is_replaced(tmp_path, csv):
    convert_all([csv], tmp_path / "out", described={"units": "published"})
    convert_all([csv], tmp_path / "out", overwrite=True, described={"units": "gev"})

    assert read_manifest(tmp_path / "out/manifest.json").options == {"units": "gev"}


@pytest.mark.slow
def test_progress_ends_with_the_size_of_the_inputs(tmp_path, csv):
    to_frame(make_published_events(90)).to_parquet(tmp_path / "y.parquet")
    paths, read = [csv, tmp_path / "y.parquet"], []

    convert_all(paths, tmp_path / "out", on_read=read.append)

    assert read[-1] == sum(path.stat().st_size for path in paths)


def test_no_thread_is_left_after_a_refusal(tmp_path, csv):
    before = threading.active_count()
    csv.write_bytes(uci_csv(EVENTS) + b"1,2\n")

    with pytest.raises(IntakeError, match="line 201"):
        convert_all([csv], tmp_path / "out")

    assert threading.active_count() == before


@pytest.mark.slow
def test_an_input_with_the_content_of_another_is_refused(tmp_path):
    for name in ("a.csv", "copy of a.csv"):
        (tmp_path / name).write_bytes(uci_csv(EVENTS))

    with pytest.raises(IntakeError, match=r"copy of a\.csv and .*a\.csv have the same events"):
        convert_all(sorted(tmp_path.glob("*.csv")), tmp_path / "out")


def test_inputs_whose_events_are_all_left_out_are_not_the_same(tmp_path, csv):
    incomplete = to_frame(EVENTS).assign(lepton_pt=np.nan)
    paths = [csv, tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, rows in zip(paths[1:], (10, 20), strict=True):
        path.write_bytes(to_parquet(incomplete[:rows]))

    drop = IntakeOptions(values=ValueOptions(drop_missing=True))
    events, conversion = convert_all(paths, tmp_path / "out", drop)
    assert len(events.labels) == 200
    assert sum(conversion.counts.dropped.values()) == 30


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_is_escaped_in_the_manifest(tmp_path):
    path = tmp_path / os.fsdecode(b"bad\xff.csv")
    path.write_bytes(uci_csv(EVENTS))

    _, conversion = convert_all([path], tmp_path / "out")

    assert conversion.counts.sources[0].name == f"{tmp_path}/bad\\udcff.csv"


def test_an_input_without_events_is_named(tmp_path, csv):
    frame = to_frame(EVENTS)[:0]
    csv.write_bytes(to_parquet(frame))

    with pytest.raises(IntakeError, match=rf"{csv}: no complete events\."):
        convert_all([csv], tmp_path / "out")


def generated(count):
    from pipeline.sample_data.monte_carlo import generate

    return next(generate(count, seed=0))


@pytest.mark.slow
def test_columns_without_names_in_another_order_are_refused(tmp_path, csv):
    events = generated(300)
    masses = slice(len(COLUMNS) - 7, None)
    rows = [[*row[:-7], *sorted_masses(row[masses])] for row in to_rows(events, "%.9g")]
    csv.write_text(to_csv(rows))

    with pytest.raises(IntakeError, match=r"exchanging .*\. Name the columns, .* with --header"):
        convert_all([csv], tmp_path / "out")
    names = [*COLUMNS[:-7], *sorted_masses(COLUMNS[masses])]
    csv.write_text(to_csv(rows, names))
    assert same_events(convert_all([csv], tmp_path / "out")[0], events)


def sorted_masses(cells):
    """In alphabetical order of the names."""
    return [cell for _, cell in sorted(zip(COLUMNS[-7:], cells, strict=True))]


@pytest.mark.slow
@pytest.mark.parametrize("batch_rows", [1 << 16, 60])
def test_vectors_in_another_order_are_refused(tmp_path, monkeypatch, batch_rows):
    monkeypatch.setattr("pipeline.intake.table._BATCH_ROWS", batch_rows)
    events = generated(300)
    masses = [*range(21), *(21 + index for index in sorted_masses(range(7)))]
    np.savez(tmp_path / "x.npz", X=events.features[:, masses], y=events.labels)

    sentence = r"exchanging .*\. Write the columns in this order: "
    with pytest.raises(IntakeError, match=sentence):
        convert_all([tmp_path / "x.npz"], tmp_path / "out")
    rows = file_rows(str(tmp_path / "x.npz"), [], "", False)
    with pytest.raises(DataRefusedError, match=sentence):
        list(rows.read(rows.digest(), lambda _: None))


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
def test_a_part_without_the_header_of_a_reordered_table_is_refused(tmp_path, first):
    """As `split -l` makes them: the header is in the first part only."""
    order = [0, 2, 1, *range(3, 29)]
    rows = [[row[i] for i in order] for row in to_rows(EVENTS)]
    parts = [to_csv(rows[:100], [COLUMNS[i] for i in order]), to_csv(rows[100:])]
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, text in zip(paths, parts[first:] + parts[:first], strict=True):
        path.write_text(text)

    with pytest.raises(
        IntakeError, match=rf"{'ba'[first]}\.csv: has no names of columns, but .*csv"
    ):
        convert_all(paths, tmp_path / "out")


@pytest.mark.slow
def test_a_part_without_a_header_of_a_table_in_the_published_order_is_read(tmp_path):
    rows = to_rows(EVENTS)
    (tmp_path / "a.csv").write_text(to_csv(rows[:100], COLUMNS))
    (tmp_path / "b.csv").write_text(to_csv(rows[100:]))

    events, _ = convert_all([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out")

    assert same_events(events, EVENTS)
