from formats.text import first_names, is_utf8


def test_names_beyond_the_limit_are_counted():
    assert first_names(["a", "b"]) == "a, b"
    assert first_names(list("abcde")) == "a, b, c, d, e"
    assert first_names(["a"] * 1005) == "a, a, a, a, a and 1,000 more"
    assert first_names([]) == ""


def test_utf8_is_told_from_other_bytes():
    assert is_utf8(b"")
    assert is_utf8("µ".encode())
    assert not is_utf8("µ".encode("latin1"))
    assert not is_utf8("µ".encode()[:1])
