"""Benchmarks are run from the repository and are not installed, so they are looked for there."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
