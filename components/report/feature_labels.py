"""What the columns are called by a physicist."""

from markupsafe import Markup, escape

from formats.features import FEATURES, JETS, UNITS

_OBJECTS = {"lepton": ("lepton", "ℓ")} | {f"jet_{jet}": (f"jet {jet}", f"j{jet}") for jet in JETS}

_QUANTITIES = {
    "pt": ("transverse momentum", "p", "T", "pT"),
    "eta": ("pseudorapidity", "η", "", "η"),
    "phi": ("azimuth", "φ", "", "φ"),
    "b_tag": ("b-tag", "b-tag", "", "b-tag"),
}

_OTHERS = {
    "missing_energy_magnitude": ("missing transverse energy", "E", "T", "miss", "missing ET"),
    "missing_energy_phi": ("missing transverse energy, azimuth", "φ", "", "miss", "missing φ"),
    "m_jj": ("mass of two jets, W candidate", "m", "jj", "", "m(jj)"),
    "m_jjj": ("mass of three jets, top candidate", "m", "jjj", "", "m(jjj)"),
    "m_lv": ("mass of lepton and neutrino, W candidate", "m", "ℓν", "", "m(ℓν)"),
    "m_jlv": ("mass of jet, lepton and neutrino, top candidate", "m", "jℓν", "", "m(jℓν)"),
    "m_bb": ("mass of two b-jets, light Higgs candidate", "m", "bb", "", "m(bb)"),
    "m_wbb": ("mass of W and two b-jets, charged Higgs candidate", "m", "Wbb", "", "m(Wbb)"),
    "m_wwbb": ("mass of two W and two b-jets, heavy Higgs candidate", "m", "WWbb", "", "m(WWbb)"),
}


def _names(feature: str) -> tuple[str, str, str, str, str] | None:
    """Words, letter, subscript, superscript and plain symbol of a column."""
    if feature in _OTHERS:
        return _OTHERS[feature]
    for prefix, (owner, mark) in _OBJECTS.items():
        quantity = _QUANTITIES.get(feature.removeprefix(f"{prefix}_"))
        if quantity and feature.startswith(prefix):
            words, letter, below, plain = quantity
            return f"{owner}, {words}", letter, below, mark, f"{owner} {plain}"
    return None


def words(feature: str) -> str:
    """A column in words; its own name if it is not one of ours."""
    names = _names(feature)
    return names[0] if names else feature


def symbol(feature: str) -> Markup:
    """A column's symbol, with sub- and superscript; its own name if it is not one of ours."""
    names = _names(feature)
    if names is None:
        return escape(feature)
    _, letter, below, above, _ = names
    text = Markup("<i>{}</i>").format(letter)
    text += Markup("<sub>{}</sub>").format(below) if below else ""
    return text + (Markup("<sup>{}</sup>").format(above) if above else "")


def axis_label(feature: str) -> str:
    """A column on an axis: the quantity over what 1.0 stands for, which makes it a number."""
    names = _names(feature)
    plain = names[4] if names else feature
    unit = UNITS.get(feature)
    if unit is None:
        return plain
    kind = "rad" if feature.endswith("phi") else "" if feature.endswith("eta") else "GeV"
    return f"{plain} / ({unit:.4g} {kind})" if kind else f"{plain} / {unit:.3g}"


def order(features: list[str]) -> list[str]:
    """Columns in the published order; others after them, by name."""
    known = [name for name in FEATURES if name in features]
    return known + sorted(set(features) - set(known))
