"""The network, drawn: the wide part above, the deep part below, and their sum."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from components.report.figures.figure_style import (
    ACCENT,
    BACKGROUND,
    CANDIDATE,
    INK,
    MUTED,
    PAPER,
    new_axes,
)
from formats.training_record import Layer, Training

MOST_BOXES = 7
"""Boxes of the deep part that fit side by side; what is between them is summed up."""

MOST_BLOCKS = 1000
"""Blocks of a network; a larger number is none of blocks."""

BOX = (1.3, 0.78)
STEP = 1.62
TOP, UPPER, MIDDLE, LOWER = 3.5, 2.3, 1.25, 0.2


@dataclass(frozen=True)
class Box:
    """One box: its lines of text, and the weights in it (None when unknown)."""

    lines: tuple[str, ...]
    parameters: int | None

    def text(self) -> str:
        """All lines, the weights last."""
        count = () if self.parameters is None else (f"{self.parameters:,} weights",)
        return "\n".join((*self.lines, *count))


@dataclass(frozen=True)
class Plan:
    """What is drawn: the boxes of each part; the leaves are the wide part's crossed columns."""

    inputs: tuple[Box, ...]
    leaves: tuple[Box, ...]
    wide: tuple[Box, ...]
    deep: tuple[Box, ...]


def plan(training: Training) -> Plan:
    """The boxes of a network, from its layers where they are known, else from its size."""
    leaves = tuple(_leaves(training.facts))
    if training.layers:
        wide, deep = (
            tuple(
                _block(block)
                for block in _blocks(layer for layer in training.layers if layer.part == part)
            )
            for part in ("wide", "deep")
        )
        return Plan(tuple(_inputs(training.layers)), leaves, wide, _shortened(deep))
    known = training.hyperparameters
    block = Box((f"{known.get('units', 'unknown')} units", str(known.get("activation", ""))), None)
    return Plan(
        (Box(("28 features",), None),),
        leaves,
        (Box(("linear", "1"), training.parameters.get("wide")),),
        _shortened((block,) * _blocks_known(known.get("blocks"))),
    )


def network(training: Training) -> Figure:
    """The network as boxes from left to right."""
    boxes = plan(training)
    rows = [(boxes.wide, UPPER, BACKGROUND), (boxes.deep, LOWER, CANDIDATE)]
    if boxes.leaves:
        rows.insert(0, (boxes.leaves, TOP, BACKGROUND))
    height = rows[0][1] + 1.05
    start = len(boxes.inputs)
    end = start + max(len(row) for row, _, _ in rows)
    figure, axes = new_axes(11.0, 0.95 * height)
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(-0.1, max(end + 1.0, 4.0) * STEP), ylim=(-0.15, height))
    axes.axis("off")
    _row(axes, boxes.inputs, 0, MIDDLE, MUTED)
    for row, y, colour in rows:
        if row:
            _arrow(axes, ((start - 1) * STEP + BOX[0], MIDDLE), (start * STEP, y))
            last = _row(axes, row, start, y, colour)
            _arrow(axes, ((last - 1) * STEP + BOX[0], y), (end * STEP, MIDDLE))
    _box(axes, Box(("sum, sigmoid", "probability", "of signal"), None), end * STEP, MIDDLE, ACCENT)
    for part, y, colour in (("wide", rows[0][1], BACKGROUND), ("deep", LOWER, CANDIDATE)):
        text = f"{part} part: {_weights(training, part)}"
        axes.text(start * STEP, y + BOX[1] + 0.07, text, color=colour, fontsize=9)
    whole = f"whole network:\n{_weights(training, 'total')}"
    axes.text(0, MIDDLE + BOX[1] + 0.07, whole, color=INK, fontsize=9)
    return figure


def _blocks_known(blocks: Any) -> int:
    """How many blocks are drawn: what was written, if that is a number of blocks."""
    return blocks if isinstance(blocks, int) and 1 <= blocks <= MOST_BLOCKS else 1


def _weights(training: Training, part: str) -> str:
    weights = training.parameters.get(part)
    return "unknown" if weights is None else f"{weights:,} weights"


def _inputs(layers: Iterable[Layer]) -> Iterator[Box]:
    """One box for all that is done to the columns before both parts."""
    of_inputs = [layer for layer in layers if layer.part == "inputs"]
    if of_inputs:
        columns, *others = of_inputs
        kinds = ", ".join(dict.fromkeys(layer.kind for layer in others))
        count = sum(layer.parameters for layer in of_inputs)
        yield Box((f"{columns.shape} columns", _shorter(kinds)), count)


def _leaves(facts: Mapping[str, Any]) -> Iterator[Box]:
    """The wide part's crossed columns, which are no layer of the network's own."""
    if trees := facts.get("trees"):
        count = trees.get("trees", "unknown")
        yield Box(("leaves of", f"{count} boosted trees"), trees.get("leaves"))


def _blocks(layers: Iterable[Layer]) -> list[list[Layer]]:
    """Layers in a row, each Dense one with what follows it."""
    blocks: list[list[Layer]] = []
    for layer in layers:
        if not blocks or layer.kind == "Dense":
            blocks.append([])
        blocks[-1].append(layer)
    return blocks


def _block(layers: Sequence[Layer]) -> Box:
    first, rest = layers[0], layers[1:]
    others = ", ".join(dict.fromkeys(layer.kind for layer in rest))
    lines = (f"{first.kind} {layers[-1].shape}".strip(), _shorter(others))
    return Box(tuple(line for line in lines if line), sum(layer.parameters for layer in layers))


def _shorter(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shortened(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """The first and last boxes with one between them for the others, if there are too many."""
    if len(boxes) <= MOST_BOXES:
        return boxes
    head, between, tail = boxes[:3], boxes[3:-2], boxes[-2:]
    counts = [box.parameters for box in between if box.parameters is not None]
    more = Box((f"{len(between)} more",), sum(counts) if counts else None)
    return (*head, more, *tail)


def _row(axes: Axes, boxes: Sequence[Box], first: int, y: float, colour: str) -> int:
    """Draws boxes side by side, joined by arrows; gives the column after the last."""
    for column, box in enumerate(boxes, start=first):
        _box(axes, box, column * STEP, y, colour)
        if column > first:
            _arrow(axes, ((column - 1) * STEP + BOX[0], y), (column * STEP, y))
    return first + len(boxes)


def _box(axes: Axes, box: Box, x: float, y: float, colour: str) -> None:
    shape = FancyBboxPatch(
        (x, y), *BOX, boxstyle="round,pad=0,rounding_size=0.08", fc=PAPER, ec=colour, lw=1.3
    )
    axes.add_patch(shape)
    axes.text(
        x + BOX[0] / 2,
        y + BOX[1] / 2,
        box.text(),
        ha="center",
        va="center",
        fontsize=7.5,
        linespacing=1.35,
    )


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    half = BOX[1] / 2
    axes.annotate(
        "",
        (end[0], end[1] + half),
        (begin[0], begin[1] + half),
        arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 0.9},
    )
