"""The columns of a HIGGS record: names, order, units and the codes they use.

The one place where the record is described. The order is that of the published
``features`` vector, which is the order of UCI's ``HIGGS.csv`` after its label
(Baldi, Sadowski, Whiteson 2014, arXiv:1402.4735).

All columns are dimensionless: momenta, masses and b-tags were divided by their
mean over the published set; eta and phi were standardised.
"""

import math

LABEL = "label"
"""1.0 for signal, 0.0 for background."""

JETS = (1, 2, 3, 4)

LEPTON = ("lepton_pt", "lepton_eta", "lepton_phi")
MISSING_ENERGY = ("missing_energy_magnitude", "missing_energy_phi")
JET_COLUMNS = tuple(
    f"jet_{jet}_{quantity}" for jet in JETS for quantity in ("pt", "eta", "phi", "b_tag")
)

LOW_LEVEL = LEPTON + MISSING_ENERGY + JET_COLUMNS
"""The 21 columns a detector measures."""

HIGH_LEVEL = ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb")
"""The 7 invariant masses that physicists derived from the low-level columns."""

FEATURES = LOW_LEVEL + HIGH_LEVEL
"""All 28 columns, in the order of the published vector."""

NUM_FEATURES = len(FEATURES)

COLUMNS = (LABEL, *FEATURES)
"""The label and the features: the order of a line of ``HIGGS.csv`` and of the Parquet files."""

B_TAG_VALUES = {
    "jet_1_b_tag": (0.0, 1.0865380764007568, 2.1730761528015137),
    "jet_2_b_tag": (0.0, 1.1074360609054565, 2.214872121810913),
    "jet_3_b_tag": (0.0, 1.2741122245788574, 2.5482244491577148),
    "jet_4_b_tag": (0.0, 1.5509806871414185, 3.101961374282837),
}
"""The three float32 values of each jet's b-tag: no tag, loose tag, tight tag."""

PHI_SCALE = 1.7435 / math.pi
"""Published phi units a radian: a full turn in a phi column is 2 x 1.7435, not 2 pi."""

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
"""What 1.0 in a column stands for: GeV in momenta and masses, radians in phi; the b-tags are codes.

The units were not published. With these the momenta of massless jets, lepton and neutrino give the
published masses again, to 0.4 % in half of the events; the scale puts the peak of m_lv on the W.
"""
