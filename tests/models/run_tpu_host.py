"""TensorFlow's server on a host of a TPU slice, without TPUs and without this project's code.

It is what TensorFlow's own ``grpc_tpu_worker.py`` starts. Argument: the port.
"""

import sys

import tensorflow as tf

if __name__ == "__main__":
    job = "tpu_worker"
    address = f"localhost:{sys.argv[1]}"
    tf.distribute.Server({job: [address]}, job_name=job, task_index=0).join()
