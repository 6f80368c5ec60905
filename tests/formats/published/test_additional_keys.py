import numpy as np
from event_makers import make_events, same_events
from shard_makers import frame
from tensorflow.train import Example

from formats.published.additional_keys import make_encoder
from formats.published.record import Events


def records_of(content):
    records = []
    while content:
        length = int.from_bytes(content[:8], "little")
        records.append(content[12 : 12 + length])
        content = content[16 + length :]
    return records


def test_additional_floats_are_keys_of_each_record():
    events, values = make_events(7), np.random.default_rng(0).random((7, 2)).astype(np.float32)
    long_name = "weight of the event, " * 9  # Its length takes two bytes.

    content = make_encoder(["run", long_name])(events, values)

    records = records_of(content)
    assert content == frame(records)
    parsed = [Example.FromString(record).features.feature for record in records]
    assert {tuple(sorted(features)) for features in parsed} == {
        ("features", "label", "run", long_name)
    }
    for name, column in (("run", 0), (long_name, 1)):
        assert [features[name].float_list.value[0] for features in parsed] == values[
            :, column
        ].tolist()
    tensors = [features["features"].bytes_list.value[0][-112:] for features in parsed]
    labels = [features["label"].float_list.value[0] for features in parsed]
    read = Events(
        np.frombuffer(b"".join(tensors), "<f4").reshape(7, 28), np.array(labels, np.float32)
    )
    assert same_events(read, events)
