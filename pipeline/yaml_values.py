"""Reads YAML without the surprising conversions of YAML 1.1.

In YAML 1.1, which PyYAML implements, ``010`` is 8, ``1:30`` is 90, ``no`` is false and
``2026-01-31`` is a date. Here a scalar is a number only if it is written as Python would print it;
``true``, ``false``, ``null`` and ``~`` are what they say; everything else is text, which the
configuration's model converts or refuses.
"""

import re
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a mapping, not a name", key.start_mark
                )
            if key.tag != _MERGE and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _float_or_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float | str:
    text = str(loader.construct_scalar(node))
    return float(text) if repr(float(text)) == text else text


_Loader.yaml_implicit_resolvers = {"<": [(_MERGE, re.compile("^<<$"))]}
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:float", _float_or_text)


def load_yaml(text: str) -> Any:
    """Parses a YAML document.

    >>> load_yaml("{a: 010, b: 1.10, c: no, d: 0.5, e: [1, null, true]}")
    {'a': '010', 'b': '1.10', 'c': 'no', 'd': 0.5, 'e': [1, None, True]}

    Raises:
        yaml.YAMLError: it is not valid YAML, is nested too deeply, or a key is given twice or is
            not a name.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except (AttributeError, LookupError, TypeError):  # of PyYAML, such as for `!!bool x`
        raise yaml.YAMLError("a value does not fit its tag") from None
    except ValueError as error:  # a number of thousands of digits, or a character that YAML lacks
        raise yaml.YAMLError(str(error)) from None
