import numpy as np
import pytest
import tensorflow as tf

from models.layers.column_sum import column_sum


@pytest.mark.parametrize("rows", [1, 8, 9, 100, 2047, 2048])
def test_columns_are_summed_for_any_number_of_rows(rows):
    values = np.random.default_rng(0).integers(0, 100, [rows, 3])
    total = column_sum(tf.constant(values, tf.float32))
    np.testing.assert_array_equal(total, values.sum(axis=0))


def test_columns_of_a_batch_of_dynamic_size_are_summed():
    total = tf.function(column_sum, input_signature=[tf.TensorSpec([None, 3])])
    np.testing.assert_array_equal(total(tf.ones([100, 3])), [100, 100, 100])


@pytest.mark.parametrize("jit_compile", [True, False])
def test_the_order_of_the_terms_is_fixed(jit_compile):
    # Of such different sizes that every other order has another sum.
    rng = np.random.default_rng(1)
    v = (rng.normal(size=[8, 1000]) * 10 ** rng.uniform(0, 8, [8, 1000])).astype(np.float32)
    expected = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    assert (expected != v.sum(axis=0)).sum() > 300
    total = tf.function(column_sum, jit_compile=jit_compile, autograph=False)
    for _ in range(20):
        np.testing.assert_array_equal(total(tf.constant(v)), expected)
