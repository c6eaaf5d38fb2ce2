"""The audit as a viewer reads it: which lines an address asks for, and what they say in words or as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.masking import masked_text
from pbxmonitor.periods import moment
from pbxmonitor.store.audit import Line, Place, Wanted
from pbxmonitor.store.journal import Cursor
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.web.filtering import BadQuery, Query, cursor_of, cursor_text, is_plain
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site

NAMES: Final = ("who", "action", "day")
_TEXT: Final = "web.audit.action."
_FIRST_YEAR, _LAST_YEAR = 1980, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for, and `query`, which makes the same address again."""

    wanted: Wanted
    query: Query


def actions(language: str) -> list[tuple[str, str]]:
    """Every action that has a name, with it."""
    found = [(key.removeprefix(_TEXT), tr(key, language=language)) for key in catalogue(language) if _is_action(key)]
    return sorted(found, key=lambda each: each[1].lower())


def asked(query: Query, site: Site) -> Asked:
    """The lines that the address asks for; BadQuery."""
    for name in NAMES:
        if not is_plain(query.get(name, "")):
            raise BadQuery("web.filter.bad_text", name=name)
    given = {name: query[name].strip() for name in NAMES if query.get(name, "").strip()}
    time: dict[str, Any] = {}
    if "day" in given:
        try:
            begin = moment(given["day"], site.clock.now(), site.settings.zone)
            if begin.year not in range(_FIRST_YEAR, _LAST_YEAR):
                raise ValueError(given["day"])
            hours = site.policy.hours
            time["begin"], time["end"] = hours.day_span(hours.day_of(begin))
        except (ValueError, OverflowError):
            raise BadQuery("web.filter.bad_time") from None
    return Asked(wanted=Wanted(who=given.get("who"), action=given.get("action"), **time), query=given)


def place_of(text: str | None) -> Place | None:
    """The place that an address names; BadQuery for anything but what `place_text` gave."""
    found = cursor_of(text)
    return Place(at=found.started_at, id=found.key) if found is not None else None


def place_text(place: Place | None) -> str | None:
    """The place as an address has it."""
    return cursor_text(Cursor(started_at=place.at, node="", key=place.id)) if place is not None else None


def shown(line: Line, sight: Sight) -> Json:
    """A line in words: who, what, to what, with which details, numbers as the viewer may see them."""
    key = f"{_TEXT}{line.action}"
    known = key in catalogue(sight.language)
    details = {name: value for name, value in line.details.items() if value not in (None, "", {}, [])}
    return {
        "at": line.at,
        "who": sight.full_name(line.person) or line.who,
        "login": sight.text(line.who),
        "action": tr(key, language=sight.language) if known else line.action,
        "node": line.node,
        "subject": line.subject,
        "details": [(_name(name, sight.language), _value(value, sight)) for name, value in details.items()],
    }


def line_json(line: Line, sight: Sight) -> Json:
    """A line as answers have it."""
    return {
        "id": line.id,
        "at": stamp(line.at),
        "who": sight.text(line.who),
        "action": line.action,
        "node": line.node,
        "call": line.subject,
        "details": line.details if sight.viewer.whole_numbers else masked_values(line.details),
    }


def _is_action(key: str) -> bool:
    return key.startswith(_TEXT)


def _name(name: str, language: str) -> str:
    key = f"web.audit.detail.{name}"
    return tr(key, language=language) if key in catalogue(language) else name


def _value(value: Any, sight: Sight) -> str:
    match value:
        case bool():
            return tr("value.yes" if value else "value.no", language=sight.language)
        case Mapping():
            return ", ".join(f"{name} = {_value(each, sight)}" for name, each in value.items())
        case list():
            return ", ".join(_value(each, sight) for each in value)
    return sight.text(str(value))


def masked_values(value: Any) -> Any:
    """The value with every phone number in it masked."""
    match value:
        case str():
            return masked_text(value)
        case Mapping():
            return {name: masked_values(each) for name, each in value.items()}
        case list():
            return [masked_values(each) for each in value]
    return value
