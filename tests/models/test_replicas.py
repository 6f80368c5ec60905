"""What layers and metrics do on several replicas, each a logical CPU of a process apart."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("run_replicas.py")
STEPS = 20_000


@pytest.fixture(scope="module")
def found():
    command = [sys.executable, SCRIPT, str(STEPS)]
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    return json.loads(finished.stdout)


def test_many_finite_steps_are_counted_to_the_step(found):
    assert found["finite"][0] == STEPS


def test_step_that_fails_on_one_replica_is_the_first_that_does_not_count(found):
    assert found["finite"][1:] == [STEPS, STEPS]


def test_replicas_and_steps_drop_other_units(found):
    masks = np.array(found["dropped"]).reshape(6, 1000)
    for one, other in combinations(masks, 2):
        # As often alike as two coins: 500 of 1000, with a spread of 16.
        assert (one == other).sum() == pytest.approx(500, abs=80)
