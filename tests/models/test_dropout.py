import numpy as np
import pytest
import tensorflow as tf

from models.dropout import SeededDropout

ONES = np.ones([500, 64], np.float32)


def masks(seed, steps, rate=0.3, jit=False, start=0):
    """What is left of ones, step by step."""
    layer = SeededDropout(rate, seed)
    layer.build(ONES.shape)
    layer.set_weights([np.int32(start)])
    drop = tf.function(lambda x: layer(x, training=True), jit_compile=jit, autograph=False)
    return [drop(tf.constant(ONES)).numpy() for _ in range(steps)]


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_share_dropped_is_the_rate_and_the_rest_is_scaled_up(rate):
    (left,) = masks(seed=1, steps=1, rate=rate)
    assert (left == 0).mean() == pytest.approx(rate, abs=0.01)
    np.testing.assert_allclose(left[left > 0], 1 / (1 - rate), rtol=1e-4)


def test_steps_and_seeds_draw_other_units():
    first, second = masks(seed=1, steps=2)
    (other,) = masks(seed=2, steps=1)
    for one in (second, other):
        assert ((first == 0) & (one == 0)).mean() == pytest.approx(0.09, abs=0.01)


@pytest.mark.parametrize("jit", [False, True])
def test_masks_follow_from_seed_and_step_alone(jit):
    np.testing.assert_array_equal(masks(seed=1, steps=3), masks(seed=1, steps=3, jit=jit))


def test_training_that_goes_on_has_the_masks_it_would_have_had():
    np.testing.assert_array_equal(masks(seed=1, steps=5)[3:], masks(seed=1, steps=2, start=3))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_keeps_its_type(dtype):
    layer = SeededDropout(0.3, 1, dtype=dtype)
    assert layer(tf.constant(ONES), training=True).dtype == layer.compute_dtype


def test_nothing_is_dropped_when_scoring_or_at_rate_zero():
    np.testing.assert_array_equal(SeededDropout(0.3, 1)(ONES), ONES)
    np.testing.assert_array_equal(SeededDropout(0.0, 1)(ONES, training=True), ONES)


def test_odd_counts_are_drawn_whole():
    assert SeededDropout(0.5, 1)(np.ones([3, 5], np.float32), training=True).shape == [3, 5]
