"""What is written about an alert, in the words and the language of whom it is written to."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pbxmonitor.domain.alerting import Said, What
from pbxmonitor.domain.alerts import OF_QUEUES, Kind, Rule
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.notify.wording import filters
from pbxmonitor.texts import catalogue, tr

_HOUR: Final = timedelta(hours=1)


def words_of(said: Said, rule: Rule, person: Person, roster: Roster, now: datetime) -> dict[str, Any]:
    """The words of the templates `alert` and `alert_resolved` (docs/channels.md), and `line` for a summary."""
    alert, language = said.alert, person.language
    base = "alert.away_in_peak" if rule.in_peak else f"alert.{alert.kind}"
    until = alert.ended_at or now
    lasted = max(until - alert.since, timedelta())
    span = {"since": alert.since, "until": until, **({"lasts": lasted} if alert.kind is Kind.LINK_LOST else {})}
    values = _spelled({**alert.words, **span}, person, roster, now)
    words = {
        "title": rule.title or tr(f"{base}.title", language=language),
        "who": _who(said, person, roster),
        "detail": _detail(said, base, language, values),
    }
    line = _line(said.what, language, {**values, **words})
    if said.what is What.RESOLVED:
        return {**words, "line": line, "at": until, "lasted": lasted}
    reminder = alert.reminders if said.what is What.REMINDER else 0
    return {**words, "line": line, "at": now, "since": alert.since, "reminder": reminder}


def _line(what: What, language: str, values: Mapping[str, Any]) -> str:
    """The same for a summary, in one line."""
    plain = "{title}: {who}. {detail}".format_map(values)
    return plain if what is What.FIRED else tr(f"alert.line.{what}", language=language, **values)


def summary_title(count: int, language: str) -> str:
    """The title of so many alerts in one message."""
    return tr("alert.summary.title", language=language, n=count)


def _who(said: Said, person: Person, roster: Roster) -> str:
    alert = said.alert
    if alert.kind in OF_QUEUES:
        return tr("alert.who.queue", language=person.language, name=alert.subject)
    if alert.kind is Kind.LINK_LOST:
        return tr("alert.who.node", language=person.language, name=alert.node)
    return roster.name_of(alert.agent) or tr("alert.who.nobody", language=person.language)


def _detail(said: Said, base: str, language: str, values: Mapping[str, Any]) -> str:
    """What is seen; of the end, what is seen now, where that says more than that it is over."""
    if said.what is What.RESOLVED:
        seen = said.sign is not None or said.alert.kind is Kind.LINK_LOST
        key = f"{base}.resolved"
        return tr(key, language=language, **values) if seen and key in catalogue(language) else ""
    key = f"{base}.detail_reason" if values.get("reason") else f"{base}.detail"
    return tr(key, language=language, **values)


def _spelled(values: Mapping[str, Any], person: Person, roster: Roster, now: datetime) -> dict[str, Any]:
    """Spans, shares and moments as people write them; counts and names as they are."""
    says = filters(person.language, roster.hours.zone)
    found: dict[str, Any] = {}
    for name, value in values.items():
        match value:
            case timedelta():
                found[name] = _span(value, person.language) or says["duration"](value)
            case datetime():
                found[name] = says["time"](value, now)
            case float():
                found[name] = says["percent"](value)
            case _:
                found[name] = value
    if "state" in found:
        found["state"] = tr(f"alert.state.{found['state']}", language=person.language)
    return found


def _span(span: timedelta, language: str) -> str:
    """Whole hours without their minutes."""
    if span < _HOUR or span % _HOUR:
        return ""
    return tr("alert.span.hours", language=language, hours=span // _HOUR)
