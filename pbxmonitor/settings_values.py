"""Values as people write them in the settings: `10 min`, `12 %`, `09:00-20:00`, `Europe/Moscow`."""

import os
import re
from datetime import time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

UNITS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
UNITS |= {"second": 1, "minute": 60, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "w": 604800}
PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)
SPAN = re.compile(r"^\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*$")
LONGEST = timedelta(days=3660)


class Table(BaseModel):
    """A table of the settings: unknown keys are errors, values never change, values stay out of error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def duration(value: object) -> timedelta:
    """Seconds as a number, or text such as `10 min`, `1h 30m`, `7 d`; not negative, at most ten years."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and value.strip():
        seconds = _spoken(value.strip().lower())
    else:
        raise ValueError('must be seconds, or text such as "10 min" or "7 d"')
    if not 0 <= seconds <= LONGEST.total_seconds():
        raise ValueError("must be a duration from 0 seconds to 10 years")
    return timedelta(seconds=seconds)


def _spoken(text: str) -> float:
    total, position = 0.0, 0
    while position < len(text):
        part = PART.match(text, position)
        if part is None or (part[2] or "s") not in UNITS:
            raise ValueError('must be seconds, or text such as "10 min" or "7 d"')
        total, position = total + float(part[1]) * UNITS[part[2] or "s"], part.end()
    return total


def share(value: object) -> float:
    """A part of the whole, 0..1: a number such as 0.12, or text such as `12 %`."""
    text = str(value).strip()
    try:
        part = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        part = -1.0
    if isinstance(value, bool) or not 0 <= part <= 1:
        raise ValueError('must be a share from 0 to 1, such as 0.12 or "12 %"')
    return part


def working_day(value: object) -> tuple[tuple[time, time], ...]:
    """The spans of a working day, ordered, not overlapping: `09:00-13:00, 14:00-20:00`; empty text = closed."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    if not isinstance(text, str):
        raise ValueError('must be working hours such as "09:00-20:00" or "09:00-13:00, 14:00-20:00"')
    spans = tuple(_span(part) for part in text.split(",") if part.strip())
    edges = [edge for span in spans for edge in span]
    if edges != sorted(set(edges)):
        raise ValueError('must be spans in order, each ending after it begins, such as "09:00-13:00, 14:00-20:00"')
    return spans


def _span(text: str) -> tuple[time, time]:
    found = SPAN.match(text)
    if found is None:
        raise ValueError('must be working hours such as "09:00-20:00"')
    hour, minute, end_hour, end_minute = map(int, found.groups())
    try:
        end = time.max if (end_hour, end_minute) == (24, 0) else time(end_hour, end_minute)
        return time(hour, minute), end
    except ValueError:
        raise ValueError("must be times of day from 00:00 to 24:00") from None


def whole_hours(spans: tuple[tuple[time, time], ...]) -> tuple[tuple[time, time], ...]:
    """Spans that begin and end on the hour."""
    if any(edge.minute for span in spans for edge in span if edge != time.max):
        raise ValueError('must be whole hours such as "10:00-13:00, 17:00-20:00"')
    return spans


def zone_name(value: str) -> str:
    """The name of an IANA time zone that this machine knows."""
    if value not in _zones():
        raise ValueError("must be an IANA time zone such as Europe/Moscow")
    return value


def system_zone(root: Path = Path("/")) -> str:
    """The machine's time zone: $TZ, /etc/timezone, the /etc/localtime link; UTC when none of them names one."""
    candidates = [os.environ.get("TZ", "").removeprefix(":"), _first_line(root / "etc/timezone")]
    link = root / "etc/localtime"
    if link.is_symlink():
        candidates.append(str(link.readlink()).partition("zoneinfo/")[2])
    return next((name for name in candidates if name and name in _zones()), "UTC")


@cache
def _zones() -> frozenset[str]:
    """Listing them reads a folder of hundreds of files: 4 ms, once a process."""
    return frozenset(available_timezones())


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip().partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return ""


def matching(pattern: str, allowed: str) -> AfterValidator:
    """A check that the whole text has that form; `allowed` says it in words."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"must be {allowed}")
        return value

    return AfterValidator(check)


def plain_host(value: str) -> str:
    """A host name or an address, without a scheme, a port or spaces."""
    if not value or "/" in value or any(character.isspace() for character in value):
        raise ValueError("must be a host name or an address, such as 127.0.0.1")
    return value


def spread_days(value: Any) -> Any:
    """Working hours accept `mon-fri = "…"` for several days at once."""
    if not isinstance(value, dict):
        return value
    spread: dict[str, Any] = {}
    for key, hours in value.items():
        for day in _days(str(key)):
            if day in spread:
                raise ValueError(f"gives {day} twice")
            spread[day] = hours
    return spread


def _days(key: str) -> list[str]:
    first, dash, last = key.partition("-")
    if not dash or first not in DAYS or last not in DAYS or DAYS.index(first) > DAYS.index(last):
        return [key]
    return list(DAYS[DAYS.index(first) : DAYS.index(last) + 1])


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Seconds = Annotated[timedelta, BeforeValidator(duration)]
Share = Annotated[float, BeforeValidator(share)]
Spans = Annotated[tuple[tuple[time, time], ...], BeforeValidator(working_day)]
Zone = Annotated[str, AfterValidator(zone_name)]
Host = Annotated[str, AfterValidator(plain_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
NodeName = Annotated[str, matching("[a-z0-9][a-z0-9_-]{0,31}", "a short name of a-z, 0-9, - and _")]
AppName = Annotated[str, matching("[A-Za-z0-9_.-]+", "a name of letters, digits, ., - and _")]
Region = Annotated[str, matching("[A-Z]{2}", "a country's two capital letters, such as RU")]
