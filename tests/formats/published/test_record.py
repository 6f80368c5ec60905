import gzip
import io

import numpy as np
import pytest
import wire_records as wire
from event_makers import join_events, make_events, same_events
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shard_makers import flip_bit, frame

from formats.published import record, tfrecord
from formats.published.record import Events, encode_events, encode_records, read_events
from formats.published.record_parser import additional_keys
from formats.published.tfrecord import RecordError

# What TensorFlow 2.16 wrote for features 0, 1/4, ... 27/4 and label 1:
# tf.io.serialize_tensor in tf.train.Example, SerializeToString(deterministic=True), one frame.
GOLDEN_SHARD = bytes.fromhex(
    "a300000000000000b3c7bf2e"
    "0aa0010a8a010a086665617475726573127e0a7c0a7a080112041202081c2270"
    "000000000000803e0000003f0000403f0000803f0000a03f0000c03f0000e03f"
    "0000004000001040000020400000304000004040000050400000604000007040"
    "000080400000884000009040000098400000a0400000a8400000b0400000b840"
    "0000c0400000c8400000d0400000d840"
    "0a110a056c6162656c120812060a040000803f"
    "323e8647"
)
GOLDEN_EVENTS = Events(np.arange(28, dtype=np.float32)[None] / 4, np.ones(1, np.float32))

RAMP = np.arange(28, dtype=np.float32)


def read(data: bytes) -> Events:
    return join_events(read_events(io.BytesIO(data), "shard"))


def test_encoded_events_are_byte_for_byte_what_tensorflow_writes():
    assert encode_events(GOLDEN_EVENTS) == GOLDEN_SHARD
    assert encode_records(GOLDEN_EVENTS) == [GOLDEN_SHARD[12:-4]]


def test_golden_shard_reads_back():
    assert same_events(read(GOLDEN_SHARD), GOLDEN_EVENTS)


@pytest.mark.slow
@given(
    st.integers(0, 30).flatmap(lambda n: arrays(np.uint32, (n, 28))),
    st.integers(1, 2000),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_round_trip_is_exact_in_every_bit(pattern, chunk_bytes, is_gzip, random):
    labels = np.array([random.randint(0, 1) for _ in pattern], np.float32)
    events = Events(pattern.view(np.float32), labels)
    data = encode_events(events)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "CHUNK_BYTES", chunk_bytes)
        assert same_events(read(gzip.compress(data) if is_gzip else data), events)


encodings = st.tuples(
    st.sampled_from(["content", "packed", "unpacked"]), st.booleans(), st.booleans()
)


@pytest.mark.slow
@given(st.lists(st.tuples(encodings, st.integers(0, 1)), min_size=1, max_size=60), st.integers())
def test_all_encodings_mixed_in_one_shard_read_exactly(shapes, seed):
    features, _ = make_events(len(shapes), abs(seed))
    labels = np.array([label for _, label in shapes], np.float32)
    shard = frame(
        [
            wire.record(row, label, encoding, label_first, packed)
            for row, ((encoding, label_first, packed), label) in zip(features, shapes, strict=True)
        ]
    )

    assert same_events(read(shard), Events(features, labels))


@pytest.mark.parametrize("count", [0, 1, 5, 27, 28])
def test_missing_values_repeat_the_last_one_as_in_tensorflow(count):
    data = frame([wire.record(RAMP[1:][:count], 1.0, "packed")])
    if count == 28:
        data = frame([wire.record(RAMP, 1.0, "packed")])
        expected = RAMP
    else:
        last = float(count)
        expected = np.minimum(RAMP + 1, last)

    assert read(data).features.tolist() == [expected.tolist()]


def weighted(weight):
    return wire.example(
        weight=wire.field(2, wire.floats(1, [weight], packed=True)),
        features=wire.field(1, wire.field(1, wire.tensor(RAMP))),
        label=wire.field(2, wire.floats(1, [0.0], packed=True)),
    )


