import pytest

from kubeflow.engine_runs import MAX_POLL_ERRORS, EngineError, RunState, exit_code, follow
from pipeline.exit_codes import ExitCode

SUCCEEDED = {"Trainer": "succeeded", "PushGate": "succeeded"}


def ended(failed=(), errors=None, *, succeeded=False):
    tasks = {**SUCCEEDED, **dict.fromkeys(failed, "failed")}
    return RunState(True, succeeded, tasks, errors or {})


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ended(succeeded=True), ExitCode.PUSHED),
        (ended(["PushGate"]), ExitCode.NOT_BLESSED),
        (ended(["DataGate"]), ExitCode.DATA_REFUSED),
        (ended(["CollisionExampleGen"]), ExitCode.DATA_REFUSED),
        (ended(["Trainer"]), ExitCode.FAILED),
        (ended(["Trainer", "PushGate"]), ExitCode.FAILED),
        (ended(["DataGate", "SchemaGen"]), ExitCode.FAILED),
        (ended(["PushGate"], {"PushGate": "a non-zero status of 3."}), ExitCode.NOT_BLESSED),
        (ended(["PushGate"], {"PushGate": "a non-zero status of 137."}), ExitCode.FAILED),
        (ended(), ExitCode.FAILED),
        (
            ended(["DataGate"], {"DataGate": "exited with a non-zero status of 4."}),
            ExitCode.DATA_REFUSED,
        ),
        (ended(["DataGate"], {"DataGate": "exited with a non-zero status of 1."}), ExitCode.FAILED),
        (ended(["DataGate"], {"DataGate": "exit status 137"}), ExitCode.FAILED),
        (ended(["DataGate"], {"DataGate": "see the log"}), ExitCode.DATA_REFUSED),
    ],
)
def test_the_failed_tasks_decide_the_exit_code(state, code):
    assert exit_code(state) == code


def test_follow_yields_a_runs_changes_until_it_ends():
    states = [
        RunState(False, False, {"Trainer": "running"}),
        RunState(False, False, {"Trainer": "running"}),
        RunState(True, True, SUCCEEDED),
    ]

    class Runs:
        def state(self, run_id):
            assert run_id == "7"
            return states.pop(0)

    changes = list(follow(Runs(), "7", 0))
    assert [state.ended for state in changes] == [False, True]
    assert states == []


class Flaky:
    """An engine that fails a number of polls and then reports that the run has ended."""

    def __init__(self, failures):
        self.failures = failures

    def state(self, _):
        if self.failures:
            self.failures -= 1
            raise EngineError("503")
        return RunState(True, True, SUCCEEDED)


def test_a_failed_poll_is_repeated():
    [state] = follow(Flaky(MAX_POLL_ERRORS - 1), "7", 0)
    assert state.succeeded


def test_an_unreachable_engine_is_an_error():
    with pytest.raises(EngineError, match="503"):
        list(follow(Flaky(MAX_POLL_ERRORS), "7", 0))
