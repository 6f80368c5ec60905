"""How the tests are distributed over processes; see conftest.py."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="all tests in one process")
def test_the_scheduler_knows_the_groups(request):
    # With a group that only the marker knows, every process would repeat the shared runs.
    assert request.node.nodeid.endswith("@tests/test_processes.py")
