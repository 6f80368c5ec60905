import hashlib
import io

from formats.content_key import HashingReader, content_key


def test_the_key_depends_on_names_and_contents_and_not_on_their_order():
    digests = {"training/a": "00", "validation/b": "11"}
    key = content_key(digests)
    assert key == content_key(dict(reversed(digests.items())))
    others = [
        {"training/a": "00"},
        {"training/a": "01", "validation/b": "11"},
        {"training/a": "11", "validation/b": "00"},
        {"training/c": "00", "validation/b": "11"},
        {"training/a": "00", "training/b": "11"},
    ]
    assert len({key, *map(content_key, others)}) == 6
    assert key.startswith("sha256:")
    assert len(key) == len("sha256:") + 64


def test_a_line_break_in_a_name_does_not_imitate_another_shard():
    assert content_key({"a": "00", "b": "11"}) != content_key({"a'\n11 'b": "00"})


def test_the_reader_hashes_everything_even_what_was_not_requested():
    content = bytes(range(256)) * 20_000
    reader = HashingReader(io.BytesIO(content))
    assert reader.read(1000) == content[:1000]
    assert reader.finish() == hashlib.sha256(content).hexdigest()
