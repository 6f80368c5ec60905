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
        ("TZ=localtime 0 3 * * 1", "'localtime' is not a time zone"),
        ("TZ=posix/Europe/Zurich 0 3 * * 1", "is not a time zone"),
        ("tz=UTC 0 3 * * 1", "tz= is not a time zone; write TZ=UTC"),
        # Kubeflow's parser rejects these, or reads them differently from Vertex AI's.
        ("0 22-2 * * *", "'22-2' does not go from a lower to a higher value of the hour"),
        ("0 3 * * FRI-MON", "'FRI-MON' does not go from a lower to a higher value"),
        ("0 3-3 * * *", "'3-3' does not go from a lower"),
        ("5/15 * * * *", "'5/15' is not supported by every target"),
        ("*/0 * * * *", "the step of '*/0' must be 1 to 59 for the minute"),
        ("*/70 * * * *", "the step of '*/70' must be 1 to 59"),
        ("0 3 *,5 * 1", "'*,5' lists '*'"),
        ("0 3 */2 * 1", "limits the day of the month and that of the week"),
        ("0 3 1 13 *", "the month is 1 to 12, got 13"),
        ("0 3 MON * *", "'MON' is not supported by every target"),
        ("0 3 * * \u0661", "is not supported by every target"),
    ],
)
def test_other_forms_are_rejected_with_the_reason(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_cron(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/5 * * * *", "11-26T12:05 11-26T12:10 11-26T12:15"),
        ("0-30/15,50 6 * * *", "11-27T06:00 11-27T06:15 11-27T06:30"),
        ("0 0 29 2 *", "02-29T00:00 02-29T00:00 02-29T00:00"),
        # Either of the two days, as in every implementation.
        ("0 3 1 * fri", "11-27T03:00 12-01T03:00 12-04T03:00"),
    ],
)
def test_next_times_are_those_of_kubeflows_parser(text, expected):
    # Computed with robfig/cron 1.2.0, which Kubeflow's controller uses, from the form with seconds.
    times = parse_cron(text).next_times(NOW)
    assert [f"{time:%m-%dT%H:%M}" for time in times] == expected.split()
