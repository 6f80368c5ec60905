"""Files that are damaged between two runs: a flipped byte, a lost end, a missing file."""

import random
import re
import shutil
from pathlib import Path

from judgement import Outcome, Reference, auc, names_fault_of_file
from scenarios import SECOND, Scenario
from workshop import Workshop

REFUSAL = 1
DAMAGES = ("flipped byte", "cut short", "deleted")
WITH_SEED = (
    "Trainer",
    "Baseline",
    "ServingCheck",
    "Evaluator",
    "TestEvaluator",
    "Pusher",
    "ServedModel",
    "Scorer",
)
FOLDERS = ("artifacts", "manifests", "serving")
# Names of versions are times; TensorBoard's event files contain a time and a process.
VARIES = re.compile(r"\d{10}(\.[^/]*\.\d+\.\d+)?")


def targets(workshop: Workshop) -> list[str]:
    """Patterns of the files of every artifact and pushed version, the same in every workshop."""
    return [
        VARIES.sub("*", str(path.relative_to(workshop.work)))
        for folder in FOLDERS
        for path in sorted((workshop.work / folder).rglob("*"))
        if path.is_file() and path.stat().st_size
    ]


def damage(file: Path, kind: str, seed: int) -> None:
    """Damages a file and keeps its times, as a failing disk does."""
    content = bytearray(file.read_bytes())
    place = random.Random(seed).randrange(len(content))  # noqa: S311 (no secret)
    if kind == "deleted":
        file.unlink()
    elif kind == "cut short":
        file.write_bytes(content[:place])
    else:
        content[place] ^= 1 << (seed % 8)
        file.write_bytes(content)


def judge_damage(
    workshop: Workshop, scenario: Scenario, reference: Reference, kind: str, pattern: str, seed: int
) -> tuple[Outcome, str]:
    """Damages a file of the state a scenario starts from, and runs the scenario."""
    workshop.restore(scenario.base)
    before = workshop.versions()
    [path] = workshop.work.glob(pattern)
    file = str(path.relative_to(workshop.work))
    damage(path, kind, seed)
    done = again = workshop.run(scenario)
    hurt = file.split("/")[1] if file.startswith("serving/") else None
    # A manifest is written again if the files agree with the digest in ML Metadata, which also has
    # the last version. With another seed, these nodes do not check their earlier outputs.
    is_known = file.startswith("manifests/") or file == "serving/.last_version"
    is_unused = scenario is SECOND and any(f"artifacts/{node}/" in file for node in WITH_SEED)
    spare = (is_known or is_unused) and done.code == reference.code
    named = None if spare else names_fault_of_file(done, file)
    if hurt and named and done.code == REFUSAL:
        # By default a damaged version in service is refused; the remedy is to withdraw it.
        shutil.rmtree(workshop.work / "serving" / hurt)
        again = workshop.run(scenario)
    versions = workshop.versions()
    lost = [name for name in before if name != hurt and versions.get(name) != before[name]]
    sound = {name: files for name, files in versions.items() if files in reference.models}
    wrong = [name for name in versions if name not in sound and name != hurt]
    if not sound or max(versions, key=int) not in sound:
        wrong.append("the newest version")
    differs = []
    if again.code != reference.code:
        differs.append(f"exit code {again.code}, not {reference.code}")
    if auc(again.output) != reference.auc:
        differs.append(f"{auc(again.output)!r}, not {reference.auc!r}")
    if hurt is None and len(versions) != reference.versions:
        differs.append(f"{len(versions)} versions, not {reference.versions}")
    outcome = Outcome(
        scenario=scenario.name,
        fault=kind,
        at=seed,
        node=file.split("/")[1],
        call="damage",
        path=f"ROOT/{file}",
        code=done.code,
        message=named,
        nothing_lost=not lost,
        nothing_wrong=not wrong,
        recovers=not differs,
        notes="; ".join([*map(str, lost), *map(str, wrong), *differs]),
    )
    return outcome, f"{done.output}\n---- again ----\n{again.output}"
