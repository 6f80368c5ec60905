"""Runs a compiled Pusher without a bucket to copy the model to."""

import sys

from kubeflow import container, endpoint_pusher

endpoint_pusher.copy_files = endpoint_pusher.check_copy = lambda *_: None
container.clear_outputs = lambda *_: None

container.main(container.parse(sys.argv))
