"""Moments as people name them: `today`, `yesterday`, `2026-11-23`, `2026-11-23T09:00`, in the site's time zone."""

from datetime import date, datetime, time, timedelta, tzinfo

FORMS = "today, yesterday, now, a date such as 2026-11-23, or a moment such as 2026-11-23T09:00"


def period(begin: str, end: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """From the beginning of `begin` up to the end of `end` (a day is whole), aware; ValueError in one line."""
    first, last = moment(begin, now, zone), moment(end, now, zone, ending=True)
    if first >= last:
        raise ValueError(f"--from {begin} must be before --to {end}")
    return first, last


def moment(text: str, now: datetime, zone: tzinfo, *, ending: bool = False) -> datetime:
    """The moment named; a day stands for its first moment, or, when `ending`, for the next day's."""
    said = text.strip().lower()
    if said == "now":
        return now.astimezone(zone)
    today = now.astimezone(zone).date()
    day = {"today": today, "yesterday": today - timedelta(days=1)}.get(said) or _day(said)
    if day is not None:
        return datetime.combine(day + timedelta(days=ending), time.min, zone)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a time: give {FORMS}") from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-23") else None
    except ValueError:
        return None
