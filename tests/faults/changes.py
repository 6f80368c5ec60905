"""What people, backups and copies do to a root between two runs, unlike a disk that fails."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenarios import AGAIN, REFUSED, SECOND, Scenario
from workshop import Workshop


@dataclass(frozen=True)
class Change:
    """A change of the state a scenario starts from.

    Attributes:
        apply: makes the change.
        scenario: what is run afterwards.
        words: what the run prints.
        base: name of the scenario that left the state; empty: the one before ``scenario``.
        versions: number of versions at the end.
        withdrawn: whether the run must be refused until the changed version is withdrawn.
    """

    apply: Callable[[Workshop], None]
    scenario: Scenario
    words: str
    base: str = ""
    versions: int = 1
    withdrawn: bool = False

    def __str__(self) -> str:
        return f"{self.apply.__name__}, {self.scenario.name}"


def new_times(workshop: Workshop) -> None:
    """As `cp -r`, `rsync` without `-t` and `git checkout` leave them."""
    for path in workshop.work.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)


def swapped_models(workshop: Workshop) -> None:
    _swap(*sorted((workshop.work / "artifacts/Trainer/model").iterdir()))


def swapped_splits(workshop: Workshop) -> None:
    _swap(*sorted((workshop.work / "artifacts/CollisionExampleGen").rglob("*.parquet"))[:2])


def zeros_of_the_same_size(workshop: Workshop) -> None:
    file = min((workshop.work / "artifacts/CollisionExampleGen").rglob("*.parquet"))
    file.write_bytes(bytes(file.stat().st_size))


def edited_verdict(workshop: Workshop) -> None:
    [file] = (workshop.work / "artifacts/DataGate").rglob("verdict.json")
    file.write_text(file.read_text().replace("400", "500"))


def edited_blessing(workshop: Workshop) -> None:
    [file] = (workshop.work / "artifacts/Evaluator").rglob("NOT_BLESSED")
    file.rename(file.with_name("BLESSED"))


def older_metadata(workshop: Workshop) -> None:
    """A backup of the day before was put back, for the metadata only."""
    backup = workshop.folder / "bases" / "first run" / "metadata" / "metadata.sqlite"
    shutil.copyfile(backup, workshop.work / "metadata" / "metadata.sqlite")


def newer_metadata(workshop: Workshop) -> None:
    """The same, for everything else."""
    newer = workshop.folder / "bases" / "another model" / "metadata" / "metadata.sqlite"
    shutil.copyfile(newer, workshop.work / "metadata" / "metadata.sqlite")


def foreign_entries(workshop: Workshop) -> None:
    """None of these is a version."""
    folder = workshop.work / "serving"
    for name in ("latest", "-3", "00017", "1e10", str(2**63), "²", ".pushing.other.0a"):
        (folder / name).mkdir()
    (folder / os.fsdecode(b"\xff")).mkdir()
    (folder / "12").write_text("a file")
    (folder / "13").symlink_to("nowhere")


def edited_provenance(workshop: Workshop) -> None:
    [file] = (workshop.work / "serving").rglob("provenance.json")
    file.write_text(file.read_text().replace('"events": 400', '"events": 401'))


CHANGES = (
    Change(new_times, AGAIN, "by an earlier run; nothing changed since"),
    Change(zeros_of_the_same_size, AGAIN, ".parquet has other content"),
    Change(swapped_splits, AGAIN, "; CollisionExampleGen will rebuild it"),
    Change(swapped_models, SECOND, "Trainer will rebuild it", base="another model", versions=2),
    Change(edited_verdict, AGAIN, "verdict.json has other content"),
    Change(edited_blessing, REFUSED, "NOT_BLESSED is missing", base="refused model"),
    Change(older_metadata, SECOND, "later runs are not listed", base="another model", versions=2),
    Change(newer_metadata, SECOND, "Trainer will rebuild it", versions=2),
    Change(foreign_entries, SECOND, "PUSHED version", versions=2),
    Change(edited_provenance, SECOND, "provenance.json was changed", versions=1, withdrawn=True),
)


def _swap(first: Path, second: Path) -> None:
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
