"""How the tests are spread over processes; see conftest.py."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="all tests in one process")
def test_the_scheduler_knows_the_groups(request):
    # A group that only the marker knows lets every process make the shared runs anew.
    assert request.node.nodeid.endswith("@tests/test_processes.py")
