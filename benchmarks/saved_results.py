"""Saves, loads and tabulates results.

``results.json`` is a list of records ``{name, unit, ours, peer, ratio, goal, met}``.
``details.json`` beside it has the machine and, by name, each goal's sense, all runs and the sizes.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.measurement import Measurement

OUT = Path(__file__).with_name("out")
RESULTS = "results.json"
DETAILS = "details.json"

Record = dict[str, Any]


def merge(previous: Iterable[Record], current: Iterable[Record]) -> list[Record]:
    """Both lists of records; a current record replaces the previous one of the same name."""
    return list({record["name"]: record for record in (*previous, *current)}.values())


def save(measurements: Iterable[Measurement], machine: Mapping[str, Any], out: Path = OUT) -> None:
    """Adds measurements to the results.

    Results of another machine or of other versions are deleted, because no table should mix them.
    """
    measurements = list(measurements)
    records, details = load(out)
    if details.get("machine") != machine:
        records, details = [], {"machine": dict(machine), "measurements": {}}
    records = merge(records, (measurement.record() for measurement in measurements))
    for measurement in measurements:
        details["measurements"][measurement.measure.name] = measurement.details()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / RESULTS, records)
    _write(out / DETAILS, details)


def load(out: Path = OUT) -> tuple[list[Record], dict[str, Any]]:
    """Records and details; both are empty if nothing was measured yet."""
    if not (out / RESULTS).exists():
        return [], {}
    return json.loads((out / RESULTS).read_text()), json.loads((out / DETAILS).read_text())


def table(records: Iterable[Record], details: Mapping[str, Any]) -> Table:
    """The results as a table for the terminal, with the machine below."""
    result = Table(caption=_machine_line(details["machine"]), caption_justify="left")
    for heading in ("measurement", "unit", "ours", "peer", "ratio", "goal", "met", "measured on"):
        is_number = heading in ("ours", "peer", "ratio")
        result.add_column(heading, justify="right" if is_number else "left")
    for record in records:
        detail = details["measurements"][record["name"]]
        result.add_row(
            record["name"],
            record["unit"],
            _with_range(record["ours"], detail["ours_runs"]),
            _with_range(record["peer"], detail["peer_runs"]),
            _number(record["ratio"]),
            f"{detail['sense']} {record['goal']:g}",
            "[green]yes[/]" if record["met"] else "[red]no[/]",
            detail["sizes"],
        )
    return result


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _with_range(value: float | None, runs: list[float]) -> str:
    if value is None or len(runs) < 2:
        return _number(value)
    return f"{_number(value)} ({_number(min(runs))}..{_number(max(runs))})"


def _machine_line(machine: Mapping[str, Any]) -> str:
    cpu, cores, memory, *versions = machine.items()
    version_list = ", ".join(f"{name} {value}" for name, value in versions)
    return f"{cpu[1]}, {cores[1]} cores, {memory[1]} GB; {version_list}. Medians (min..max)."


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
