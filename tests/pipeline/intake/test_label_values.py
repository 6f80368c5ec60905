import numpy as np
import pyarrow as pa
import pytest

from pipeline.intake.intake_error import IntakeError
from pipeline.intake.label_values import LabelValues


def place(row):
    return f"row {row + 1}"


def encode(values, *given):
    labels = LabelValues(*given, True) if given else LabelValues()
    return labels.encode("x", values, place)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, 0.0, 1.0]),
        np.array([1, 0, 1]),
        np.array([True, False, True]),
        np.array(["1.000e+00", "0", " 1 "], object),
        pa.array(["1", "0.0", "1"]),
        pa.array([True, False, True]),
        pa.array(["1", "0", "1"]).dictionary_encode(),
        pa.chunked_array([["1"], ["0", "1"]]),
        pa.array([1, 0, 1], pa.int8()),
        np.array([1, 0, 1], np.float16),
        pa.array(np.array([1, 0, 1], np.float16)),
    ],
)
def test_zero_and_one_are_labels_in_every_type(values):
    encoded = encode(values)

    assert encoded.dtype == np.float32
    assert encoded.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "signal", "background"),
    [
        (["s", "b"], "s", "b"),
        ([1, 2], "1", "2"),
        (np.float32([0.95, 0.05]), "0.95", "0.05"),
        ([1.0, -1.0], "1", "-1"),
        ([0, 1], "0", "1"),
        ([b"sig", b"bkg"], "sig", "bkg"),
        (["True", "False"], "True", "False"),
        (["higgs", "none"], "higgs", "none"),
        (["+", "-"], "+", "-"),
    ],
)
def test_two_named_values_are_labels(values, signal, background):
    assert encode(np.array(values), signal, background).tolist() == [1, 0]


@pytest.mark.parametrize("missing", ["", "NA", "?", None, np.nan])
def test_missing_labels_are_nan(missing):
    assert np.isnan(encode(np.array(["1", missing], object))).tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            ["b", "s"],
            "x: row 1 has the label 'b', which is neither 0 nor 1. The labels are 'b' and 's': say "
            "which is which, such as --signal s --background b; this file cannot tell.",
        ),
        ([1.0, 2.0], "such as --signal 1 --background 2"),
        ([0.0, 0.9999], "such as --signal 0.9999 --background 0"),
        (["0", "1000"], "such as --signal 1000 --background 0"),
        ([0.05, 0.95], "such as --signal 0.95 --background 0.05"),
        (["F", "T"], "such as --signal T --background F"),
        (["a jet", "0"], "such as --signal 0 --background 'a jet'"),
        ([-1.0, 1.0], "such as --signal 1 --background -1"),
        (
            ["2", "2.0", "0"],
            "The labels are '0' and '2': say which is which, such as --signal 2 --background 0",
        ),
        ([1.0, 0.0, 2.0], "x: row 3 has the label '2', which is neither 0 nor 1. Correct the row,"),
        ([0.0, 0.95, 0.05], "x: row 2 has the label '0.95', which is neither 0 nor 1."),
        (np.float32([0.0, 0.95, 0.05]), "x: row 2 has the label '0.95', which is neither 0 nor 1."),
        ([1.0, 0.0, 1 + 1e-10], "x: row 3 has the label '1.0000000001', which is neither 0 nor 1."),
        (["y" * 90, "0"], "has the label '" + "y" * 35 + "...',"),
    ],
)
def test_other_values_are_refused_with_the_option(values, sentence):
    with pytest.raises(IntakeError) as caught:
        encode(np.array(values))

    assert sentence in str(caught.value)


def test_labels_of_an_unsupported_type_are_named():
    with pytest.raises(IntakeError, match=r"x: the labels are duration\[s\], not numbers or texts"):
        encode(pa.array([1, 0], pa.duration("s")))


def test_values_beside_the_named_ones_are_refused():
    with pytest.raises(IntakeError, match=r"row 2 has the label 't', which is neither 's' .* nor"):
        encode(np.array(["s", "t"]), "s", "b")