def test_additional_keys_are_refused_and_named():
    plain = encode_records(Events(RAMP[None], np.zeros(1, np.float32)))
    for weights in ([0.0] * 3, [0.5, 0.25, 3.0]):
        shard = frame([*plain, *map(weighted, weights)])
        with pytest.raises(RecordError) as caught:
            read(shard)
        assert caught.value.number == 1
        assert "has the additional key 'weight'" in str(caught.value)
        assert "ingestion.ignore_keys" in str(caught.value)
    assert additional_keys(weighted(1.0)) == ("weight",)
    assert additional_keys(plain[0]) == ()


def test_ignored_keys_are_dropped():
    shard = frame(map(weighted, [0.5, 0.25, 3.0]))
    events = join_events(read_events(io.BytesIO(shard), "shard", ["other", "weight"]))

    assert same_events(events, Events(np.tile(RAMP, (3, 1)), np.zeros(3, np.float32)))


ADDITIONAL = {
    "float": lambda i: wire.field(2, wire.floats(1, [i / 7], packed=True)),
    "int": lambda i: wire.field(3, wire.field(1, bytes([0x80 | i % 128, 1]))),
    "text": lambda i: wire.field(1, wire.field(1, b"event-%05d" % i)),
    # Bytes that look like the label's entry.
    "entry": lambda i: wire.field(
        1, wire.field(1, wire.entry("label", wire.field(2, wire.floats(1, [i], packed=True))))
    ),
}


def with_additional(features, label, number, kinds):
    entries = [wire.entry(kind, ADDITIONAL[kind](number)) for kind in kinds]
    entries.insert(1, wire.entry("features", wire.field(1, wire.field(1, wire.tensor(features)))))
    entries.append(wire.entry("label", wire.field(2, wire.floats(1, [label], packed=True))))
    return wire.field(1, b"".join(entries))


@pytest.mark.parametrize("kinds", [[kind] for kind in ADDITIONAL] + [[*ADDITIONAL]])
def test_records_with_ignored_keys_are_decoded_by_a_template(monkeypatch, kinds):
    events = make_events(200)
    rows = zip(*events, strict=True)
    shard = frame([with_additional(x, y, i, kinds) for i, (x, y) in enumerate(rows)])
    monkeypatch.setattr(record._Decoder, "_decode_single", None)  # One by one would fail.

    read = join_events(read_events(io.BytesIO(shard), "shard", kinds))

    assert same_events(read, events)


def test_a_record_that_differs_outside_of_an_ignored_value_is_not_taken_for_valid():
    valid = with_additional(RAMP, 1.0, 5, ["text"])
    other = valid.replace(b"label", b"lebal")

    with pytest.raises(RecordError) as caught:
        list(read_events(io.BytesIO(frame([valid, valid, other])), "shard", ["text"]))

    assert caught.value.number == 2


def test_the_last_of_two_equal_keys_wins_as_in_protobuf():
    def label(value):
        return wire.entry("label", wire.field(2, wire.floats(1, [value], packed=True)))

    features = wire.entry("features", wire.field(1, wire.field(1, wire.tensor(RAMP))))
    record = wire.field(1, label(0.0) + features + label(1.0))

    assert read(frame([record] * 5)).labels.tolist() == [1.0] * 5


def test_all_zeros_are_decoded_by_the_template(monkeypatch):
    events = Events(np.zeros((1000, 28), np.float32), np.zeros(1000, np.float32))
    monkeypatch.setattr(
        record._Decoder, "_decode_single", None
    )  # parsing a single record would fail

    assert same_events(read(encode_events(events)), events)


def test_both_map_orders_are_decoded_by_templates(monkeypatch):
    events = make_events(100)
    shard = frame(
        [
            wire.record(row, label, label_first=bool(i % 2))
            for i, (row, label) in enumerate(zip(*events, strict=True))
        ]
    )
    monkeypatch.setattr(record._Decoder, "_decode_single", None)

    assert same_events(read(shard), events)


