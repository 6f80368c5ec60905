import pytest

from kubeflow.engine_runs import PATIENCE, RunState, SubmitError, exit_code, follow
from pipeline.exit_codes import ExitCode

GOOD = {"Trainer": "succeeded", "PushGate": "succeeded"}


def ended(failed=(), errors=None, *, succeeded=False):
    tasks = {**GOOD, **dict.fromkeys(failed, "failed")}
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
def test_exit_codes_are_told_by_the_tasks_that_failed(state, code):
    assert exit_code(state) == code


def test_a_run_is_followed_to_its_end_and_told_when_it_changes():
    states = [
        RunState(False, False, {"Trainer": "running"}),
        RunState(False, False, {"Trainer": "running"}),
        RunState(True, True, GOOD),
    ]

    class Runs:
        def state(self, run_id):
            assert run_id == "7"
            return states.pop(0)

    told = list(follow(Runs(), "7", 0))
    assert [state.ended for state in told] == [False, True]
    assert states == []


class Flaky:
    """An engine that cannot be asked a number of times, and then shows a run that has ended."""

    def __init__(self, failures):
        self.failures = failures

    def state(self, _):
        if self.failures:
            self.failures -= 1
            raise SubmitError("503")
        return RunState(True, True, GOOD)


def test_a_look_that_fails_is_repeated():
    [state] = follow(Flaky(PATIENCE - 1), "7", 0)
    assert state.succeeded


def test_an_engine_that_is_gone_is_told():
    with pytest.raises(SubmitError, match="503"):
        list(follow(Flaky(PATIENCE), "7", 0))
