import numpy as np
import pytest
import tensorflow as tf

from models.layers.seeded_dropout import SeededDropout, scramble

ONES = np.ones([500, 64], np.float32)


def masks(seed, steps, rate=0.3, jit=False, start=0):
    """Returns the outputs for ones, step by step."""
    layer = SeededDropout(rate, seed)
    layer.build(ONES.shape)
    layer.set_weights([np.int64(start)])
    drop = tf.function(lambda x: layer(x, training=True), jit_compile=jit, autograph=False)
    return [drop(tf.constant(ONES)).numpy() for _ in range(steps)]


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_the_rate_is_the_share_dropped_and_the_others_are_scaled_up(rate):
    (outputs,) = masks(seed=1, steps=1, rate=rate)
    assert (outputs == 0).mean() == pytest.approx(rate, abs=0.01)
    np.testing.assert_allclose(outputs[outputs > 0], 1 / (1 - rate), rtol=1e-4)


@pytest.mark.slow
def test_steps_and_seeds_have_different_masks():
    first, second = masks(seed=1, steps=2)
    (other,) = masks(seed=2, steps=1)
    for one in (second, other):
        assert ((first == 0) & (one == 0)).mean() == pytest.approx(0.09, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_masks_follow_from_seed_and_step(jit):
    np.testing.assert_array_equal(masks(seed=1, steps=3), masks(seed=1, steps=3, jit=jit))


def test_a_resumed_training_has_the_masks_of_an_uninterrupted_one():
    np.testing.assert_array_equal(masks(seed=1, steps=5)[3:], masks(seed=1, steps=2, start=3))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_keeps_its_type(dtype):
    layer = SeededDropout(0.3, 1, dtype=dtype)
    assert layer(tf.constant(ONES), training=True).dtype == layer.compute_dtype


def test_nothing_is_dropped_when_scoring_or_at_rate_zero():
    np.testing.assert_array_equal(SeededDropout(0.3, 1)(ONES), ONES)
    np.testing.assert_array_equal(SeededDropout(0.0, 1)(ONES, training=True), ONES)


def test_the_step_has_a_type_that_a_gpu_can_access():
    layer = SeededDropout(0.5, 1)
    layer.build(ONES.shape)
    assert layer.weights[0].dtype == tf.int64


def test_odd_shapes_are_supported():
    assert SeededDropout(0.5, 1)(np.ones([3, 5], np.float32), training=True).shape == [3, 5]


@pytest.mark.slow
def test_neighbors_in_position_and_time_are_independent():
    dropped = np.stack([mask == 0 for mask in masks(seed=1, steps=40, rate=0.5)])
    for axis in range(3):
        one, next_one = np.moveaxis(dropped, axis, 0)[:-1], np.moveaxis(dropped, axis, 0)[1:]
        # 1.28 million draws: a standard deviation of 0.0009.
        assert (one == next_one).mean() == pytest.approx(0.5, abs=0.004)


def test_scramble_is_lowbias32_and_changes_every_bit():
    values = np.random.default_rng(0).integers(2**32, size=20_000, dtype=np.uint32)

    def reference(x):
        x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
        return x ^ (x >> 16)

    scrambled = scramble(tf.constant(values)).numpy()
    np.testing.assert_array_equal(scrambled, reference(values))
    for bit in range(32):
        changed = scrambled ^ scramble(tf.constant(values ^ np.uint32(1 << bit))).numpy()
        shares = [(changed >> other & 1).mean() for other in range(32)]
        np.testing.assert_allclose(shares, 0.5, atol=0.02)
