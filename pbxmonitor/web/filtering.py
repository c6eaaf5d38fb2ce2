"""Which calls and which time an address asks for: the query string and the journal's filter, both ways."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

from pbxmonitor import periods
from pbxmonitor.domain.call import Direction, StageKind
from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.judge import Cause
from pbxmonitor.periods import Stretch
from pbxmonitor.settings import Settings
from pbxmonitor.store.filters import Filter, full_number
from pbxmonitor.store.journal import Cursor
from pbxmonitor.texts import tr
from pbxmonitor.web.rendering import address

Query = Mapping[str, str]
TIME: Final = ("period", "from", "to", "node")
WORDS: Final[Mapping[str, type[StrEnum]]] = {"colour": Colour, "cause": Cause, "direction": Direction}
TEXTS: Final = ("agent", "queue", "line", "number", "stage")
LENGTHS: Final = ("min_talk", "max_talk", "min_wait", "max_wait")
FLAGS: Final = ("short_hangups", "transferred", "lost", "missed_control")
NAMES: Final = (*TIME, *WORDS, *TEXTS, *LENGTHS, *FLAGS)
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST, _MOST_SECONDS = 160, 1e9
# Moments that every database and every time zone can hold.
_YEARS: Final = range(1980, 2200)


class BadQuery(ValueError):  # noqa: N818
    """The address asks for what cannot be had; `text` says in one line what is allowed."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values

    def text(self, language: str) -> str:
        return tr(self.key, language=language, **self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for: the time, the calls, and `query`, which makes the same address again."""

    stretch: Stretch
    wanted: Filter
    query: Query

    def link(self, **changes: object) -> str:
        """The query string with those changes; None takes a part away."""
        return link(self.query, **changes)


def given(query: Query) -> dict[str, str]:
    """The parts that say something; BadQuery for one that no database takes."""
    for name in NAMES:
        if not is_plain(query.get(name, "")):
            raise BadQuery("web.filter.bad_text", name=name)
    return {name: query[name].strip() for name in NAMES if query.get(name, "").strip()}


def link(query: Query, **changes: object) -> str:
    """A query string of those parts, changed; the flags of Python count as 1 and nothing."""
    changed = {**query, **{name.rstrip("_"): value for name, value in changes.items()}}
    parts = {name: 1 if value is True else value for name, value in changed.items()}
    return urlencode({name: value for name, value in parts.items() if value not in (None, "", False)})


def tidied(request: Request, path: str) -> RedirectResponse | None:
    """Where a form with empty fields leads: the same page without them, so that its address can be passed on."""
    if all(request.query_params.values()):
        return None
    return RedirectResponse(f"{address(request, path)}?{link(request.query_params)}".rstrip("?"), 303)


def asked(query: Query, settings: Settings, now: datetime, *, whole_numbers: bool = True) -> Asked:
    """What the address asks for; BadQuery in one line. Who sees masked numbers finds a client by his whole number."""
    parts = given(query)
    stretch = stretch_of(parts, settings, now)
    number = parts.get("number")
    if number is not None and not whole_numbers and full_number(number, settings.region) is None:
        raise BadQuery("web.filter.whole_number")
    wanted = Filter(
        begin=stretch.begin, end=stretch.end, node=parts.get("node"), region=settings.region, **_choice(parts)
    )
    _known_stage(wanted.stage)
    return Asked(stretch=stretch, wanted=wanted, query=parts)


def _choice(parts: Query) -> dict[str, Any]:
    texts = {name: parts[name] for name in TEXTS if name in parts}
    lengths = {f"{name}_s": _seconds(name, parts[name]) for name in LENGTHS if name in parts}
    flags = {name: _flag(name, parts[name]) for name in FLAGS if name in parts}
    return {**_words(parts), **texts, **lengths, **flags}


def stretch_of(parts: Query, settings: Settings, now: datetime) -> Stretch:
    """The time asked for: dates before a named period, today when nothing is said. BadQuery."""
    zone = settings.zone
    try:
        if "from" not in parts and "to" not in parts:
            return periods.named(parts.get("period", "today"), now, zone)
        last = parts.get("to", "today")
        begin, end = periods.moment(parts.get("from", last), now, zone), periods.moment(last, now, zone, ending=True)
        if begin.year not in _YEARS or end.year not in _YEARS:
            raise BadQuery("web.filter.bad_time")
        if begin >= end:
            raise BadQuery("web.filter.backwards")
        return periods.between(begin, end, zone)
    except BadQuery:
        raise
    except (ValueError, OverflowError):
        raise BadQuery("web.filter.bad_time") from None


def _words(parts: Query) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in WORDS.items():
        if name in parts:
            try:
                found[name] = kind(parts[name])
            except ValueError:
                raise BadQuery("web.filter.bad_word", name=name, allowed=", ".join(kind)) from None
    return found


def _known_stage(stage: str | None) -> None:
    if stage is not None and stage.partition(":")[0] not in set(StageKind):
        raise BadQuery("web.filter.bad_word", name="stage", allowed=", ".join(StageKind))


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value <= _MOST_SECONDS:
        raise BadQuery("web.filter.bad_seconds", name=name)
    return value


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise BadQuery("web.filter.bad_word", name=name, allowed="1, 0")
    return text.lower() in _YES


def is_plain(text: str) -> bool:
    """Whether that can stand in a database at all: names and keys are short, and without control characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return len(text) <= _LONGEST and _CONTROL.search(text) is None


def cursor_text(cursor: Cursor | None) -> str | None:
    """The place after that call, as an address has it."""
    if cursor is None:
        return None
    told = json.dumps([cursor.started_at.isoformat(), cursor.node, cursor.key], ensure_ascii=False)
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def cursor_of(text: str | None) -> Cursor | None:
    """That place again; BadQuery for anything but what `cursor_text` gave."""
    if not text:
        return None
    try:
        at, node, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
        started_at = datetime.fromisoformat(at)
        safe = all(isinstance(each, str) and is_plain(each) for each in (node, key))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise BadQuery("web.filter.bad_cursor") from None
    if not safe or started_at.tzinfo is None or started_at.year not in _YEARS:
        raise BadQuery("web.filter.bad_cursor")
    return Cursor(started_at=started_at, node=node, key=key)
