"""Lists of names for messages, and recognition of UTF-8."""

from collections.abc import Sequence


def first_names(names: Sequence[str], limit: int = 5) -> str:
    """Joins the first names, and counts the others.

    >>> first_names(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def is_utf8(content: bytes) -> bool:
    r"""Returns whether bytes are UTF-8.

    >>> is_utf8(b"\xc3\xa9"), is_utf8(b"\xe9")
    (True, False)
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
