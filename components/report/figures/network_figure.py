"""The network as a drawing: the wide part above, the deep part below, and their sum."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from components.report.figures import figure_style as style
from formats.training_record import LayerRecord, TrainingRecord

MAX_BOXES = 7
"""Boxes of the deep part that fit side by side; those in the middle are summed up."""

MAX_KINDS_LENGTH = 24
"""Characters of the kinds of layers that fit into a box."""

BOX = (1.3, 0.78)
STEP = 1.62
TREES_Y, WIDE_Y, MIDDLE_Y, DEEP_Y = 3.5, 2.3, 1.25, 0.2


@dataclass(frozen=True)
class Box:
    """One box: its lines of text, and the number of its weights; None if it has none."""

    lines: tuple[str, ...]
    parameters: int | None

    def text(self) -> str:
        """Returns all lines, the number of weights last."""
        weights = () if self.parameters is None else (f"{self.parameters:,} weights",)
        return "\n".join((*self.lines, *weights))


@dataclass(frozen=True)
class Diagram:
    """The boxes of each part; the leaves of the trees are inputs of the wide part."""

    inputs: tuple[Box, ...]
    trees: tuple[Box, ...]
    wide: tuple[Box, ...]
    deep: tuple[Box, ...]


def make_diagram(training: TrainingRecord) -> Diagram:
    """Groups the layers of a network into boxes."""
    wide, deep = (
        tuple(
            _block_box(block)
            for block in _blocks(layer for layer in training.layers if layer.part == part)
        )
        for part in ("wide", "deep")
    )
    return Diagram(
        tuple(_input_box(training.layers)), tuple(_trees_box(training)), wide, _abridged(deep)
    )


def network(training: TrainingRecord) -> Figure:
    """Draws the network as boxes from left to right."""
    diagram = make_diagram(training)
    rows = [(diagram.wide, WIDE_Y, style.BACKGROUND), (diagram.deep, DEEP_Y, style.CANDIDATE)]
    if diagram.trees:
        rows.insert(0, (diagram.trees, TREES_Y, style.BACKGROUND))
    height = rows[0][1] + 1.05
    start = len(diagram.inputs)
    end = start + max(len(row) for row, _, _ in rows)
    figure, axes = style.new_axes(11.0, 0.95 * height)
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(-0.1, max(end + 1.0, 4.0) * STEP), ylim=(-0.15, height))
    axes.axis("off")
    _draw_row(axes, diagram.inputs, 0, MIDDLE_Y, style.MUTED)
    for row, y, colour in rows:
        if row:
            _draw_arrow(axes, ((start - 1) * STEP + BOX[0], MIDDLE_Y), (start * STEP, y))
            last = _draw_row(axes, row, start, y, colour)
            _draw_arrow(axes, ((last - 1) * STEP + BOX[0], y), (end * STEP, MIDDLE_Y))
    output = Box(("sum, sigmoid", "probability", "of signal"), None)
    _draw_box(axes, output, end * STEP, MIDDLE_Y, style.ACCENT)
    weights = training.parameters
    for x, y, text, colour in (
        (start, rows[0][1], f"wide part: {weights.wide:,} weights", style.BACKGROUND),
        (start, DEEP_Y, f"deep part: {weights.deep:,} weights", style.CANDIDATE),
        (0, MIDDLE_Y, f"whole network:\n{weights.total:,} weights", style.INK),
    ):
        axes.text(x * STEP, y + BOX[1] + 0.07, text, color=colour, fontsize=9)
    return figure


def output_shape(layer: LayerRecord) -> str:
    """Formats the shape of a layer's output; dimensions of any size are left out."""
    return " x ".join(str(size) for size in layer.output_shape if size is not None)


def _input_box(layers: Iterable[LayerRecord]) -> Iterator[Box]:
    """Yields one box for the layers before both parts."""
    input_layers = [layer for layer in layers if layer.part == "inputs"]
    if input_layers:
        columns, *others = input_layers
        kinds = ", ".join(dict.fromkeys(layer.kind for layer in others))
        parameters = sum(layer.parameters for layer in input_layers)
        yield Box((f"{output_shape(columns)} columns", _shortened(kinds)), parameters)


def _trees_box(training: TrainingRecord) -> Iterator[Box]:
    """Yields one box for the trees, which are not layers of the network."""
    if training.trees:
        lines = ("leaves of", f"{training.trees.trees:,} boosted trees")
        yield Box(lines, training.trees.leaves)


def _blocks(layers: Iterable[LayerRecord]) -> list[list[LayerRecord]]:
    """Groups each Dense layer with the layers that follow it."""
    blocks: list[list[LayerRecord]] = []
    for layer in layers:
        if not blocks or layer.kind == "Dense":
            blocks.append([])
        blocks[-1].append(layer)
    return blocks


def _block_box(layers: Sequence[LayerRecord]) -> Box:
    first, *others = layers
    kinds = ", ".join(dict.fromkeys(layer.kind for layer in others))
    lines = (f"{first.kind} {output_shape(layers[-1])}".strip(), _shortened(kinds))
    return Box(tuple(line for line in lines if line), sum(layer.parameters for layer in layers))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_KINDS_LENGTH else f"{text[: MAX_KINDS_LENGTH - 1]}…"


def _abridged(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """Replaces the boxes in the middle by one if there are too many."""
    if len(boxes) <= MAX_BOXES:
        return boxes
    middle = boxes[3:-2]
    summary = Box((f"{len(middle)} more",), sum(box.parameters or 0 for box in middle))
    return (*boxes[:3], summary, *boxes[-2:])


def _draw_row(axes: Axes, boxes: Sequence[Box], first: int, y: float, colour: str) -> int:
    """Draws boxes side by side, joined by arrows; returns the column after the last."""
    for column, box in enumerate(boxes, start=first):
        _draw_box(axes, box, column * STEP, y, colour)
        if column > first:
            _draw_arrow(axes, ((column - 1) * STEP + BOX[0], y), (column * STEP, y))
    return first + len(boxes)


def _draw_box(axes: Axes, box: Box, x: float, y: float, colour: str) -> None:
    width, height = BOX
    shape = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        fc=style.PAPER,
        ec=colour,
        lw=1.3,
    )
    axes.add_patch(shape)
    axes.text(
        x + width / 2,
        y + height / 2,
        box.text(),
        ha="center",
        va="center",
        fontsize=7.5,
        linespacing=1.35,
    )


def _draw_arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    half = BOX[1] / 2
    axes.annotate(
        "",
        (end[0], end[1] + half),
        (begin[0], begin[1] + half),
        arrowprops={"arrowstyle": "->", "color": style.MUTED, "lw": 0.9},
        zorder=0.5,  # behind the boxes
    )
