"""Names of columns in other files: one table of aliases for the label and the features.

Names are compared without case, blanks and punctuation: ``jet_1_b-tag``, ``jet1btag`` and
``Jet 1 b-tag`` are the same.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from formats.features import COLUMNS, JETS, LABEL, MISSING_ENERGY
from formats.names import TEST_SPLIT

LABEL_NAMES = (
    *("label", "labels", "class_label", "class", "target", "is_boson", "is_signal", "signal"),
    *("y", "type", "response", "outcome", "truth", "ground_truth", "cls"),
)
"""Common names of the label."""

INDEX_NAMES = ("index", "unnamed: 0", "__index_level_0__", "row", "row_id")
"""Names in use for a column of row numbers."""


@lru_cache(maxsize=4096)  # The names of thousands of files are the same.
def _normalize(name: str) -> str:
    """Normalizes a name for comparison; a unit in brackets or at its end is left out.

    >>> [_normalize(name) for name in ("Jet 1 b-tag", "lepton_pT [GeV]", "[lepton_pT]", "mJJ/GeV")]
    ['jet1btag', 'leptonpt', 'leptonpt', 'mjj']
    """
    name = re.sub(r"(?<!^)[\[(].*?[\])]|[\W_]+(gev|rad)$", "", name.strip().lower())
    return re.sub(r"[^a-z0-9]", "", name.translate(_GREEK))


_GREEK = str.maketrans({"η": "eta", "φ": "phi", "ϕ": "phi"})


_OBJECTS = {
    "lepton": ("lepton", "lep", "l"),
    **{f"jet_{jet}": (f"jet{jet}", f"j{jet}") for jet in JETS},
}
_QUANTITIES = {
    "pt": ("pt",),
    "eta": ("eta",),
    "phi": ("phi",),
    "b_tag": ("btag", "b", "btagged"),
}
_NAMES = {
    LABEL: LABEL_NAMES,
    MISSING_ENERGY[0]: (
        *("missing_energy", "met", "met_pt", "met_et", "missing_et", "etmiss", "met_magnitude"),
    ),
    MISSING_ENERGY[1]: ("met_phi", "missing_et_phi", "etmiss_phi"),
    **{
        f"{item}_{quantity}": tuple(map("".join, product(items, quantities)))
        for item, items in _OBJECTS.items()
        for quantity, quantities in _QUANTITIES.items()
    },
}

_ALIASES = {
    _normalize(name): column for column in COLUMNS for name in (column, *_NAMES.get(column, ()))
}
"""The label or feature by its normalized names."""


def known_column(name: str) -> str | None:
    """Returns the label or the feature that a name means; None for other names.

    >>> known_column("Is Boson"), known_column("weight")
    ('label', None)
    """
    return _ALIASES.get(_normalize(name))


def known_columns(names: Sequence[str]) -> list[str | None]:
    """Returns what each of a table's names means, as `known_column` does.

    >>> known_columns(["jet0pt", "jet1pt"]) == known_columns(["jet1pt", "jet2pt"])
    True
    """
    normalized = [_normalize(name) for name in names]
    if count_from_zero(names):
        normalized = [_with_next_jet(name) for name in normalized]
    return [_ALIASES.get(name) for name in normalized]


def count_from_zero(names: Sequence[str]) -> bool:
    """Returns whether a table's names count the jets from 0.

    >>> count_from_zero(["jet0pt", "jet1pt"]), count_from_zero(["jet1pt", "jet0"])
    (True, False)
    """
    zeros = (name for name in map(_normalize, names) if re.match("(jet|j)0", name))
    return any(_with_next_jet(name) in _ALIASES for name in zeros)


def _with_next_jet(name: str) -> str:
    return re.sub("^(jet|j)([0-9])(?=[a-z])", lambda jet: f"{jet[1]}{int(jet[2]) + 1}", name)


_LABEL_WORDS = {"y", "label", "labels", "target", "targets", "class"}
_SPLIT_WORDS = {
    *("train", "training", "valid", "validation", "val", "dev", "eval", TEST_SPLIT, "testing"),
    *("holdout", "all"),
}
_ENCODING_WORDS = {"true", "id", "ids", "int", "index", "idx", "encoded", "binary"}


def is_label(name: str) -> bool:
    """Returns whether a name means the label: a common name, or one made of known words.

    The words are ``y``, ``label``, ``target`` or ``class``, optionally with those of a split
    (``train``) or an encoding (``int``). Names of predictions, weights and class counts contain
    other words. TMVA's ``classID``, which is 0 for signal, is not one.

    >>> [is_label(name) for name in ("is_boson", "y_train", "label_id", "y_pred", "class_weight")]
    [True, True, True, False, False]
    """
    if is_of_tmva(name):
        return False
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^\W_]", name)}
    are_known = words <= _LABEL_WORDS | _SPLIT_WORDS | _ENCODING_WORDS
    return known_column(name) == LABEL or (are_known and not words.isdisjoint(_LABEL_WORDS))


def is_of_tmva(name: str) -> bool:
    """Returns whether a name is that of the class in TMVA's trees, which is 0 for signal.

    >>> is_of_tmva("classID"), is_of_tmva("class_id")
    (True, False)
    """
    return name.lower() == "classid"
