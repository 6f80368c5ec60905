"""Queries of Vertex's resolvers over the metadata store."""

import re
from collections.abc import Iterable, Sequence

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")
_TERM = re.compile(r'(?P<field>[\w.]+)=(?P<value>"[^"]*"|\S+)')


def latest(query: str, inputs: dict, store: Sequence):
    """The newest artifact that matches a query, or None.

    Args:
        query: such as ``schema_title="tfx.Model" AND state=LIVE AND name="..."``; placeholders
            for metadata of an input are filled in first.
        inputs: artifacts by key; if one that the query names is missing, nothing matches.
        store: artifacts, oldest first.
    """
    try:
        filled = _PLACEHOLDER.sub(lambda placeholder: _value(placeholder, inputs), query)
    except LookupError:
        return None
    matching = [artifact for artifact in store if all(_match(artifact, filled.split(" AND ")))]
    return matching[-1] if matching else None


def _value(placeholder: re.Match, inputs: dict) -> str:
    key, name = placeholder.groups()
    return str(inputs[key][0].metadata[name])


def _match(artifact, terms: Iterable[str]):
    for term in terms:
        parts = _TERM.fullmatch(term)
        assert parts, f"unknown query term: {term}"
        field, value = parts["field"], parts["value"].strip('"')
        if field == "schema_title":
            yield artifact.title == value
        elif field == "name":
            yield artifact.name == value
        elif field == "state":
            yield value == "LIVE"
        else:
            _, name, kind = field.split(".")
            assert kind == "number_value", f"unknown kind of value: {field}"
            yield artifact.metadata.get(name) == float(value)
