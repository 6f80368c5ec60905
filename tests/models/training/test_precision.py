import pytest

from models.training import precision
from models.training.precision import policy_of
from models.training.strategy import Hardware


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    def pretend(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"flags\t\t: fpu {flags}\n")
        monkeypatch.setattr(precision, "CPU_INFO", path)

    return pretend


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("cpu", "avx512f avx512_bf16", "mixed_bfloat16"),
        ("cpu", "avx2 avx512f", "float32"),
        ("gpu", "avx512_bf16", "mixed_float16"),
        ("tpu", "avx2", "mixed_bfloat16"),
    ],
)
def test_auto_takes_what_the_hardware_is_fast_at(cpu, kind, flags, expected):
    cpu(flags)
    assert policy_of("auto", Hardware(kind, 1, ("d",))) == expected


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")],
)
def test_choice_wins_over_the_hardware(cpu, chosen, expected):
    cpu("avx2")
    assert policy_of(chosen, Hardware("cpu", 1, ("d",))) == expected


def test_machine_that_tells_nothing_gets_float32(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "none")
    assert policy_of("auto", Hardware("cpu", 1, ("d",))) == "float32"
