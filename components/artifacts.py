"""Artifact types of our own, named as Vertex and Kubeflow demand."""

from tfx.types import artifact


class DataVerdict(artifact.Artifact):
    """DataGate's word that the data may be learned from: ``verdict.json``."""

    TYPE_NAME = "higgs.DataVerdict"
