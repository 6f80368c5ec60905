import pytest
from engine.clock import Clock

from kubeflow import engine_runs
from kubeflow.engine_runs import EngineError, RunState, create, exit_code, follow
from pipeline.exit_codes import ExitCode

SUCCEEDED = {"Trainer": "succeeded", "PushGate": "succeeded"}


def ended(failed=(), errors=None, *, succeeded=False, canceled=False):
    tasks = {**SUCCEEDED, **dict.fromkeys(failed, "failed")}
    return RunState(True, succeeded, canceled, tasks, errors or {})


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ended(succeeded=True), ExitCode.PUSHED),
        (ended(["PushGate"]), ExitCode.NOT_BLESSED),
        (ended(["DataGate"]), ExitCode.DATA_REFUSED),
        (ended(["CollisionExampleGen"]), ExitCode.DATA_REFUSED),
        (ended(["Trainer"]), ExitCode.FAILED),
        (ended(), ExitCode.FAILED),
        # A node that fails beside the deciding gate does not hide the decision.
        (ended(["DataGate", "HistogramGen"]), ExitCode.DATA_REFUSED),
        (ended(["PushGate", "Report"]), ExitCode.NOT_BLESSED),
        (ended(["Scorer", "PushGate"]), ExitCode.NOT_BLESSED),
        # A run that someone terminated is not a decision of the gate that was running.
        (ended(["DataGate"], canceled=True), ExitCode.FAILED),
        (ended(["PushGate"], canceled=True), ExitCode.FAILED),
        (ended(["PushGate"], {"PushGate": "a non-zero status of 3."}), ExitCode.NOT_BLESSED),
        (ended(["PushGate"], {"PushGate": "a non-zero status of 137."}), ExitCode.FAILED),
        (ended(["DataGate"], {"DataGate": "a non-zero status of 4."}), ExitCode.DATA_REFUSED),
        (ended(["DataGate"], {"DataGate": "a non-zero status of 1."}), ExitCode.FAILED),
        (ended(["DataGate"], {"DataGate": "exit status 137"}), ExitCode.FAILED),
        (ended(["DataGate"], {"DataGate": "see the log"}), ExitCode.DATA_REFUSED),
    ],
)
def test_the_failed_nodes_decide_the_exit_code(state, code):
    assert exit_code(state) == code


def test_follow_yields_a_runs_changes_until_it_ends():
    running = RunState(False, False, tasks={"Trainer": "running"})
    states = [running, running, RunState(True, True, tasks=SUCCEEDED)]

    class Runs:
        def state(self, run_id):
            assert run_id == "7"
            return states.pop(0)

    changes = list(follow(Runs(), "7", 0))
    assert [state.ended for state in changes] == [False, True]
    assert states == []


@pytest.mark.parametrize(("late", "code", "polls"), [(1, 3, 2), (3, 3, 4), (9, 1, 4)])
def test_nodes_that_are_stored_after_the_end_of_their_run_count(late, code, polls, clock):
    gate = ["running"] * late + ["failed"]
    calls = []

    class Runs:
        def state(self, _):
            calls.append(clock.now)
            return RunState(True, False, tasks={"Trainer": "succeeded", "PushGate": gate.pop(0)})

    *_, last = follow(Runs(), "7", interval=30)
    assert (exit_code(last), len(calls)) == (code, polls)
    assert clock.now == 5 * (polls - 1)


class Unreachable:
    """An engine that fails a number of polls and then reports that the run has ended."""

    def __init__(self, failures, *, is_transient=True):
        self.failures, self.is_transient = failures, is_transient

    def state(self, _):
        if self.failures:
            self.failures -= 1
            raise EngineError("503", is_transient=self.is_transient)
        return RunState(True, True, tasks=SUCCEEDED)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(engine_runs, "time", clock)
    return clock


def test_an_outage_of_ten_minutes_is_tolerated(clock):
    [state] = follow(Unreachable(failures=19), "7", interval=30)
    assert state.succeeded
    assert clock.now == 19 * 30


def test_outages_do_not_add_up(clock):
    outage = [EngineError("503", is_transient=True)] * 15
    answers = [*outage, RunState(False, False), *outage, RunState(True, True)]

    class Runs:
        def state(self, _):
            answer = answers.pop(0)
            if isinstance(answer, EngineError):
                raise answer
            return answer

    assert [state.ended for state in follow(Runs(), "7", interval=30)] == [False, True]


def test_a_longer_outage_is_an_error(clock):
    with pytest.raises(EngineError, match="503"):
        list(follow(Unreachable(failures=100), "7", interval=30))
    assert 600 < clock.now < 700


def test_a_rejected_request_is_an_error_at_once(clock):
    with pytest.raises(EngineError, match="503"):
        list(follow(Unreachable(failures=1, is_transient=False), "7", interval=30))
    assert clock.now == 0


def test_a_run_is_created_once_although_the_answer_is_lost(clock):
    created = []

    def request():
        created.append("7")
        raise EngineError("connection reset", is_transient=True)

    assert create(request, find=lambda: created[0]) == "7"
    assert created == ["7"]


def test_a_request_that_did_not_arrive_is_repeated(clock):
    answers = [EngineError("503", is_transient=True), EngineError("503", is_transient=True), "7"]

    def request():
        answer = answers.pop(0)
        if isinstance(answer, EngineError):
            raise answer
        return answer

    assert create(request, find=lambda: None) == "7"
    assert clock.now == 2 + 4


def test_a_rejected_creation_is_not_repeated(clock):
    def request():
        raise EngineError("invalid")

    with pytest.raises(EngineError, match="invalid"):
        create(request, find=lambda: None)
    assert clock.now == 0
