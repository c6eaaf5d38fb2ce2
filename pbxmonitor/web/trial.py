"""What other thresholds would change: the last days judged again by them, and nothing written."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from fastapi import FastAPI

from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.settings_values import duration
from pbxmonitor.store.covered import Scope, count_of
from pbxmonitor.store.outcome import Move, Outcome
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.types import reading
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.web.setting_texts import span
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site

# What judging looks at; the goals of the reports change no call.
THRESHOLDS: Final = (
    *("min_ring", "short_abandon", "short_hangup", "dropped_within"),
    *("callback_norm", "callback_keep", "min_attempt_ring", "min_reached_talk"),
)
LONGEST: Final = timedelta(days=90)
DAYS: Final = (1, 3, 7)
MOST_CALLS: Final = 20_000
_MOVES: Final = 40


class CannotTry(Exception):  # noqa: N818
    """It is not tried; `key` and `values` are of a text for who asked."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values

    def text(self, language: str) -> str:
        return tr(self.key, language=language, **self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Old against new since the beginning of that day of the site, by the policy with those changes."""

    since: date
    outcome: Outcome
    changes: Mapping[str, timedelta] = field(default_factory=dict)


def changes_of(policy: Policy, said: Mapping[str, str]) -> dict[str, timedelta]:
    """The thresholds that differ from those that hold; CannotTry for what is no span of time."""
    found: dict[str, timedelta] = {}
    for name in THRESHOLDS:
        text = said.get(name, "").strip()
        if not text:
            continue
        try:
            value = duration(float(text) if text.replace(".", "", 1).isdecimal() else text)
        except ValueError:
            raise CannotTry("web.policy.cannot.span", name=name) from None
        if value > LONGEST:
            raise CannotTry("web.policy.cannot.span", name=name)
        if value != getattr(policy, name):
            found[name] = value
    return found


async def tried(
    site: Site, changes: Mapping[str, timedelta], days: int, turn: asyncio.Lock, most: int = MOST_CALLS
) -> Tried:
    """Judge the last days again with those thresholds; CannotTry when it is too much."""
    return replace(await judged(site, _with(site.policy, changes), days, turn, most), changes=changes)


async def judged(site: Site, policy: Policy, days: int, turn: asyncio.Lock, most: int = MOST_CALLS) -> Tried:
    """Judge the last days by that policy, one such question at a time; CannotTry when it is too much."""
    hours, now = site.policy.hours, site.clock.now()
    since = hours.day_of(now) - timedelta(days=days - 1)
    begin = hours.day_span(since)[0]
    if turn.locked():
        raise CannotTry("web.policy.cannot.busy")
    async with turn:
        calls = await reading(site.database, lambda c: count_of(c, Scope(begin=begin, policy=policy)))
        if calls > most:
            raise CannotTry("web.policy.cannot.many", calls=calls, most=most)
        outcome = await recompute(site.database, policy, begin=begin, dry_run=True)
    return Tried(since=since, outcome=outcome)


# Judging thousands of calls is heavy: one at a time in each application.
_TURNS: Final[WeakKeyDictionary[FastAPI, asyncio.Lock]] = WeakKeyDictionary()


def turn_of(app: FastAPI) -> asyncio.Lock:
    """Whose turn it is to judge at that application."""
    return _TURNS.setdefault(app, asyncio.Lock())


def _with(policy: Policy, changes: Mapping[str, timedelta]) -> Policy:
    given: dict[str, Any] = dict(changes)
    return replace(policy, **given)


def toml(changes: Mapping[str, timedelta]) -> str:
    """What is to be written into the settings file for the changes to hold."""
    return "\n".join(["[policy]", *(f'{name} = "{span(value)}"' for name, value in changes.items())])


def moves(outcome: Outcome, sight: Sight) -> list[Json]:
    """The most frequent changes in words."""
    return [_move(each, sight) for each in outcome.moves[:_MOVES]]


def _move(move: Move, sight: Sight) -> Json:
    return {
        "what": tr(f"value.field.{move.field}", language=sight.language),
        "agent": sight.name(move.agent),
        "before": _word(move.field, move.old, sight.language),
        "after": _word(move.field, move.new, sight.language),
        "calls": move.count,
    }


def _word(field: str, value: Any, language: str) -> str:
    """As people say it; yes, no, or nothing."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return tr("value.yes" if value else "value.no", language=language)
    key = f"value.{field}.{value}"
    return tr(key, language=language) if key in catalogue(language) else str(value)
