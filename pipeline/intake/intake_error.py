"""The error of inputs that cannot be converted, and how values are quoted in its messages."""

from collections.abc import Sequence

from formats.errors import UserError, printable

MAX_CELL = 40
"""Longest quotation of a value in a message, in characters."""


class IntakeError(UserError, ValueError):
    """An input that cannot be converted; the message gives place, fault and remedy."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        """Takes the message, which may quote names and values of the input."""
        super().__init__(printable(message))


class JoinedFilesError(IntakeError):
    """A file joined from several by ``cat``, in a format whose readers would skip some of them."""

    def __init__(self, name: str, kind: str) -> None:
        """Takes the input and its format."""
        super().__init__(
            f"{name}: has data after the end of the {kind}, perhaps because several files were "
            "joined. Name the original files, or write the file again."
        )


class InputNotFoundError(IntakeError):
    """An argument names nothing that exists, or no option applies to it: bad usage."""

    exit_code = 2


def quote(value: object) -> str:
    """Quotes a value, shortened to 40 characters.

    >>> quote("1.5"), len(quote("1." + 3000 * "0"))
    ("'1.5'", 40)
    """
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    quoted = repr(text[:MAX_CELL]) if isinstance(text, str) else repr(text)
    if len(quoted) <= MAX_CELL and (not isinstance(text, str) or len(text) <= MAX_CELL):
        return quoted
    return quoted[: MAX_CELL - 4] + "...'"


def encodable(name: str) -> str:
    r"""Returns a name with escapes for bytes that are not UTF-8.

    >>> encodable("a\udcff.csv")
    'a\\udcff.csv'
    """
    return name.encode("utf-8", "backslashreplace").decode()


def shorten(name: str, limit: int = MAX_CELL) -> str:
    """Shortens a name to a number of characters."""
    return name if len(name) <= limit else name[: limit - 3] + "..."


def enumerate_names(names: Sequence[str], limit: int = 6) -> str:
    """Joins the first names, each shortened, and counts the others.

    >>> enumerate_names(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = [shorten(name) for name in names[:limit]]
    if len(names) <= limit:
        return ", ".join(shown)
    return f"{', '.join(shown)} and {len(names) - limit} more"
