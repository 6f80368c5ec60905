"""The columns of a HIGGS record: names, order, units, allowed values and display labels.

Product code spells these names only here and in ``models.physics``; the reviewed schema repeats
them. The order is that of the published ``features`` vector, which is the order of UCI's
``HIGGS.csv`` after its label (Baldi, Sadowski, Whiteson 2014, arXiv:1402.4735).

All columns are dimensionless: momenta, masses and b-tags were divided by their mean over the
published set; eta and phi were standardized.
"""

import math
from typing import NamedTuple

LABEL = "label"
"""1.0 for signal, 0.0 for background."""

JETS = (1, 2, 3, 4)

LEPTON = ("lepton_pt", "lepton_eta", "lepton_phi")
MISSING_ENERGY = ("missing_energy_magnitude", "missing_energy_phi")
JET_COLUMNS = tuple(
    f"jet_{jet}_{quantity}" for jet in JETS for quantity in ("pt", "eta", "phi", "b_tag")
)

LOW_LEVEL = LEPTON + MISSING_ENERGY + JET_COLUMNS
"""The 21 columns that a detector measures."""

HIGH_LEVEL = ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb")
"""The 7 invariant masses that physicists derived from the low-level columns."""

FEATURES = LOW_LEVEL + HIGH_LEVEL
"""All 28 columns, in the order of the published vector."""

NUM_FEATURES = len(FEATURES)

COLUMNS = (LABEL, *FEATURES)
"""The label and the features, in the order of ``HIGGS.csv`` and of the Parquet files."""

DISCRETE_VALUES = {
    "jet_1_b_tag": (0.0, 1.0865380764007568, 2.1730761528015137),
    "jet_2_b_tag": (0.0, 1.1074360609054565, 2.214872121810913),
    "jet_3_b_tag": (0.0, 1.2741122245788574, 2.5482244491577148),
    "jet_4_b_tag": (0.0, 1.5509806871414185, 3.101961374282837),
}
"""The allowed float32 values of the discrete columns, by level: equidistant from 0."""

LEVELS = ("none", "loose", "tight")
"""Names of the levels of a discrete column: no b-tag, a loose one, a tight one."""

LEVEL_COUNT = "n_b_tags"
"""Name of the number of discrete columns above level 0: the number of b-tagged jets, 0 to 4."""

PHI_SCALE = 1.7435 / math.pi
"""Published phi units per radian: a full turn in a phi column is 2 x 1.7435, not 2 pi."""

UNITS = {
    "lepton_pt": 54.64,
    "lepton_eta": 1.0289,
    "missing_energy_magnitude": 58.22,
    "jet_1_pt": 108.89,
    "jet_1_eta": 1.00988,
    "jet_2_pt": 79.22,
    "jet_2_eta": 1.02947,
    "jet_3_pt": 56.80,
    "jet_3_eta": 1.09860,
    "jet_4_pt": 40.98,
    "jet_4_eta": 1.20071,
    "m_jj": 87.42,
    "m_jjj": 179.22,
    "m_lv": 81.43,
    "m_jlv": 195.05,
    "m_bb": 126.04,
    "m_wbb": 335.76,
    "m_wwbb": 510.44,
    **{name: 1 / PHI_SCALE for name in LOW_LEVEL if name.endswith("_phi")},
}
"""The value of 1.0 in a column: GeV in momenta and masses, radians in phi; b-tags are discrete.

The units were not published. With these, the momenta of massless jets, lepton and neutrino
reproduce the published masses to within 0.4 % for half of the events; the scale puts the peak of
m_lv at the W mass.
"""


def physical_unit(column: str) -> float:
    """Returns the published value of 1 GeV, of 1 radian or of the first level of a b-tag."""
    return DISCRETE_VALUES[column][1] if column in DISCRETE_VALUES else 1 / UNITS[column]


class FeatureLabel(NamedTuple):
    """Display label of a column.

    Attributes:
        words: the quantity in words.
        letter: its symbol, without indices.
        subscript: subscript of the symbol; may be empty.
        superscript: superscript of the symbol; may be empty.
        plain: the symbol in plain text.
        unit: ``GeV``, ``rad`` or empty.
    """

    words: str
    letter: str
    subscript: str
    superscript: str
    plain: str
    unit: str


def _object_labels(prefix: str, owner: str, mark: str) -> dict[str, FeatureLabel]:
    return {
        f"{prefix}_pt": FeatureLabel(
            f"{owner}, transverse momentum", "p", "T", mark, f"{owner} pT", "GeV"
        ),
        f"{prefix}_eta": FeatureLabel(f"{owner}, pseudorapidity", "η", "", mark, f"{owner} η", ""),
        f"{prefix}_phi": FeatureLabel(f"{owner}, azimuth", "φ", "", mark, f"{owner} φ", "rad"),
        f"{prefix}_b_tag": FeatureLabel(f"{owner}, b-tag", "b-tag", "", mark, f"{owner} b-tag", ""),
    }


def _mass_label(words: str, subscript: str) -> FeatureLabel:
    return FeatureLabel(words, "m", subscript, "", f"m({subscript})", "GeV")


LABELS = {
    **_object_labels("lepton", "lepton", "ℓ"),
    "missing_energy_magnitude": FeatureLabel(
        "missing transverse energy", "E", "T", "miss", "missing ET", "GeV"
    ),
    "missing_energy_phi": FeatureLabel(
        "missing transverse energy, azimuth", "φ", "", "miss", "missing φ", "rad"
    ),
    **{
        name: label
        for jet in JETS
        for name, label in _object_labels(f"jet_{jet}", f"jet {jet}", f"j{jet}").items()
    },
    "m_jj": _mass_label("mass of two jets, W candidate", "jj"),
    "m_jjj": _mass_label("mass of three jets, top candidate", "jjj"),
    "m_lv": _mass_label("mass of lepton and neutrino, W candidate", "ℓν"),
    "m_jlv": _mass_label("mass of jet, lepton and neutrino, top candidate", "jℓν"),
    "m_bb": _mass_label("mass of two b-jets, light Higgs candidate", "bb"),
    "m_wbb": _mass_label("mass of W and two b-jets, charged Higgs candidate", "Wbb"),
    "m_wwbb": _mass_label("mass of two W and two b-jets, heavy Higgs candidate", "WWbb"),
}
"""Display labels by column."""
