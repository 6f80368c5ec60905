import sys

from pipeline.failure_log import log_traceback


class FullDisk:
    def write(self, _):
        raise OSError(28, "No space left on device")


def log_failure():
    try:
        raise ValueError("the cause")
    except ValueError:
        log_traceback()


def test_traceback_goes_to_the_log(capsys):
    log_failure()
    assert capsys.readouterr().err.rstrip().endswith("ValueError: the cause")


def test_log_on_a_full_disk_hides_no_failure(monkeypatch):
    monkeypatch.setattr(sys, "stderr", FullDisk())
    log_failure()
