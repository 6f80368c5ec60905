"""Stock TFX nodes on ``tf.Example`` records with one key per column, the peers of our nodes.

Most pipelines are written this way: each record is decoded to a ``tf.train.Example``, and the
records are stored in gzipped TFRecords.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx import v1 as tfx
from tfx.components.example_gen.import_example_gen import executor
from tfx.dsl.components.base import executor_spec
from tfx.types import Artifact, artifact_utils, standard_artifacts, standard_component_specs

from components.example_gen.component import split_folders
from formats.features import FEATURES, LABEL
from formats.published.record import Events


def named_example(
    features: Iterable[float], label: float, texts: Mapping[str, bytes] | None = None
) -> tf.train.Example:
    """A record with one key per column.

    Args:
        features: the 28 values.
        label: 1.0 or 0.0.
        texts: values of further text columns.
    """
    columns = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in zip((LABEL, *FEATURES), (label, *features), strict=True)
    }
    for name, text in (texts or {}).items():
        columns[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    return tf.train.Example(features=tf.train.Features(feature=columns))


def decode(record: bytes) -> tf.train.Example:
    """Converts a published record with TensorFlow's own parser."""
    published = tf.train.Example.FromString(record).features.feature
    features = tf.io.parse_tensor(published["features"].bytes_list.value[0], tf.float32)
    return named_example(features.numpy(), published["label"].float_list.value[0])


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(tf.train.Example)
def _decoded_records(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.PCollection:
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return (
        pipeline
        | "Read" >> beam.io.ReadFromTFRecord(f"{base}/{split_pattern}")
        | "Decode" >> beam.Map(decode)
    )


class Executor(executor.Executor):
    """ImportExampleGen's executor with a map that decodes published records."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802 (TFX's name)
        """The transform that reads and decodes."""
        return _decoded_records


class DecodingExampleGen(tfx.components.ImportExampleGen):
    """Stock ImportExampleGen with the decoding map."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def example_gen(data_root: Path) -> DecodingExampleGen:
    """The node for data in ``training/`` and ``validation/``."""
    return DecodingExampleGen(input_base=str(data_root), input_config=split_folders())


def write_examples(
    folder: Path, splits: Mapping[str, Events], texts: Mapping[str, np.ndarray] | None = None
) -> Artifact:
    """Writes the output of stock ingestion, as input of other stock nodes.

    Args:
        folder: folder of the artifact.
        splits: events by split.
        texts: further text columns, bytes [N]; they require a single split.
    """
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for split, events in splits.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        path = folder / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for index, (features, label) in enumerate(
                zip(events.features, events.labels, strict=True)
            ):
                row = {name: column[index] for name, column in (texts or {}).items()}
                writer.write(named_example(features, label, row).SerializeToString())
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    return examples
