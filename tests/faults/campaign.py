"""Thousands of faults, and the table of their outcomes: `make faults`.

Each line of the results is one fault. A campaign that was stopped resumes where it stopped.
"""

import argparse
import json
import os
import queue
import random
import shutil
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from damage import DAMAGES, judge_damage, targets
from file_layer import FAULTS, applies
from folder_digests import dataset_digests
from judgement import Outcome, Reference, auc, judge
from scenarios import AGAIN, HEAVY, LIGHT, SECOND, Scenario
from workshop import SOURCES, Workshop

RESULTS = SOURCES / "benchmarks" / "out" / "faults.jsonl"
SCRATCH_BYTES = 1 << 29
DOCUMENT = SOURCES / "docs" / "faults.md"


@dataclass(frozen=True)
class Task:
    """One fault: of a call by its index, or of a file by its name."""

    scenario: str
    fault: str
    at: int
    file: str = ""

    @property
    def key(self) -> str:
        return f"{self.scenario}|{self.fault}|{self.at}|{self.file}"


@dataclass(frozen=True)
class Prepared:
    """A scenario, how it ends undisturbed, and the calls that can fail in it."""

    scenario: Scenario
    reference: Reference
    calls: list[tuple[int, str, str]]


def prepare(workshop: Workshop, scenarios: tuple[Scenario, ...] = LIGHT) -> dict[str, Prepared]:
    """Runs scenarios undisturbed and keeps the states in which they end."""
    workshop.generate_data()
    prepared = {}
    for scenario in scenarios:
        workshop.restore(scenario.base)
        done = workshop.run(scenario)
        versions = workshop.versions()
        if (done.code, len(versions)) != (scenario.code, scenario.versions):
            raise RuntimeError(f"{scenario.name}: {done.code}, {versions}\n{done.output}")
        files = {} if scenario.command == "run" else dataset_digests(workshop.work)
        reference = Reference(
            done.code, auc(done.output), len(versions), tuple(versions.values()), files
        )
        prepared[scenario.name] = Prepared(scenario, reference, workshop.layer.calls())
        workshop.save(scenario.name)
    return prepared


def prepare_heavy(
    workshop: Workshop, prepared: dict[str, Prepared], scenarios: tuple[Scenario, ...] = HEAVY
) -> dict[str, Prepared]:
    """Counts the calls of the nodes that compute; their other calls are those of a light run."""
    first = prepared[LIGHT[0].name]
    heavy = {}
    for scenario in scenarios:
        workshop.restore("")
        done = workshop.run(scenario, at=10**9)
        [node] = scenario.real
        phase = done.nodes.index(node) + 1
        calls = [
            call if call[0] == phase and not is_metadata(call) else (0, "", "")
            for call in workshop.layer.calls()
        ]
        heavy[scenario.name] = Prepared(scenario, first.reference, calls)
    return heavy


def is_metadata(call: tuple[int, str, str]) -> bool:
    """Whether a call is SQLite's."""
    return "metadata.sqlite" in call[2]


def plan(prepared: dict[str, Prepared], files: list[str], seed: int) -> list[Task]:
    """Every fault that can be tried, in an order in which any beginning is a sample.

    SQLite makes nine calls of ten, all alike; they come after the others, one to three.
    """
    rng = random.Random(seed)  # noqa: S311 (no secret)
    rare, metadata = [], []
    for name, item in prepared.items():
        for at, call in enumerate(item.calls):
            kinds = [fault for fault in FAULTS if call[1] and applies(fault, call[1])]
            group = metadata if is_metadata(call) else rare
            group += [Task(name, fault, at) for fault in kinds]
    for scenario in (AGAIN, SECOND):
        rare += [
            Task(scenario.name, kind, rng.randrange(1 << 30), file)
            for file in files
            for kind in DAMAGES
        ]
    rng.shuffle(rare)
    rng.shuffle(metadata)
    return list(_interleave(rare, metadata, 3))


def _interleave(many: list[Task], few: list[Task], ratio: int) -> Iterator[Task]:
    """Takes `ratio` items of the first and one of the second in turn, then the rest."""
    first, second = iter(many), iter(few)
    for index in range(len(many) + len(few)):
        source, other = (second, first) if index % (ratio + 1) == ratio else (first, second)
        task = next(source, None) or next(other, None)
        if task:
            yield task


def execute(
    workshop: Workshop, prepared: dict[str, Prepared], task: Task
) -> tuple[Outcome, str] | None:
    """Tries one fault."""
    item = prepared[task.scenario]
    if task.file:
        return judge_damage(workshop, item.scenario, item.reference, task.fault, task.file, task.at)
    return judge(workshop, item.scenario, item.reference, task.fault, task.at)


def read_results(path: Path) -> dict[str, dict]:
    """Results so far, by the key of the task; a torn last line is dropped."""
    results = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        results[record["key"]] = record
    return results


