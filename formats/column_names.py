"""Names of columns in other files: one table of aliases for the label and the features.

Names are compared without case, blanks and punctuation: ``jet_1_b-tag``, ``jet1btag`` and
``Jet 1 b-tag`` are the same.
"""

import re

from formats.features import FEATURES, JETS, LABEL
from formats.names import TEST_SPLIT

LABEL_NAMES = (
    *("label", "labels", "class_label", "class", "target", "is_boson", "is_signal", "signal"),
    *("y", "type", "response", "outcome", "truth", "ground_truth", "cls"),
)
"""Common names of the label."""

INDEX_NAMES = ("index", "unnamed: 0", "__index_level_0__", "row", "row_id")
"""Names in use for a column of row numbers."""

_OBJECTS = {
    "lepton": ("lepton", "lep", "l"),
    **{f"jet_{jet}": (f"jet{jet}", f"j{jet}") for jet in JETS},
}
_QUANTITIES = {
    "pt": ("pt", "pT"),
    "eta": ("eta",),
    "phi": ("phi",),
    "b_tag": ("btag", "b", "btagged"),
}
_MISSING_ENERGY = {
    "magnitude": (
        "missingenergy",
        "met",
        "met_pt",
        "met_et",
        "missing_et",
        "etmiss",
        "met_magnitude",
    ),
    "phi": ("met_phi", "missing_et_phi", "etmiss_phi"),
}


def normalize(name: str) -> str:
    """Normalizes a name for comparison; a unit in brackets or at its end is left out.

    >>> [normalize(name) for name in ("Jet 1 b-tag", "lepton_pT [GeV]", "[lepton_pT]", "mJJ/GeV")]
    ['jet1btag', 'leptonpt', 'leptonpt', 'mjj']
    """
    name = re.sub(r"(?<!^)[\[(].*?[\])]|[\W_]+(gev|rad)$", "", name.strip().lower())
    return re.sub(r"[^a-z0-9]", "", name)


def _aliases() -> dict[str, str]:
    aliases = {normalize(name): LABEL for name in LABEL_NAMES}
    for column in FEATURES:
        aliases[normalize(column)] = column
        prefix, _, quantity = column.partition("_")
        if prefix == "jet":
            prefix, quantity = column[:5], column[6:]
        if prefix in _OBJECTS:
            names = [
                first + second for first in _OBJECTS[prefix] for second in _QUANTITIES[quantity]
            ]
        else:
            names = list(_MISSING_ENERGY.get(column.rpartition("_")[2], ())) * (prefix == "missing")
        aliases |= dict.fromkeys(map(normalize, names), column)
    return aliases


ALIASES = _aliases()
"""The label or feature by its normalized names."""


_LABEL_WORDS = {"y", "label", "labels", "target", "targets", "class"}
_SPLIT_WORDS = {
    *("train", "training", "valid", "validation", "val", "dev", "eval", TEST_SPLIT, "testing"),
    *("holdout", "all"),
}
_CODE_WORDS = {"true", "id", "ids", "int", "index", "idx", "encoded", "binary"}


def is_label(name: str) -> bool:
    """Returns whether a name means the label: a common name, or one made of known words.

    At least one word is ``y``, ``label``, ``target`` or ``class``; the others name a split or a
    code, such as ``int``. So predictions, weights and numbers of classes are not labels.

    >>> [is_label(name) for name in ("is_boson", "y_train", "label_id", "y_pred", "class_weight")]
    [True, True, True, False, False]
    """
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^\W_]", name)}
    are_known = words <= _LABEL_WORDS | _SPLIT_WORDS | _CODE_WORDS
    return ALIASES.get(normalize(name)) == LABEL or (
        are_known and not words.isdisjoint(_LABEL_WORDS)
    )
