"""Secrets in configurations and messages: found, refused, and left out of what is printed.

A configuration is stored in ML Metadata, in reports and in compiled pipelines, and Beam's options
are logged. A secret does not belong in any of them; libraries take it from the environment or from
the identity of the machine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

# A user alone is part of some addresses, such as abfs://CONTAINER@ACCOUNT.
_USER_INFO = re.compile(r"(?<=://)[^/\s@:]*:[^/\s@]+(?=@)|(?<=http://|ttps://)[^/\s@]+(?=@)")

_OPTION = re.compile(
    r"--?[\w-]*(?:passw(?:or)?d|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key"
    r"|account[_-]?key|connection[_-]?string)[\w-]*",
    re.IGNORECASE,
)
_HARMLESS_OPTION = re.compile(r"[_-](?:file|path|id|name|uri|url)$", re.IGNORECASE)

_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[opsu]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abprs]-[\w-]{10,}|\bya29\.[\w-]{20,}|\bAIza[\w-]{35}|\beyJ[\w-]{10,}\.eyJ[\w.-]{10,}"
)

REPLACEMENT = "***"


def find_secrets(values: object) -> Iterator[str]:
    """Finds secrets in nested values.

    Args:
        values: mappings, sequences and text, as YAML gives them.

    Yields:
        The dotted key and the kind of each secret, without its value.
    """
    pending, seen = [("", values)], set[int]()
    while pending:
        key, value = pending.pop()
        if isinstance(value, str):
            if kind := _kind(value):
                yield f"{key}: {kind}"
        elif id(value) not in seen:  # with YAML's references, a value may contain itself
            seen.add(id(value))
            if isinstance(value, Mapping):
                pending += [(f"{key}.{name}".strip("."), part) for name, part in value.items()]
            elif isinstance(value, Sequence):
                pending += [(key, part) for part in value]


def _kind(text: str) -> str | None:
    if _USER_INFO.search(text):
        return "an address with a password"
    if _TOKEN.search(text):
        return "a key or a token"
    option = text.split("=", 1)[0].strip()
    if _OPTION.fullmatch(option) and not _HARMLESS_OPTION.search(option):
        return f"the option {option}"
    return None


def redact(text: str) -> str:
    """Replaces the passwords and tokens in a text.

    >>> redact("cannot reach https://ann:s3cret@host/x")
    'cannot reach https://***@host/x'
    """
    text = _TOKEN.sub(REPLACEMENT, _USER_INFO.sub(REPLACEMENT, text))
    return re.sub(
        rf"({_OPTION.pattern})(=|\s+)(?!-)[^\s,'\"\]]+",
        lambda match: (
            match[0] if _HARMLESS_OPTION.search(match[1]) else f"{match[1]}{match[2]}{REPLACEMENT}"
        ),
        text,
        flags=re.IGNORECASE,
    )
