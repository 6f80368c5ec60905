"""Layers and metrics on several replicas, logical CPUs of another process."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("run_replicas.py")
STEPS = 5_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results():
    command = [sys.executable, SCRIPT, str(STEPS)]
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    return json.loads(finished.stdout)


def test_many_finite_steps_are_counted_exactly(results):
    assert results["finite"][0] == STEPS


def test_a_step_that_fails_on_one_replica_ends_the_count(results):
    assert results["finite"][1:] == [STEPS, STEPS]


def test_replicas_and_steps_have_different_masks(results):
    masks = np.array(results["dropped"]).reshape(6, 1000)
    for one, other in combinations(masks, 2):
        # Equal as often as two coins: 500 of 1000, with a standard deviation of 16.
        assert (one == other).sum() == pytest.approx(500, abs=80)
