"""Scores with an export where this project cannot be imported; run by test_saved_model.

Arguments: the SavedModel's folder, an .npz with ``records`` and ``features``, and the
.npz to write, with one array per signature and loader.
"""

import sys

import numpy as np
import tensorflow as tf


class Refuse:
    """Prevents imports of the project."""

    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"formats", "models", "components", "pipeline", "kubeflow"}:
            raise ImportError(f"{name} is not installed here")


def with_session(path, feed):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = loaded.signature_def["serving_default"]
        return session.run(
            signature.outputs["signal_probability"].name,
            {signature.inputs["examples"].name: feed},
        )


if __name__ == "__main__":
    sys.meta_path.insert(0, Refuse())
    model, inputs, outputs = sys.argv[1:]
    given = np.load(inputs)
    features, records = given["features"], given["records"].tolist()
    signatures = tf.saved_model.load(model).signatures
    names = list(signatures["score_columns"].structured_input_signature[1])
    np.savez(
        outputs,
        names=sorted(names),
        keys=sorted(signatures),
        serving_default=signatures["serving_default"](tf.constant(records))["signal_probability"],
        score_features=signatures["score_features"](tf.constant(features))["signal_probability"],
        session=with_session(model, records),
    )
    assert "tf_keras" not in sys.modules
