"""Prints results of layers and metrics on three logical CPU replicas as JSON.

It is a script because replicas must be configured before TensorFlow starts.

Usage: python run_replicas.py STEPS
"""

import json
import sys

import tensorflow as tf

from models.layers.finite_steps import FiniteSteps
from models.layers.seeded_dropout import SeededDropout

REPLICAS = 3


def main(steps: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * REPLICAS
    )
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(REPLICAS)])
    with strategy.scope():
        finite = FiniteSteps(name="finite_steps")
        dropout = SeededDropout(0.5, seed=1)
        dropout.build([None, 1000])

    @tf.function
    def count(losses, times):
        for _ in tf.range(times):
            strategy.run(finite.update_state, args=(losses,))

    def losses(*values):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values[context.replica_id_in_sync_group])
        )

    @tf.function
    def drop():
        return strategy.run(lambda: dropout(tf.ones([1, 1000]), training=True))

    def draw():
        parts = strategy.experimental_local_results(drop())
        return [(part.numpy()[0] == 0).tolist() for part in parts]

    finite.reset_state()
    count(losses(1.0, 1.0, 1.0), tf.constant(steps))
    before = float(finite.result())
    count(losses(1.0, float("nan"), 1.0), tf.constant(1))
    at_failure = float(finite.result())
    # With a scaled loss the step is skipped, and all replicas continue.
    count(losses(1.0, 1.0, 1.0), tf.constant(5))
    print(
        json.dumps(
            {
                "finite": [before, at_failure, float(finite.result())],
                "dropped": [draw(), draw()],
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
