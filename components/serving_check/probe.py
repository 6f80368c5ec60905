"""Script that scores records with an export as a server would, without this project.

Usage: python -I probe.py SAVED_MODEL RECORDS.npz SCORES.npz

Importing the project's code raises, so an export that needs it fails; this script therefore
spells out the names of the signature and its output. The input holds the array ``records``, one
serialized example per cell; the output holds ``signal_probability``.
"""

import sys
from importlib.abc import MetaPathFinder
from typing import Any

PROJECT = ("components", "configs", "formats", "kubeflow", "models", "pipeline")


class _NoProjectCode(MetaPathFinder):
    def find_spec(self, name: str, *_: Any) -> None:
        if name.split(".")[0] in PROJECT:
            raise ImportError(f"the export imports the project's module {name!r}")


def main(model: str, records_file: str, scores_file: str) -> None:
    """Loads ``model``, scores the records and writes the scores."""
    sys.meta_path.insert(0, _NoProjectCode())
    import numpy as np
    import tensorflow as tf

    with np.load(records_file) as data:
        records = [cell.tobytes() for cell in data["records"]]
    serve = tf.saved_model.load(model).signatures["serving_default"]
    scores = serve(examples=tf.constant(records))["signal_probability"]
    np.savez(scores_file, signal_probability=scores.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
