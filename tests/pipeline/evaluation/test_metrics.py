"""Background rejection, computed by TFMA, against NumPy and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from sklearn.metrics import roc_curve


def rejection(labels, scores, efficiency):
    config = text_format.Parse(
        f"""
        model_specs {{ prediction_key: "score" label_key: "label" }}
        slicing_specs {{}}
        metrics_specs {{
          metrics {{
            class_name: "BackgroundRejection"
            module: "pipeline.evaluation.metrics"
            config: '{{"signal_efficiency": {efficiency}}}'
          }}
        }}
        """,
        tfma.EvalConfig(),
    )
    frame = pd.DataFrame({"label": labels, "score": scores})
    result = tfma.analyze_raw_data(frame, config)
    # Read from JSON, where infinite and undefined values are words.
    return float(result.get_metrics_for_slice()["background_rejection"]["doubleValue"])


@pytest.mark.parametrize("efficiency", [0.3, 0.5, 0.9])
def test_equals_the_inverse_false_positive_rate(efficiency):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 4000)
    scores = 1.0 / (1.0 + np.exp(-rng.normal(labels * 1.5, 1.0)))
    mistags, efficiencies, _ = roc_curve(labels, scores)
    expected = 1.0 / np.interp(efficiency, efficiencies, mistags)
    assert rejection(labels, scores, efficiency) == pytest.approx(expected, rel=0.01)


def test_perfect_separation_rejects_without_limit():
    assert rejection([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.5) == float("inf")


def test_one_class_alone_has_no_rejection():
    assert np.isnan(rejection([1, 1], [0.1, 0.9], 0.5))
