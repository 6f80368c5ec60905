"""Describes the machine of a measurement and the versions of packages that affect it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = {
    "tfx": "tfx",
    "tensorflow": "tensorflow",
    "beam": "apache-beam",
    "tfdv": "tensorflow-data-validation",
    "tfma": "tensorflow-model-analysis",
    "pyarrow": "pyarrow",
    "numpy": "numpy",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost-cpu",
}


def describe() -> dict[str, Any]:
    """The processor, its number of cores, the memory and the versions."""
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_bytes / 1e9, 1),
        "python": platform.python_version(),
        **{name: version(package) for name, package in PACKAGES.items()},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
