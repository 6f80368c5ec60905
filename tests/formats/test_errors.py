from formats.errors import DataRefusedError, printable


def test_control_characters_and_surrogates_are_replaced():
    assert printable("a\x00b\x1b\ud800 c\x9b\n\td") == "a\ufffdb\ufffd? c\ufffd\n\td"
    assert str(DataRefusedError("evil\x1b[31m.tfrecord")) == "evil\ufffd[31m.tfrecord"
