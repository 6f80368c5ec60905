"""Conditions that must hold after a fault, and after the next run without it."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from file_layer import DEADLY, SIGNALS
from folder_digests import dataset_digests
from scenarios import Scenario
from workshop import Finished, Workshop

# Error texts of Python, TensorFlow and SQLite.
REASONS = {
    "EIO": r"Input/output error|disk I/O error|Errno 5",
    "ENOSPC": r"no space (is )?left|disk is full|Errno 28",
    "EACCES": r"Permission denied|disk I/O error|unable to open database|readonly database",
}


INTERRUPTED = 130
"""Exit code of a run that a signal has ended."""

# SQLite has its own texts, and a failed write may be reported by a later statement.
METADATA = r"disk I/O error|disk is full|readonly|unable to open|a write failed"


@dataclass(frozen=True)
class Reference:
    """How a scenario ends undisturbed.

    Attributes:
        code: exit code.
        auc: the line with the AUC.
        versions: number of versions in service.
        models: digests of the files of the models that may be in service.
        files: digests of the files of a data set.
    """

    code: int
    auc: str
    versions: int
    models: tuple[dict[str, str], ...]
    files: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """One line of the results; each judgement is True, False, or None if it does not apply."""

    scenario: str
    fault: str
    at: int
    node: str
    call: str
    path: str
    code: int
    message: bool | None
    nothing_lost: bool
    nothing_wrong: bool
    recovers: bool
    notes: str

    @property
    def is_good(self) -> bool:
        return all(
            value is not False
            for value in (self.message, self.nothing_lost, self.nothing_wrong, self.recovers)
        )

    def to_dict(self) -> dict:
        return asdict(self)


def auc(output: str) -> str:
    """The AUC that a run printed."""
    found = re.search(r"^AUC [\d.]+ on [\d,]+ events", output, re.MULTILINE)
    return found[0] if found else ""


def pushed(output: str) -> str | None:
    """The version that a run acknowledged."""
    found = re.search(r"^PUSHED version (\d+)", output, re.MULTILINE)
    return found[1] if found else None


def names_fault(done: Finished, fault: str, code: int) -> bool | None:
    """Whether the output says what failed; None if no message is needed."""
    if done.code < 0 or done.code == code:
        return None
    if fault in SIGNALS:
        return done.code == INTERRUPTED and "INTERRUPTED in" in done.output
    words = METADATA if "metadata.sqlite" in done.hit[2] else REASONS[fault.split(", ")[-1]]
    reason = re.search(words, done.output, re.IGNORECASE) or _is_full(done, fault)
    return bool(reason) and "Traceback" not in done.output and bool(_named(done))


def _is_full(done: Finished, fault: str) -> bool:
    return fault == "ENOSPC" and "no space is left" in done.output


def _named(done: Finished) -> bool:
    """Whether the output names the file, or its folder, or that the whole root is full."""
    _, call, path = done.hit
    # Python names what is renamed, which is at most one folder higher.
    folder = Path(path).parents[1 if call == "rename" else 0]
    names = ["the root, ", "metadata" if "metadata.sqlite" in path else str(folder)]
    # Beam names the source of a rename, or no file: then the message has to name the node's folder.
    failure = "".join(re.findall(r"^FAILED in .*", done.output, re.MULTILINE))
    node = re.match(r".*/artifacts/\w+", path)
    is_in_failure = node is not None and node[0] in failure
    return is_in_failure or any(name in done.output for name in names)


def wrongly_pushed(workshop: Workshop, scenario: Scenario, reference: Reference) -> list[str]:
    """Versions in service that do not equal, file by file, any allowed model."""
    # Two trainings agree in every score, but not in every byte of the export.
    trained = workshop.models() if "Trainer" in scenario.real else []
    return [
        f"version {name} is not a blessed model"
        for name, files in workshop.versions().items()
        if files not in (*reference.models, *trained)
    ]


def lost(before: dict, workshop: Workshop, acknowledged: list[str | None]) -> list[str]:
    """Versions that were in service, or reported as pushed, and no longer are."""
    now = workshop.versions()
    changed = [name for name, files in before.items() if now.get(name) != files]
    missing = [version for version in acknowledged if version and version not in now]
    return [f"version {name} is lost" for name in (*changed, *missing)]


def differences(workshop: Workshop, again: Finished, reference: Reference) -> list[str]:
    """How the next run differs from an undisturbed one."""
    versions = workshop.versions()
    known = {folder.rpartition("/")[2] for folder in again.known}
    found = []
    if again.code != reference.code:
        found.append(f"next run: exit code {again.code}, not {reference.code}")
    if auc(again.output) != reference.auc:
        found.append(f"next run: {auc(again.output)!r}, not {reference.auc!r}")
    if len(versions) != reference.versions:
        found.append(f"next run: {len(versions)} versions, not {reference.versions}")
    if unknown := sorted(set(versions) - known):
        found.append(f"next run: versions {unknown} are unknown to ML Metadata")
    if "Traceback" in again.output:
        found.append("next run: a traceback")
    return found


def judge(
    workshop: Workshop, scenario: Scenario, reference: Reference, fault: str, at: int
) -> tuple[Outcome, str] | None:
    """Runs a scenario with a fault and again without; None if no call failed.

    Returns:
        The outcome, and what the two runs printed.
    """
    workshop.restore(scenario.base)
    before = workshop.versions()
    done = workshop.run(scenario, fault, at)
    if done.hit is None:
        return None
    phase, call, path = done.hit
    wrong = wrongly_pushed(workshop, scenario, reference)
    missing = lost(before, workshop, [pushed(done.output)])
    again = workshop.run(scenario, again=True)
    wrong += wrongly_pushed(workshop, scenario, reference)
    missing += lost(before, workshop, [pushed(done.output), pushed(again.output)])
    differs = differences(workshop, again, reference)
    if reference.files:
        differs += _wrong_files(workshop, reference)
    message = names_fault(done, fault, reference.code)
    if fault not in DEADLY and done.code < 0:
        differs.append(f"ended by signal {-done.code}")
    nodes = done.nodes or again.nodes
    outcome = Outcome(
        scenario=scenario.name,
        fault=fault,
        at=at,
        node=nodes[phase - 1] if 0 < phase <= len(nodes) else "",
        call=call,
        path=path.replace(str(workshop.work), "ROOT"),
        code=done.code,
        message=message,
        nothing_lost=not missing,
        nothing_wrong=not wrong,
        recovers=not differs,
        notes="; ".join(dict.fromkeys((*missing, *wrong, *differs))),
    )
    return outcome, f"{done.output}\n---- again ----\n{again.output}"


def _wrong_files(workshop: Workshop, reference: Reference) -> list[str]:
    same = dataset_digests(workshop.work) == reference.files
    return [] if same else ["next run: other files"]


def names_fault_of_file(done: Finished, file: str) -> bool:
    """Whether the output names a damaged file, or the folder that holds it."""
    parts = file.split("/")
    return any("/".join(parts[:end]) in done.output for end in range(3, len(parts) + 1)) or (
        parts[-1] in done.output
    )
