"""Evaluates trigger conditions in the subset of CEL that TFX compiles to."""

import ast
import re

_OPERATORS = (("&&", " and "), ("||", " or "), ("!(", "not ("))
_BOOLEANS = (ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not)
_COMPARISONS = (ast.Compare, ast.Eq, ast.Lt, ast.Gt)
_VALUES = (ast.Constant, ast.Subscript, ast.Attribute, ast.Name, ast.Load, ast.BinOp, ast.Add)
_ALLOWED = (ast.Expression, *_BOOLEANS, *_COMPARISONS, *_VALUES)


class _Record(dict):
    """A mapping whose keys are also attributes, as in CEL."""

    __getattr__ = dict.__getitem__


def holds(condition: str, artifacts: dict) -> bool:
    """Whether a condition is met.

    Args:
        condition: CEL over ``inputs.artifacts[key].artifacts[0]``: ``metadata[...]`` and ``uri``.
        artifacts: lists of artifacts, as dictionaries, by key.
    """
    text = condition
    for cel, python in _OPERATORS:
        text = text.replace(cel, python)
    tree = ast.parse(text.strip(), mode="eval")
    forbidden = [node for node in ast.walk(tree) if not isinstance(node, _ALLOWED)]
    assert not forbidden, f"not in TFX's CEL: {ast.dump(forbidden[0])}"
    inputs = _Record(
        artifacts={
            key: _Record(artifacts=[_Record(artifact) for artifact in channel])
            for key, channel in artifacts.items()
        }
    )
    code = compile(tree, "<condition>", "eval")
    return bool(eval(code, {"__builtins__": {}}, {"inputs": inputs}))  # noqa: S307 (checked above)


def reads_artifacts(condition: str) -> bool:
    return re.search(r"inputs\.artifacts\b", condition) is not None
