"""Figures of an evaluation: the candidate's and, where there is one, the baseline's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from components.evaluator.significance import (
    EXPECTED_BACKGROUND,
    EXPECTED_SIGNAL,
    Array,
    median_significance,
    naive_significance,
)
from components.report.figures.figure_style import (
    ACCENT,
    BACKGROUND,
    BASELINE,
    CANDIDATE,
    DASHED,
    DOTTED,
    INK,
    MUTED,
    SIGNAL,
    new_axes,
)
from formats.evaluation_record import Evaluation, Scores

FEW = 10
"""Background events that a point must rest on; fewer would draw noise."""

WORKING_POINT = 0.5
"""The score from which on an event is called signal, as accuracy has it."""


def efficiencies(scores: Scores) -> tuple[Array, Array]:
    """The share of signal and of background that passes each cut on the score, from 0 to 1.

    NaN of a class that has no events.
    """
    signal, background = scores.passing()
    return _share_of(signal, signal[0]), _share_of(background, background[0])


def roc(evaluation: Evaluation) -> Figure:
    """Signal efficiency against background efficiency."""
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8)
    for scores, line in _models(evaluation):
        signal, background = efficiencies(scores)
        axes.plot(background, signal, **line)
    _shares(axes, "background efficiency (false positive rate)", "signal efficiency")
    axes.legend(loc="lower right")
    return figure


def rejection(evaluation: Evaluation) -> Figure:
    """Background rejection against signal efficiency, as physicists draw a ROC curve."""
    figure, axes = new_axes()
    for scores, line in _models(evaluation):
        signal, background = efficiencies(scores)
        sure = scores.passing()[1] >= FEW
        axes.plot(signal[sure], 1 / background[sure], **line)
    axes.set(xlim=(0, 1), xlabel="signal efficiency")
    axes.set_ylabel("background rejection (1 / background efficiency)")
    if any(scores.background.sum() >= FEW for scores, _ in _models(evaluation)):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.legend(loc="upper right")
    return figure


def precision_recall(evaluation: Evaluation) -> Figure:
    """The share of signal among events that pass, against signal efficiency."""
    figure, axes = new_axes()
    for scores, line in _models(evaluation):
        signal, background = scores.passing()
        passed = signal + background
        sure = passed >= FEW
        axes.plot(efficiencies(scores)[0][sure], signal[sure] / passed[sure], **line)
    _shares(axes, "signal efficiency (recall)", "signal purity (precision)")
    axes.legend(loc="lower left")
    return figure


def score_distributions(evaluation: Evaluation, bins: int = 50) -> Figure:
    """How the scores of signal and of background are spread."""
    figure, axes = new_axes()
    edges = np.linspace(0, 1, bins + 1)
    signal, background = _shares_by_score(evaluation.candidate.overall.scores, bins)
    axes.stairs(signal, edges, color=SIGNAL, fill=True, alpha=0.25)
    axes.stairs(signal, edges, color=SIGNAL, lw=1.4, label="signal")
    axes.stairs(background, edges, color=BACKGROUND, lw=1.4, ls=DASHED, label="background")
    if evaluation.baseline and evaluation.baseline.overall.scores.has_events:
        then = _shares_by_score(evaluation.baseline.overall.scores, bins)
        for share, colour in zip(then, (SIGNAL, BACKGROUND), strict=True):
            axes.stairs(share, edges, color=colour, lw=1.0, ls=DOTTED)
        axes.plot([], [], color=INK, lw=1.0, ls=DOTTED, label="baseline, both")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="score (probability of signal)")
    axes.set_ylabel(f"share of the class per {1 / bins:g}")
    axes.legend(loc="upper center")
    return figure


def calibration(evaluation: Evaluation, bins: int = 20) -> Figure:
    """The share of signal among events of a score, against the score."""
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8)
    for scores, line in _models(evaluation):
        coarse = scores.rebinned(bins)
        events = coarse.signal + coarse.background
        filled = events >= FEW
        events = events[filled]
        share = coarse.signal[filled] / events
        axes.errorbar(
            coarse.score_sum[filled] / events,
            share,
            yerr=np.sqrt(share * (1 - share) / events),
            marker="o" if line["ls"] == "-" else "s",
            ms=3.5,
            elinewidth=0.8,
            **{**line, "lw": 0.8},
        )
    _shares(axes, "mean score in the bin", "share of signal in the bin")
    axes.legend(loc="upper left")
    return figure


def significance(evaluation: Evaluation) -> Figure:
    """What a cut on the score is worth to a discovery."""
    figure, axes = new_axes()
    for scores, line in _models(evaluation):
        cuts, s, b, sure = cut_yields(scores)
        median = median_significance(s, b)
        axes.plot(cuts, median, **{**line, "label": f"AMS, {line['label']}"})
        if line["ls"] == "-":
            axes.plot(
                cuts[sure],
                naive_significance(s, b)[sure],
                color=ACCENT,
                lw=1.1,
                ls=DASHED,
                label=f"s / √b, {line['label']}",
            )
            axes.axvline(cuts[median.argmax()], color=MUTED, lw=0.8, ls=DOTTED)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="cut on the score")
    axes.set_ylabel("significance (standard deviations)")
    axes.legend(loc="lower left")
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """Events by what they are and what they are called at the working point."""
    figure, axes = new_axes()
    signal, background = evaluation.candidate.overall.scores.passing()
    cut = round(WORKING_POINT * (len(signal) - 1))
    for row, (total, passed, colour) in enumerate(
        ((signal[0], signal[cut], SIGNAL), (background[0], background[cut], BACKGROUND))
    ):
        for column, count in enumerate((passed, total - passed)):
            share = count / total if total else 0.0
            axes.fill_between(
                [column, column + 1], 1 - row, 2 - row, color=colour, alpha=0.08 + 0.5 * share, lw=0
            )
            text = f"{count:,.0f}\n{share:.1%}" if total else "no event"
            axes.text(column + 0.5, 1.5 - row, text, ha="center", va="center", fontsize=11)
    axes.set(xlim=(0, 2), ylim=(0, 2), xticks=(0.5, 1.5), yticks=(0.5, 1.5))
    axes.set_xticklabels(["called signal", "called background"])
    axes.set_yticklabels(["background", "signal"], rotation=90, va="center")
    axes.set_xlabel(f"score at least {WORKING_POINT:g}, or below")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return figure


def cut_yields(scores: Scores) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
    """Cuts on the score, the expected signal and background that pass, and where to trust them."""
    signal, background = scores.passing()
    pass_signal, pass_background = efficiencies(scores)
    cuts = np.linspace(0, 1, len(signal))
    return (
        cuts,
        EXPECTED_SIGNAL * pass_signal,
        EXPECTED_BACKGROUND * pass_background,
        background >= FEW,
    )


def _models(evaluation: Evaluation) -> Iterator[tuple[Scores, dict[str, Any]]]:
    """Each model's scores and how its line is drawn; the candidate's is named first, on top."""
    yield (
        evaluation.candidate.overall.scores,
        {"color": CANDIDATE, "lw": 1.6, "ls": "-", "label": "candidate", "zorder": 3},
    )
    if evaluation.baseline and evaluation.baseline.overall.scores.has_events:
        yield (
            evaluation.baseline.overall.scores,
            {"color": BASELINE, "lw": 1.2, "ls": DASHED, "label": "baseline", "zorder": 2},
        )


def _shares_by_score(scores: Scores, bins: int) -> tuple[Array, Array]:
    coarse = scores.rebinned(bins)
    return tuple(counts / max(counts.sum(), 1.0) for counts in (coarse.signal, coarse.background))


def _share_of(counts: Array, total: float) -> Array:
    return counts / total if total else np.full_like(counts, np.nan)


def _shares(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=xlabel, ylabel=ylabel)
