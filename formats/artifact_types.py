"""Artifact types of our own, named as Vertex and Kubeflow demand."""

from tfx.types import artifact


class DataVerdict(artifact.Artifact):
    """DataGate's word that the data may be learned from: ``verdict.json``."""

    TYPE_NAME = "higgs.DataVerdict"


class ClassHistograms(artifact.Artifact):
    """Every feature counted by class and bin: ``histograms.json``."""

    TYPE_NAME = "higgs.ClassHistograms"


class HtmlReport(artifact.Artifact):
    """What became of a run, for a person: ``report.html``, one self-contained page."""

    TYPE_NAME = "higgs.HtmlReport"
