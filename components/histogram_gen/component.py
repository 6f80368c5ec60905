"""HistogramGen: the component."""

import apache_beam as beam
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from components.histogram_gen import executor
from formats.artifact_types import ClassHistograms


@component(use_beam=True)
def HistogramGen(  # noqa: N802 (named as TFX names nodes)
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    histograms: OutputArtifact[ClassHistograms],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Counts each split's events by feature, class and bin, and computes its fingerprint.

    All splits have the same bins, chosen from the first split: the same on every Beam engine.

    Component ``outputs`` contains:

    - ``histograms``: ``higgs.ClassHistograms``, ``histograms.json``.

    Example:
    ```python
    histogram_gen = HistogramGen(
        examples=example_gen.outputs["examples"],
        statistics=statistics_gen.outputs["statistics"],
    )
    ```
    """
    executor.write_histograms(examples, statistics, histograms, beam_pipeline)