def invalid_records():
    """Invalid records by the reason why."""
    tensor = wire.field(1, wire.field(1, wire.tensor(RAMP)))
    one = wire.field(2, wire.floats(1, [1.0], packed=True))

    def with_tensor(data):
        return wire.example(features=wire.field(1, wire.field(1, data)), label=one)

    def with_label(values):
        return wire.example(
            features=tensor, label=wire.field(2, wire.floats(1, values, packed=True))
        )

    complete = wire.record(RAMP, 1.0)
    return {
        "is not a tf.train.Example: its 166 bytes do not parse": complete + b"\xff\xff\xff",
        # A zero ends a message for protobuf.
        "is not a tf.train.Example: 3 bytes follow its end": complete + b"\0abc",
        "has no key 'features'; its keys: 'label'": wire.example(label=one),
        "has no key 'label'; its keys: 'features', 'target'": wire.example(
            features=tensor, target=one
        ),
        "has no key 'features'; its keys: none": b"",
        "holds 'features' as float_list, not as bytes_list": wire.example(features=one, label=one),
        "holds 'label' as int64_list, not as float_list": wire.example(
            features=tensor, label=wire.field(3, wire.field(1, b"\x01"))
        ),
        "holds 'label' as nothing, not as float_list": wire.example(features=tensor, label=b""),
        "holds 2 elements in 'features', not one": wire.example(
            features=wire.field(1, wire.field(1, wire.tensor(RAMP)) * 2), label=one
        ),
        "holds 0 elements in 'label', not one": with_label([]),
        "holds 2 elements in 'label', not one": with_label([0.0, 1.0]),
        "has the label 2, which is neither 0 nor 1": with_label([2.0]),
        "has the label nan, which is neither 0 nor 1": with_label([np.nan]),
        "does not hold a serialized tensor in 'features': its 4 bytes do not parse": with_tensor(
            b"\xff\xff\xff\xff"
        ),
        "holds a tensor of DT_DOUBLE, not DT_FLOAT": with_tensor(wire.tensor(RAMP, dtype=2)),
        "holds a tensor of dtype 99, not DT_FLOAT": with_tensor(wire.tensor(RAMP, dtype=99)),
        "has a tensor of shape [27], not [28]": with_tensor(wire.tensor(RAMP[1:], shape=(27,))),
        "has a tensor of shape [1, 28], not [28]": with_tensor(wire.tensor(RAMP, shape=(1, 28))),
        "has a tensor of shape unknown, not [28]": with_tensor(
            b"\x08\x01" + wire.field(2, b"\x18\x01")
        ),
        "holds a tensor of 108 bytes, not 112": with_tensor(wire.tensor(RAMP[1:])),
        "holds a tensor of 29 values, not 28": with_tensor(wire.tensor([1] * 29, "packed")),
    }


@pytest.mark.parametrize("index", range(20))
def test_invalid_record_is_named_with_its_number_and_reason(index):
    reason, invalid = list(invalid_records().items())[index]
    good = encode_records(make_events(50))

    with pytest.raises(RecordError) as caught:
        read(frame([*good[:31], invalid, *good[31:]]))

    assert str(caught.value) == (
        f"shard: record 31 (counted from 0) {reason}. Expected the published layout: 'features', "
        "one serialized float32 tensor of shape [28], and 'label', one 0.0 or 1.0; "
        "`higgs convert` makes it from other forms."
    )


@given(st.permutations(range(20)), st.integers(0, 25))
@settings(max_examples=25)
def test_the_first_invalid_record_in_file_order_is_named(order, before):
    invalid = list(invalid_records().items())
    shard = [*encode_records(make_events(before)), *(invalid[i][1] for i in order)]

    with pytest.raises(RecordError) as caught:
        read(frame(shard))

    assert (caught.value.number, caught.value.reason) == (before, invalid[order[0]][0])


def test_invalid_label_before_a_damaged_record_is_named_first():
    good = encode_records(make_events(9))
    data = flip_bit(frame([*good[:3], wire.record(RAMP, 3.0), *good[3:]]), -20)

    with pytest.raises(RecordError, match=r"record 3 .* label 3,"):
        read(data)


def test_records_are_numbered_across_chunks(monkeypatch):
    monkeypatch.setattr(tfrecord, "CHUNK_BYTES", 1000)
    good = encode_records(make_events(100))

    with pytest.raises(RecordError, match="record 77 "):
        read(frame([*good[:77], wire.record(RAMP, 3.0)]))


@pytest.mark.parametrize("count", [1, 2])
def test_events_are_writable_copies(count):
    [events] = read_events(io.BytesIO(encode_events(make_events(count))), "shard")

    assert [part.flags.writeable for part in events] == [True, True]
