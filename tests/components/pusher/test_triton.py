"""Triton's configuration is text of its message ``ModelConfig``."""

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import TYPE_FP32, ModelConfig

from components.pusher.triton import CONFIG_FILE, write_triton_config
from formats.features import NUM_FEATURES


def test_the_configuration_names_the_tensors_of_the_file(tmp_path):
    write_triton_config(str(tmp_path))
    model_config = text_format.Parse((tmp_path / CONFIG_FILE).read_text(), ModelConfig())
    assert model_config.backend == "onnxruntime"
    # The model then has the name of its folder.
    assert model_config.name == ""
    assert {tensor.data_type for tensor in [*model_config.input, *model_config.output]} == {
        TYPE_FP32
    }
    (features,), (scores,) = model_config.input, model_config.output
    # The number of events is not among the dimensions, because batches are allowed.
    assert model_config.max_batch_size > 0
    assert (features.name, [*features.dims]) == ("features", [NUM_FEATURES])
    assert (scores.name, [*scores.dims]) == ("signal_probability", [1])
    assert model_config.HasField("dynamic_batching")
