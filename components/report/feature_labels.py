"""Labels of columns in HTML and on axes."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from formats.features import FEATURES, LABELS, UNITS


def words(feature: str) -> str:
    """Returns a column in words; unknown columns keep their name."""
    return LABELS[feature].words if feature in LABELS else feature


def symbol(feature: str) -> Markup:
    """Returns a column's symbol as HTML; unknown columns keep their name."""
    if feature not in LABELS:
        return escape(feature)
    label = LABELS[feature]
    text = Markup("<i>{}</i>").format(label.letter)
    text += Markup("<sub>{}</sub>").format(label.subscript) if label.subscript else ""
    return text + (Markup("<sup>{}</sup>").format(label.superscript) if label.superscript else "")


def axis_label(feature: str) -> str:
    """Returns the label of an axis: the quantity divided by the value of 1.0 in the column."""
    if feature not in LABELS:
        return feature
    label = LABELS[feature]
    if feature not in UNITS:
        return label.plain
    unit = UNITS[feature]
    return (
        f"{label.plain} / ({unit:.4g} {label.unit})"
        if label.unit
        else f"{label.plain} / {unit:.3g}"
    )


def published_order(features: Iterable[str]) -> list[str]:
    """Sorts columns into the published order; unknown columns follow by name."""
    names = set(features)
    return [name for name in FEATURES if name in names] + sorted(names - set(FEATURES))
