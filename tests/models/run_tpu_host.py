"""TensorFlow's servers on the hosts of a TPU slice, without TPUs and without this project's code.

Each is what TensorFlow's own ``grpc_tpu_worker.py`` starts. Arguments: the ports.
"""

import sys

import tensorflow as tf

if __name__ == "__main__":
    job = "tpu_worker"
    servers = [
        tf.distribute.Server({job: [f"localhost:{port}"]}, job_name=job, task_index=0)
        for port in sys.argv[1:]
    ]
    servers[0].join()
