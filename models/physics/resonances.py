"""Masses of the intermediate particles of both processes, as ln(m / GeV).

gg -> H0 -> W H+-, H+- -> W h0, h0 -> b bbar against t tbar (Baldi, Sadowski, Whiteson 2014,
arXiv:1402.4735).
"""

import math

W = math.log(80.4)
TOP = math.log(173.0)
HIGGS = math.log(125.0)
CHARGED_HIGGS = math.log(325.0)
HEAVY_HIGGS = math.log(425.0)
