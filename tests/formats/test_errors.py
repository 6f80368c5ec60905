from formats.errors import DataRefusedError, one_line, printable


def test_control_characters_and_surrogates_are_replaced():
    assert printable("a\x00b\x1b\ud800 c\x9b\n\td") == "a\ufffdb\ufffd? c\ufffd\n\td"
    assert str(DataRefusedError("evil\x1b[31m.tfrecord")) == "evil\ufffd[31m.tfrecord"


def test_an_error_of_several_lines_is_written_in_one():
    error = ValueError("  cannot read\n\tthe file  ")
    assert one_line(error) == "cannot read the file"
    assert one_line(error, 11) == "cannot read"
