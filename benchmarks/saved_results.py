"""Results on disk and on the terminal.

``results.json`` is a list of records ``{name, unit, ours, peer, ratio, goal,
met}``; ``details.json`` beside it holds the machine, and by name each goal's
sense, all runs and the sizes.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.harness import Measurement

OUT = Path(__file__).with_name("out")
RESULTS = "results.json"
DETAILS = "details.json"

Record = dict[str, Any]


def merge(before: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """The records of both, by name; a new one takes the place of its namesake."""
    return list({record["name"]: record for record in (*before, *new)}.values())


def save(measured: Iterable[Measurement], machine: Mapping[str, Any], out: Path = OUT) -> None:
    """Adds measurements to the results.

    Results of another machine, or of other versions, are dropped: no table should mix them.
    """
    measured = list(measured)
    records, details = load(out)
    if details.get("machine") != machine:
        records, details = [], {"machine": dict(machine), "measurements": {}}
    records = merge(records, (each.record() for each in measured))
    details["measurements"] |= {each.measure.name: each.details() for each in measured}
    out.mkdir(parents=True, exist_ok=True)
    _write(out / RESULTS, records)
    _write(out / DETAILS, details)


def load(out: Path = OUT) -> tuple[list[Record], dict[str, Any]]:
    """Records and details; empty where nothing was measured yet."""
    if not (out / RESULTS).exists():
        return [], {}
    return json.loads((out / RESULTS).read_text()), json.loads((out / DETAILS).read_text())


def table(records: Iterable[Record], details: Mapping[str, Any]) -> Table:
    """The results for the terminal, the machine below them."""
    shown = Table(caption=_machine_line(details["machine"]), caption_justify="left")
    for heading in ("measurement", "unit", "ours", "peer", "ratio", "goal", "met", "measured on"):
        numeric = heading in ("ours", "peer", "ratio")
        shown.add_column(heading, justify="right" if numeric else "left")
    for record in records:
        detail = details["measurements"][record["name"]]
        shown.add_row(
            *(record["name"], record["unit"]),
            *(_spread(record[side], detail[f"{side}_runs"]) for side in ("ours", "peer")),
            _number(record["ratio"]),
            f"{detail['sense']} {record['goal']:g}",
            "[green]yes[/]" if record["met"] else "[red]no[/]",
            detail["sizes"],
        )
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread(value: float | None, runs: Iterable[float]) -> str:
    runs = list(runs)
    if value is None or len(runs) < 2:
        return _number(value)
    return f"{_number(value)} ({_number(min(runs))}..{_number(max(runs))})"


def _machine_line(machine: Mapping[str, Any]) -> str:
    cpu, cores, memory, *versions = machine.items()
    named = ", ".join(f"{name} {value}" for name, value in versions)
    return f"{cpu[1]}, {cores[1]} cores, {memory[1]} GB; {named}. Medians (least..most)."


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