def work(
    workshop: Workshop,
    prepared: dict[str, Prepared],
    tasks: "queue.Queue[Task]",
    arguments: argparse.Namespace,
) -> None:
    """Takes tasks until there are none, or the time is up; writes a line for each."""
    while time.monotonic() < arguments.deadline:
        try:
            task = tasks.get_nowait()
        except queue.Empty:
            return
        try:
            judged = execute(workshop, prepared, task)
        except Exception:
            # The other workers go on, so the pool would not show it before the end.
            print(f"a worker ended at {task.key}", flush=True)
            traceback.print_exc()
            raise
        record = {"key": task.key, "missed": judged is None}
        if judged:
            outcome, output = judged
            record |= {**outcome.to_dict(), "good": outcome.is_good}
            if not outcome.is_good:
                record["output"] = output[-6000:]
        with arguments.lock, arguments.results.open("a") as file:
            print(json.dumps(record), file=file, flush=True)


def run_campaign(arguments: argparse.Namespace) -> None:
    """Tries what has not been tried, on every core."""
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    done = read_results(arguments.results)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(scratch_folder()))
        numbers = range(arguments.workers)
        pool = stack.enter_context(ThreadPoolExecutor(arguments.workers))
        shops = [stack.enter_context(Workshop(folder / str(number))) for number in numbers]
        prepared = list(pool.map(partial(prepare_all, light=arguments.light), shops))
        tasks: queue.Queue[Task] = queue.Queue()
        # Some calls depend on threads, and a few tasks miss.
        left = arguments.faults - sum(not record["missed"] for record in done.values())
        for task in plan(prepared[0], targets(shops[0]), arguments.seed):
            chosen = arguments.only in task.scenario
            if chosen and task.key not in done and tasks.qsize() < left:
                tasks.put(task)
        print(f"{len(done):,} faults tried before, {tasks.qsize():,} to try", flush=True)
        work_on = partial(work, tasks=tasks, arguments=arguments)
        list(pool.map(work_on, shops, prepared))


def prepare_all(workshop: Workshop, *, light: bool) -> dict[str, Prepared]:
    """Prepares every scenario, and leaves the state in which files are damaged."""
    prepared = prepare(workshop)
    if not light:
        prepared |= prepare_heavy(workshop, prepared)
    workshop.restore(SECOND.base)
    return prepared


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder in memory if there is one, because the disk itself is not tested."""
    memory = Path("/dev/shm")  # noqa: S108 (the folder has a random name)
    usable = memory.is_dir() and shutil.disk_usage(memory).free > SCRATCH_BYTES
    with tempfile.TemporaryDirectory(dir=memory if usable else None) as folder:
        yield folder


def table(results: list[dict]) -> str:
    """The matrix of faults and judgements, as Markdown."""
    names = ("message", "nothing_lost", "nothing_wrong", "recovers")
    lines = [
        "| fault | tried | message | nothing lost | nothing wrongly pushed | next run recovers |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for fault in (*FAULTS, *DAMAGES):
        rows = [record for record in results if record["fault"] == fault]
        if rows:
            cells = [_share([row[name] for row in rows]) for name in names]
            lines.append(f"| {fault} | {len(rows):,} | {' | '.join(cells)} |")
    total = [_share([row[name] for row in results]) for name in names]
    lines.append(f"| all | {len(results):,} | {' | '.join(total)} |")
    return "\n".join(lines)


def _share(values: list[bool | None]) -> str:
    asked = [value for value in values if value is not None]
    return f"{sum(asked):,} of {len(asked):,}" if asked else "–"


def write_document(results: list[dict]) -> None:
    """Replaces the table between the marks of the document."""
    text = DOCUMENT.read_text()
    start, end = "<!-- table: make faults -->\n", "<!-- end of table -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    sys.path.append(str(SOURCES))
    from benchmarks.machine_description import describe

    machine = describe()
    date = time.strftime("%Y-%m-%d", time.gmtime())
    counts = Counter(record["scenario"] for record in results)
    scenarios = "; ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
    summary = (
        f"{len(results):,} faults, {date}, {machine['cores']} cores of {machine['cpu']}.\n"
        f"{textwrap.fill(f'By scenario: {scenarios}.', 120)}\n\n"
    )
    DOCUMENT.write_text(f"{before}{start}{summary}{table(results)}\n{end}{after}")


def main() -> None:
    """Runs a campaign, prints its table, and writes it to the document if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--only", default="", help="part of the names of scenarios to disturb")
    parser.add_argument("--light", action="store_true", help="no faults in nodes that compute")
    parser.add_argument("--document", action="store_true", help="rewrite docs/faults.md")
    arguments = parser.parse_args()
    arguments.lock = threading.Lock()
    arguments.deadline = time.monotonic() + 60 * arguments.minutes
    run_campaign(arguments)
    results = [r for r in read_results(arguments.results).values() if not r["missed"]]
    print(table(results))
    for (place, notes), count in Counter(
        (f"{r['node']} {r['call']}", r["notes"]) for r in results if not r["good"]
    ).most_common(20):
        print(f"{count:6}  {place}: {notes or 'message'}")
    if arguments.document:
        write_document(results)


if __name__ == "__main__":
    main()
