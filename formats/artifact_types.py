"""Artifact types of this project, with the names that Vertex AI and Kubeflow require."""

from tfx.types import artifact

Artifacts = dict[str, list[artifact.Artifact]]
"""The inputs or outputs of a node by their keys."""


class DataVerdict(artifact.Artifact):
    """DataGate's record of the data that passed: ``verdict.json``."""

    TYPE_NAME = "higgs.DataVerdict"


class ClassHistograms(artifact.Artifact):
    """Histograms of every feature by class: ``histograms.json``."""

    TYPE_NAME = "higgs.ClassHistograms"


class Scores(artifact.Artifact):
    """Scores of a set of files: one Parquet file per input file; see `formats.scores`."""

    TYPE_NAME = "higgs.Scores"


class HtmlReport(artifact.Artifact):
    """The report of a run: ``report.html``, one self-contained page."""

    TYPE_NAME = "higgs.HtmlReport"
