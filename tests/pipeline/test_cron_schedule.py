import re
from datetime import datetime, timezone

import pytest

from pipeline.cron_schedule import parse_cron

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)


def test_next_times_are_those_of_the_zone():
    times = parse_cron("TZ=Europe/Zurich 0 3 * * 1").next_times(NOW)
    assert [time.isoformat() for time in times] == [
        "2026-11-30T03:00:00+01:00",
        "2026-12-07T03:00:00+01:00",
        "2026-12-14T03:00:00+01:00",
    ]
    assert parse_cron("0 3 * * 1").next_times(NOW)[0].isoformat() == "2026-11-30T03:00:00+00:00"


def test_kubeflow_reads_seconds_first():
    schedule = parse_cron("30 4 1,15 JAN-JUN mon-FRI")
    assert schedule.with_seconds == "0 30 4 1,15 JAN-JUN mon-FRI"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 3 * * 1", "has six fields; remove the first one, the seconds"),
        ("0 3 * *", "does not have five fields"),
        ("", "does not have five fields"),
        ("@daily", "does not have five fields"),
        ("61 3 * * 1", "is not a valid schedule"),
        ("0 3 30 2 *", "is not a valid schedule"),
        ("0 3 L * *", "'L' is not supported by every target"),
        ("0 3 ? * 1", "'?' is not supported by every target"),
        ("0 3 * * 1#2", "'1#2' is not supported by every target"),
        ("H 3 * * *", "'H' is not supported by every target"),
        ("0 3 * * 7", "write 0 for Sunday"),
        ("TZ=Europe/Zuerich 0 3 * * 1", "'Europe/Zuerich' is not a time zone"),
        ("TZ=../etc 0 3 * * 1", "is not a time zone"),
    ],
)
def test_other_forms_are_rejected_with_the_reason(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_cron(text)
