"""How values are written in messages: phones, times of day, spans, shares, counted things."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from html import escape
from typing import Any, Final

import phonenumbers
from markupsafe import Markup

from pbxmonitor.texts import tr

# Stand around what is bold until the text is known to be plain or HTML; in values they are dropped.
BOLD: Final = "\ue000"
PLAIN: Final = "\ue001"
_MARKS: Final = str.maketrans("", "", BOLD + PLAIN)
_MOMENT: Final = {"ru": "%d.%m %H:%M", "en": "%d %b %H:%M"}
_DAY: Final = {"ru": "%d.%m.%Y", "en": "%d %b %Y"}
_SHARE: Final = {"ru": "{:.0f} %", "en": "{:.0f}%"}
Filters = Mapping[str, Callable[..., Any]]


def filters(language: str, zone: tzinfo) -> Filters:
    """What a template may write after a bar: `client | phone`, `due | time(at)`, `took | duration`…"""
    says = _Says(language, zone)
    return {
        "phone": says.phone,
        "time": says.time,
        "day": says.day,
        "duration": says.duration,
        "percent": says.percent,
        "count": says.count,
    }


class Marked(str):
    """A text in which the marks are ours."""

    __slots__ = ()


def marked_bold(value: object) -> Marked:
    """The value between the marks of bold text."""
    return Marked(f"{BOLD}{str(value).translate(_MARKS)}{PLAIN}")


def html_bold(value: object) -> Markup:
    """The value in bold, for a template that is HTML already."""
    return Markup("<b>{}</b>").format(value)


def unmarked(text: str) -> str:
    """The marked text as plain text."""
    return text.translate(_MARKS)


def as_html(text: str) -> str:
    """The marked text as paragraphs of HTML."""
    body = escape(text, quote=False).replace(BOLD, "<b>").replace(PLAIN, "</b>")
    paragraphs = (part.strip() for part in body.split("\n\n"))
    return "\n".join("<p>" + part.replace("\n", "<br>\n") + "</p>" for part in paragraphs if part)


class _Says:
    """One language, one time zone."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self._language = language
        self._zone = zone

    def phone(self, number: str | None) -> str:
        """+7 812 111-22-33; an extension or an unreadable number as it is."""
        if not number:
            return tr("value.withheld", language=self._language)
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return number
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    def time(self, moment: datetime, seen_from: datetime | None = None) -> str:
        """The time of day at the site; the date with it where that is not the day of the other moment."""
        local = moment.astimezone(self._zone)
        other = seen_from.astimezone(self._zone) if seen_from is not None else local
        return f"{local:%H:%M}" if local.date() == other.date() else local.strftime(_MOMENT[self._language])

    def day(self, day: date) -> str:
        """The date; of a moment, the date at the site."""
        local = day.astimezone(self._zone) if isinstance(day, datetime) else day
        return local.strftime(_DAY[self._language])

    def duration(self, span: timedelta | float) -> str:
        """A span, or seconds, in the two greatest units: 45 s, 7 min, 2 h 5 min, 3 d 4 h."""
        seconds = max(round(span.total_seconds() if isinstance(span, timedelta) else span), 0)
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        if seconds < 60:
            return tr("message.duration.seconds", language=self._language, seconds=seconds)
        if minutes < 60:
            return tr("message.duration.minutes", language=self._language, minutes=minutes)
        if hours < 24:
            return tr("message.duration.hours", language=self._language, hours=hours, minutes=minutes % 60)
        return tr("message.duration.days", language=self._language, days=days, hours=hours % 24)

    def percent(self, share: float | None) -> str:
        """A share of 0..1 in whole per cent."""
        if share is None:
            return tr("value.no_data", language=self._language)
        return _SHARE[self._language].format(share * 100)

    def count(self, number: int, things: str) -> str:
        """The number with what is counted in its right form: `calls | count('missed')`."""
        return tr(f"message.count.{things}", language=self._language, n=number)


def spoken(language: str, zone: tzinfo) -> Callable[[object], object]:
    """How a value is written that no filter was given for."""
    says = _Says(language, zone)

    def final(value: object) -> object:
        match value:
            case None:
                return ""
            case datetime():
                return says.time(value)
            case date():
                return says.day(value)
            case timedelta():
                return says.duration(value)
            case Markup() | Marked():
                return value
            case str():
                return value.translate(_MARKS)
        return value

    return final
