import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models.layers.batch_normalization import BatchNormalization

UNITS = 5


def make(kind, dtype="float32"):
    """A layer with random weights."""
    layer = kind(dtype=dtype)
    layer.build([None, UNITS])
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2, UNITS).astype("f4") for _ in range(4)])
    return layer


def step(layer, inputs, jit=False):
    """Returns the outputs, and the gradients of a loss by inputs and weights."""

    @tf.function(jit_compile=jit, autograph=False)
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
        return outputs, tape.gradient(loss, [inputs, *layer.trainable_weights])

    outputs, gradients = run(tf.cast(inputs, layer.compute_dtype))
    return [tensor.numpy().astype("f4") for tensor in (outputs, *gradients)]


def events(count):
    return (10 + 3 * np.random.default_rng(0).normal(size=[count, UNITS])).astype("f4")


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", [2, 9, 64, 250])
def test_values_gradients_and_averages_are_those_of_keras(count, jit):
    ours, keras = make(BatchNormalization), make(tf_keras.layers.BatchNormalization)
    for mine, theirs in zip(
        step(ours, events(count), jit), step(keras, events(count)), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(ours.get_weights(), keras.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_scores_are_those_of_keras():
    np.testing.assert_allclose(
        make(BatchNormalization)(events(9)),
        make(tf_keras.layers.BatchNormalization)(events(9)),
        rtol=1e-5,
    )


def test_weights_have_the_names_of_keras():
    ours, keras = make(BatchNormalization), make(tf_keras.layers.BatchNormalization)
    assert [w.name for w in ours.weights] == [w.name for w in keras.weights]
    assert [w.name for w in ours.trainable_weights] == [w.name for w in keras.trainable_weights]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_is_normalized_in_float32(policy):
    low, full = make(BatchNormalization, policy), make(BatchNormalization)
    # The inputs in low precision, in which sums of 500 of them would be inaccurate.
    inputs = tf.cast(tf.cast(events(500), low.compute_dtype), tf.float32).numpy()
    assert low(inputs, training=True).dtype == low.compute_dtype
    full(inputs, training=True)
    assert {weight.dtype for weight in low.weights} == {tf.float32}
    for mine, theirs in zip(low.get_weights(), full.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-2)
