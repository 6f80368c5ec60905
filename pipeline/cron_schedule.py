"""Cron expressions of schedules: one form, converted to what each target expects.

The form is ``[TZ=ZONE ]MINUTE HOUR DAY MONTH WEEKDAY``, that of Vertex AI, without anything that
implementations of cron read differently.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

FORM = "[TZ=ZONE ]MINUTE HOUR DAY MONTH WEEKDAY, such as '0 3 * * 1' for Mondays at 3:00 UTC"

# Without the extensions of single implementations: L, W, #, ?, H, 5/10, @daily.
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    words: str = ""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"),
    _Field("day of the week", 0, 6, "SUN MON TUE WED THU FRI SAT"),
)


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

    @property
    def with_zone(self) -> str:
        """The expression with its time zone, if it has one, as Vertex AI reads it.

        >>> parse_cron("TZ=Europe/Zurich  0 3 * * 1").with_zone
        'TZ=Europe/Zurich 0 3 * * 1'
        """
        return f"TZ={self.zone} {self.expression}" if self.zone else self.expression

    def next_times(self, now: datetime) -> list[datetime]:
        """Computes the next three times after ``now``, in the schedule's zone."""
        from croniter import croniter

        zone: tzinfo = ZoneInfo(self.zone) if self.zone else timezone.utc
        times = croniter(self.expression, now.astimezone(zone))
        return [times.get_next(datetime) for _ in range(3)]


def parse_cron(text: str) -> CronSchedule:
    """Parses a cron expression.

    Raises:
        ValueError: it does not have the form ``FORM``; the message says what is wrong.
    """
    zone, fields = None, text.split()
    if fields and "=" in fields[0]:
        key, _, zone = fields.pop(0).partition("=")
        if key not in ("TZ", "CRON_TZ"):
            raise ValueError(f"{text!r}: {key}= is not a time zone; write TZ={zone}: {FORM}")
        _check_zone(zone)
    if len(fields) == 6:
        raise ValueError(f"{text!r} has six fields; remove the first one, the seconds: {FORM}")
    if len(fields) != 5:
        raise ValueError(f"{text!r} does not have five fields: {FORM}")
    for field, kind in zip(fields, _FIELDS, strict=True):
        items = field.split(",")
        if len(items) > 1 and any(item.startswith("*") for item in items):
            raise ValueError(f"{text!r}: {field!r} lists '*'; write '*' alone, or the values")
        for item in items:
            _check_item(text, item, kind)
    _check_days(text, fields[2], fields[4])
    expression = " ".join(fields)
    _check_dates(text, expression)
    return CronSchedule(expression, zone)


def _check_zone(zone: str) -> None:
    # These two are files beside the zones, which are not the same on other machines.
    if zone not in available_timezones() - {"localtime", "Factory"}:
        raise ValueError(f"{zone!r} is not a time zone, such as Europe/Zurich")


def _check_item(text: str, item: str, kind: _Field) -> None:
    parts = _ITEM.fullmatch(item)
    if parts is None or (parts["step"] and not (parts["all"] or parts["last"])):
        raise ValueError(f"{text!r}: {item!r} is not supported by every target: {FORM}")
    bounds = [_value(text, word, kind) for word in (parts["first"], parts["last"]) if word]
    low, high = bounds if len(bounds) == 2 else (kind.low, kind.high)
    if low >= high:
        raise ValueError(
            f"{text!r}: {item!r} does not go from a lower to a higher value of the {kind.name}; "
            "write two ranges, or the value alone"
        )
    if parts["step"] and not 1 <= int(parts["step"]) <= high - low:
        raise ValueError(
            f"{text!r}: the step of {item!r} must be 1 to {high - low} for the {kind.name}"
        )


def _value(text: str, word: str, kind: _Field) -> int:
    words = kind.words.split()
    if word.upper() in words:
        return kind.low + words.index(word.upper())
    if not word.isascii() or not word.isdigit():
        raise ValueError(f"{text!r}: {word!r} is not supported by every target: {FORM}")
    if kind.name == "day of the week" and int(word) == 7:
        raise ValueError(f"{text!r}: the day of the week is 0 (Sunday) to 6; write 0 for Sunday")
    if not kind.low <= int(word) <= kind.high:
        raise ValueError(
            f"{text!r} is not a valid schedule: the {kind.name} is {kind.low} to {kind.high}, "
            f"got {word}"
        )
    return int(word)


def _check_days(text: str, *days: str) -> None:
    """Rejects what some implementations read as "either day" and others as "both"."""
    limited = [day for day in days if day != "*"]
    if len(limited) == 2 and any(day.startswith("*") for day in limited):
        raise ValueError(
            f"{text!r} limits the day of the month and that of the week, one of them by a step; "
            "targets read this differently; write '*' for one of them"
        )


def _check_dates(text: str, expression: str) -> None:
    from croniter import croniter
    from croniter.croniter import CroniterError

    try:
        croniter(expression, datetime(2000, 1, 1)).get_next()
    except (CroniterError, ValueError) as error:
        raise ValueError(f"{text!r} is not a valid schedule: {error}") from None
