"""Trigger conditions in the part of CEL that TFX compiles to."""

import ast
import re

_OPERATORS = (("&&", " and "), ("||", " or "), ("!(", "not ("))
_ALLOWED = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Compare),
    *(ast.Eq, ast.Lt, ast.Gt, ast.Constant, ast.Subscript, ast.Attribute, ast.Name, ast.Load),
    *(ast.BinOp, ast.Add),
)


class _Record(dict):
    """A mapping whose keys are attributes as well, as in CEL."""

    __getattr__ = dict.__getitem__


def holds(condition: str, artifacts: dict) -> bool:
    """Whether a task is triggered.

    Args:
      condition: CEL over ``inputs.artifacts[key].artifacts[0]``: ``metadata[...]`` and ``uri``.
      artifacts: by key, the list of artifacts as dictionaries.
    """
    text = condition
    for cel, python in _OPERATORS:
        text = text.replace(cel, python)
    tree = ast.parse(text.strip(), mode="eval")
    strangers = [node for node in ast.walk(tree) if not isinstance(node, _ALLOWED)]
    assert not strangers, f"not in TFX's CEL: {ast.dump(strangers[0])}"
    known = _Record(
        artifacts={
            key: _Record(artifacts=[_Record(artifact) for artifact in listed])
            for key, listed in artifacts.items()
        }
    )
    code = compile(tree, "<condition>", "eval")
    return bool(eval(code, {"__builtins__": {}}, {"inputs": known}))  # noqa: S307 (checked above)


def reads_artifacts(condition: str) -> bool:
    return re.search(r"inputs\.artifacts\b", condition) is not None
