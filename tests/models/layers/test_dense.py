import numpy as np
import tensorflow as tf
import tf_keras

from models.layers.dense import Dense

INPUTS = np.random.default_rng(0).normal(size=[250, 3]).astype("f4")


def step(kind, policy):
    """Returns the outputs, and the gradients of a loss by inputs, kernel and bias."""
    layer = kind(4, kernel_initializer=tf_keras.initializers.GlorotUniform(seed=1), dtype=policy)
    inputs = tf.constant(INPUTS)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
    assert outputs.dtype == layer.compute_dtype
    return [tf.cast(outputs, tf.float32), *tape.gradient(loss, [inputs, layer.kernel, layer.bias])]


def test_values_and_gradients_are_those_of_keras():
    for ours, keras in zip(
        step(Dense, "float32"), step(tf_keras.layers.Dense, "float32"), strict=True
    ):
        np.testing.assert_allclose(ours, keras, rtol=1e-5)


def test_the_gradient_of_the_bias_is_summed_in_float32():
    *_, exact = step(Dense, "float32")
    *_, ours = step(Dense, "mixed_bfloat16")
    # The result is rounded to bfloat16; the rounding of the products before depends on the CPU.
    np.testing.assert_allclose(ours, exact, rtol=2**-8, atol=0.02 * len(INPUTS) ** 0.5)
