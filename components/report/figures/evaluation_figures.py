"""Figures of an evaluation: of the candidate and, if there is one, the baseline."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, ScalarFormatter

from components.evaluator.score_cuts import SCORE_THRESHOLD
from components.evaluator.significance import expected_naive_significance, expected_significance
from components.report.figures import figure_style as style
from formats.evaluation_record import Array, Evaluation, ScoreHistogram

MIN_EVENTS = 10
"""Minimum number of events per point; points from fewer are mostly noise."""


def efficiencies(scores: ScoreHistogram) -> tuple[Array, Array]:
    """Computes the share of signal and of background that passes each cut, from 0 to 1.

    The efficiency of a class without events is NaN.
    """
    signal, background = scores.cuts.signal, scores.cuts.background
    return _normalized(signal, signal[0]), _normalized(background, background[0])


def threshold_cut(scores: ScoreHistogram) -> int:
    """Finds the cut at ``SCORE_THRESHOLD``."""
    return int(np.searchsorted(scores.cuts.thresholds, SCORE_THRESHOLD))


def roc(evaluation: Evaluation) -> Figure:
    """Draws signal efficiency against background efficiency."""
    figure, axes = style.new_axes()
    axes.plot([0, 1], [0, 1], color=style.MUTED, lw=0.8)
    for scores, line in _models(evaluation):
        signal, background = efficiencies(scores)
        axes.plot(background, signal, **line)
    _set_unit_axes(axes, "background efficiency (false positive rate)", "signal efficiency")
    axes.legend(loc="lower right")
    return figure


def rejection(evaluation: Evaluation) -> Figure:
    """Draws background rejection against signal efficiency, the ROC curve of physicists."""
    figure, axes = style.new_axes()
    for scores, line in _models(evaluation):
        signal, background = efficiencies(scores)
        drawn = scores.cuts.background >= MIN_EVENTS
        axes.plot(signal[drawn], 1 / background[drawn], **line)
    axes.set(xlim=(0, 1), xlabel="signal efficiency")
    axes.set_ylabel("background rejection (1 / efficiency)")
    if any(scores.background.sum() >= MIN_EVENTS for scores, _ in _models(evaluation)):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.legend(loc="upper right")
    return figure


def precision_recall(evaluation: Evaluation) -> Figure:
    """Draws the share of signal among the events that pass against signal efficiency."""
    figure, axes = style.new_axes()
    for scores, line in _models(evaluation):
        signal = scores.cuts.signal
        events = signal + scores.cuts.background
        drawn = events >= MIN_EVENTS
        axes.plot(efficiencies(scores)[0][drawn], signal[drawn] / events[drawn], **line)
    _set_unit_axes(axes, "signal efficiency (recall)", "signal purity (precision)")
    axes.legend(loc="lower left")
    return figure


def score_distributions(evaluation: Evaluation, bins: int = 50) -> Figure:
    """Draws the distributions of the scores of signal and background."""
    figure, axes = style.new_axes()
    edges = np.linspace(0, 1, bins + 1)
    signal, background = _score_densities(evaluation.candidate.overall.scores, bins)
    axes.stairs(signal, edges, color=style.SIGNAL, fill=True, alpha=0.25)
    axes.stairs(signal, edges, color=style.SIGNAL, lw=1.4, label="signal")
    axes.stairs(
        background, edges, color=style.BACKGROUND, lw=1.4, ls=style.DASHED, label="background"
    )
    if evaluation.baseline and evaluation.baseline.overall.scores.has_events:
        signal, background = _score_densities(evaluation.baseline.overall.scores, bins)
        axes.stairs(signal, edges, color=style.SIGNAL, lw=1.0, ls=style.DOTTED)
        axes.stairs(background, edges, color=style.BACKGROUND, lw=1.0, ls=style.DOTTED)
        axes.plot([], [], color=style.INK, lw=1.0, ls=style.DOTTED, label="baseline, both")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="score (probability of signal)")
    axes.set_ylabel(f"percentage of the class per {1 / bins:g}")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.legend(loc="upper center")
    return figure


def calibration(evaluation: Evaluation, bins: int = 20) -> Figure:
    """Draws the share of signal in bins of the score against the mean score."""
    figure, axes = style.new_axes()
    axes.plot([0, 1], [0, 1], color=style.MUTED, lw=0.8)
    for scores, line in _models(evaluation):
        coarse = scores.rebinned(bins)
        events = coarse.signal + coarse.background
        drawn = events >= MIN_EVENTS
        events = events[drawn]
        share = coarse.signal[drawn] / events
        axes.errorbar(
            coarse.score_sum[drawn] / events,
            share,
            yerr=np.sqrt(share * (1 - share) / events),
            marker="o" if line["ls"] == "-" else "s",
            ms=3.5,
            elinewidth=0.8,
            **{**line, "lw": 0.8},
        )
    _set_unit_axes(axes, "mean score in the bin", "signal fraction in the bin")
    axes.legend(loc="upper left")
    return figure


def significance(evaluation: Evaluation) -> Figure:
    """Draws the discovery significance of a cut on the score."""
    figure, axes = style.new_axes()
    for scores, line in _models(evaluation):
        thresholds, shares = np.clip(scores.cuts.thresholds, 0, 1), efficiencies(scores)
        ams = expected_significance(*shares)
        axes.plot(thresholds, ams, **{**line, "label": f"AMS, {line['label']}"})
        if line["ls"] == "-":
            drawn = scores.cuts.background >= MIN_EVENTS
            axes.plot(
                thresholds[drawn],
                expected_naive_significance(*shares)[drawn],
                color=style.ACCENT,
                lw=1.1,
                ls=style.DASHED,
                label=f"s / √b, {line['label']}",
            )
            axes.axvline(thresholds[ams.argmax()], color=style.MUTED, lw=0.8, ls=style.DOTTED)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="cut on the score")
    axes.set_ylabel("significance (standard deviations)")
    axes.legend(loc="lower left")
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """Draws the confusion matrix at ``SCORE_THRESHOLD``."""
    figure, axes = style.new_axes()
    scores = evaluation.candidate.overall.scores
    signal, background = scores.cuts.signal, scores.cuts.background
    cut = threshold_cut(scores)
    for row, (total, passing, colour) in enumerate(
        ((signal[0], signal[cut], style.SIGNAL), (background[0], background[cut], style.BACKGROUND))
    ):
        for column, count in enumerate((passing, total - passing)):
            share = count / total if total else 0.0
            axes.fill_between(
                [column, column + 1], 1 - row, 2 - row, color=colour, alpha=0.08 + 0.5 * share, lw=0
            )
            text = f"{count:,.0f}\n{share:.1%}" if total else "no events"
            axes.text(column + 0.5, 1.5 - row, text, ha="center", va="center", fontsize=11)
    axes.set(xlim=(0, 2), ylim=(0, 2), xticks=(0.5, 1.5), yticks=(0.5, 1.5))
    axes.set_xticklabels(["classified as signal", "classified as background"])
    axes.set_yticklabels(["background", "signal"], rotation=90, va="center")
    axes.set_xlabel(f"score at least {SCORE_THRESHOLD:g}, or below")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return figure


def _models(evaluation: Evaluation) -> Iterator[tuple[ScoreHistogram, dict[str, Any]]]:
    """Yields each model's scores and the style of its line; the candidate comes first, on top."""
    yield (
        evaluation.candidate.overall.scores,
        {"color": style.CANDIDATE, "lw": 1.6, "ls": "-", "label": "candidate", "zorder": 3},
    )
    if evaluation.baseline and evaluation.baseline.overall.scores.has_events:
        yield (
            evaluation.baseline.overall.scores,
            {
                "color": style.BASELINE,
                "lw": 1.2,
                "ls": style.DASHED,
                "label": "baseline",
                "zorder": 2,
            },
        )


def _score_densities(scores: ScoreHistogram, bins: int) -> tuple[Array, Array]:
    coarse = scores.rebinned(bins)
    signal, background = coarse.signal, coarse.background
    return signal / max(signal.sum(), 1.0), background / max(background.sum(), 1.0)


def _normalized(counts: Array, total: float) -> Array:
    return counts / total if total else np.full_like(counts, np.nan)


def _set_unit_axes(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=xlabel, ylabel=ylabel)
