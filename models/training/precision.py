"""In which arithmetic the deep blocks are computed; all else, and every weight, is float32."""

from pathlib import Path

from models.training.strategy import Hardware

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

CPU_INFO = Path("/proc/cpuinfo")


def policy_of(precision: str, hardware: Hardware) -> str:
    """Keras' mixed precision policy.

    Args:
      precision: ``float32``, ``bfloat16``, ``float16``, or ``auto``: bfloat16 on TPUs and on CPUs
        with instructions for it, float16 on GPUs, float32 otherwise.
      hardware: what the training runs on.
    """
    if precision != "auto":
        return POLICIES[precision]
    if hardware.kind == "gpu":
        return POLICIES["float16"]
    if hardware.kind == "tpu" or cpu_multiplies_bfloat16():
        return POLICIES["bfloat16"]
    return POLICIES["float32"]


def cpu_multiplies_bfloat16() -> bool:
    """Whether this machine's CPU has AVX512_BF16."""
    return CPU_INFO.exists() and "avx512_bf16" in CPU_INFO.read_text(encoding="utf-8")
