"""Triton's layout: the push directory is a model, and each version holds ``model.onnx``.

Triton reads ``REPOSITORY/MODEL/config.pbtxt`` and ``REPOSITORY/MODEL/VERSION/model.onnx``, where
the version is a number. It ignores the other files of a version.
"""

from formats.features import NUM_FEATURES
from formats.names import SIGNAL_PROBABILITY
from formats.verified_copy import write_complete

CONFIG_FILE = "config.pbtxt"

MAX_BATCH_SIZE = 16_384

# Without a name, the model has that of its folder.
CONFIG = f"""\
backend: "onnxruntime"
max_batch_size: {MAX_BATCH_SIZE}
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ {NUM_FEATURES} ] }} ]
output [ {{ name: "{SIGNAL_PROBABILITY}" data_type: TYPE_FP32 dims: [ 1 ] }} ]
dynamic_batching {{ }}
"""


def write_triton_config(push_directory: str) -> None:
    """Writes the configuration for all versions of a push directory."""
    write_complete(f"{push_directory}/{CONFIG_FILE}", CONFIG)
