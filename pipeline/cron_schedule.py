"""Cron expressions of schedules: one form, converted to what each target expects.

The form is ``[TZ=ZONE ]MINUTE HOUR DAY MONTH WEEKDAY``, the one of Vertex AI.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

FORM = "[TZ=ZONE ]MINUTE HOUR DAY MONTH WEEKDAY, such as '0 3 * * 1' for Mondays at 3:00 UTC"

# Without the extensions of single implementations: L, W, #, ?, H, @daily.
_FIELD = re.compile(r"[0-9*/,-]+")
_NAMED_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT"
_NAMES = {*_MONTHS.split(), *_WEEKDAYS.split()}


@dataclass(frozen=True)
class CronSchedule:
    """A schedule.

    Attributes:
        expression: five fields: minute, hour, day of the month, month, day of the week.
        zone: name of the time zone; None for UTC.
    """

    expression: str
    zone: str | None = None

    @property
    def with_seconds(self) -> str:
        """The expression with a field for the seconds first, as Kubeflow reads it.

        >>> parse_cron("0 3 * * 1").with_seconds
        '0 0 3 * * 1'
        """
        return f"0 {self.expression}"

    def next_times(self, now: datetime, count: int = 3) -> list[datetime]:
        """Computes the next times after ``now``, in the schedule's zone."""
        from croniter import croniter

        zone: tzinfo = ZoneInfo(self.zone) if self.zone else timezone.utc
        times = croniter(self.expression, now.astimezone(zone))
        return [times.get_next(datetime) for _ in range(count)]


def parse_cron(text: str) -> CronSchedule:
    """Parses a cron expression.

    Raises:
        ValueError: it does not have the form ``FORM``; the message says what is wrong.
    """
    zone, fields = None, text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        zone = fields.pop(0).partition("=")[2]
        _check_zone(zone)
    if len(fields) == 6:
        raise ValueError(f"{text!r} has six fields; remove the first one, the seconds: {FORM}")
    if len(fields) != 5:
        raise ValueError(f"{text!r} does not have five fields: {FORM}")
    for field in fields[:3]:
        _check_field(text, field, _FIELD)
    for field in fields[3:]:
        _check_field(text, field, _NAMED_FIELD)
    if re.search(r"\b7\b", fields[4]):
        raise ValueError(f"{text!r}: the day of the week is 0 (Sunday) to 6; write 0 for Sunday")
    expression = " ".join(fields)
    _check_values(text, expression)
    return CronSchedule(expression, zone)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{zone!r} is not a time zone, such as Europe/Zurich") from None


def _check_field(text: str, field: str, form: re.Pattern[str]) -> None:
    words = re.findall(r"[A-Za-z]+", field)
    if not form.fullmatch(field) or not {word.upper() for word in words} <= _NAMES:
        raise ValueError(f"{text!r}: {field!r} is not supported by every target: {FORM}")


def _check_values(text: str, expression: str) -> None:
    from croniter import croniter
    from croniter.croniter import CroniterError

    try:
        croniter(expression, datetime(2000, 1, 1)).get_next()
    except (CroniterError, ValueError) as error:
        raise ValueError(f"{text!r} is not a valid schedule: {error}") from None
