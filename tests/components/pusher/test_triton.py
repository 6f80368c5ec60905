"""Triton's configuration is text of its message ``ModelConfig``.

``MESSAGES`` has the names, numbers and types of the fields that are used, from Triton's
``model_config.proto``; no package of the environment contains it.
"""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from components.pusher.triton import CONFIG_FILE, write_triton_config
from formats.features import NUM_FEATURES

MESSAGES = """
name: "model_config.proto" package: "inference" syntax: "proto3"
enum_type { name: "DataType"
  value { name: "TYPE_INVALID" number: 0 } value { name: "TYPE_FP32" number: 11 } }
message_type { name: "ModelInput"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "data_type" number: 2 type: TYPE_ENUM label: LABEL_OPTIONAL
          type_name: ".inference.DataType" }
  field { name: "dims" number: 4 type: TYPE_INT64 label: LABEL_REPEATED } }
message_type { name: "ModelDynamicBatching" }
message_type { name: "ModelConfig"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "backend" number: 17 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "max_batch_size" number: 4 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "input" number: 5 type: TYPE_MESSAGE label: LABEL_REPEATED
          type_name: ".inference.ModelInput" }
  field { name: "output" number: 6 type: TYPE_MESSAGE label: LABEL_REPEATED
          type_name: ".inference.ModelInput" }
  field { name: "dynamic_batching" number: 11 type: TYPE_MESSAGE label: LABEL_OPTIONAL
          type_name: ".inference.ModelDynamicBatching" } }
"""


@pytest.fixture(scope="module")
def model_config():
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(MESSAGES, descriptor_pb2.FileDescriptorProto()))
    descriptor = pool.FindMessageTypeByName("inference.ModelConfig")
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)()


def test_the_configuration_names_the_tensors_of_the_file(model_config, tmp_path):
    write_triton_config(str(tmp_path))
    text_format.Parse((tmp_path / CONFIG_FILE).read_text(), model_config)
    assert model_config.backend == "onnxruntime"
    # The model then has the name of its folder.
    assert model_config.name == ""
    (features,), (scores,) = model_config.input, model_config.output
    # The number of events is not among the dimensions, because batches are allowed.
    assert model_config.max_batch_size > 0
    assert (features.name, features.data_type, [*features.dims]) == ("features", 11, [NUM_FEATURES])
    assert (scores.name, scores.data_type, [*scores.dims]) == ("signal_probability", 11, [1])
    assert model_config.HasField("dynamic_batching")
