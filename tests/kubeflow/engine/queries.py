"""Vertex's resolvers: queries over the metadata store."""

import re
from collections.abc import Iterable, Sequence

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")
_TERM = re.compile(r'(?P<field>[\w.]+)=(?P<value>"[^"]*"|\S+)')


def latest(query: str, inputs: dict, store: Sequence):
    """The newest artifact that a query finds, or None.

    Args:
      query: such as ``schema_title="tfx.Model" AND state=LIVE AND name="..."``; what it asks of
        an input is filled in first.
      inputs: artifacts by key; without the one asked for, nothing is found.
      store: artifacts, oldest first.
    """
    try:
        filled = _PLACEHOLDER.sub(lambda found: _ask(found, inputs), query)
    except LookupError:
        return None
    matching = [artifact for artifact in store if all(_match(artifact, filled.split(" AND ")))]
    return matching[-1] if matching else None


def _ask(found: re.Match, inputs: dict) -> str:
    key, name = found.groups()
    return str(inputs[key][0].metadata[name])


def _match(artifact, terms: Iterable[str]):
    for term in terms:
        found = _TERM.fullmatch(term)
        assert found, f"not a term that Vertex is known to take: {term}"
        field, value = found["field"], found["value"].strip('"')
        if field == "schema_title":
            yield artifact.title == value
        elif field == "name":
            yield artifact.name == value
        elif field == "state":
            yield value == "LIVE"
        else:
            _, name, kind = field.split(".")
            assert kind == "number_value", f"no such value: {field}"
            yield artifact.metadata.get(name) == float(value)
