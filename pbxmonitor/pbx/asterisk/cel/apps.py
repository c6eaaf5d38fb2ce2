"""Applications that began without a word: CEL is silent where one Dial or Queue follows another, or is not asked for.

12 to 22 tell APP_START only when the name of the application changes, and for `apps` of cel.conf only. Later rows of
the channel show what it was in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.pbx.asterisk.cel.cast import Cast
from pbxmonitor.pbx.asterisk.cel.columns import CelRow
from pbxmonitor.pbx.asterisk.dialling import dialled, leads_to, timeout_of

UNKNOWN: Final = "?"
_FOLLOWED: Final = frozenset({"DIAL", "QUEUE", "BACKGROUND", "READ", "WAITEXTEN", "VOICEMAIL"})
_EARLY: Final = timedelta(milliseconds=300)
_WHOLE_SECONDS: Final = timedelta(milliseconds=1100)  # Queue looks at a clock of whole seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What a channel was last seen in, since when, the place of that row, and whether it was joined to somebody."""

    place: int
    at: datetime
    app: str = ""
    data: str = ""
    joined: bool = False


def with_hidden_starts(rows: Sequence[CelRow], cast: Cast) -> list[CelRow]:
    """The rows with an APP_START put in where a channel turns out to have begun an application untold."""
    return _with_queues(_with_shown(rows, cast), cast)


def _with_shown(rows: Sequence[CelRow], cast: Cast) -> list[CelRow]:
    """With those that a later row of the channel shows."""
    last: dict[str, _Shown] = {}
    found: dict[int, list[CelRow]] = {}
    for place, row in enumerate(rows):
        leg, app = cast.leg(row), row.app.upper()
        before = last.setdefault(leg, _Shown(place=place, at=row.at))
        if row.event == "APP_START":
            last[leg] = _Shown(place=place, at=row.at, app=app, data=row.data)
        elif app in _FOLLOWED and (app, row.data) != (before.app, before.data):
            begins = _begin(rows, cast, before, place)
            hidden = replace(row, event="APP_START", at=rows[begins].at, extra={})
            found.setdefault(begins, []).append(hidden)
            last[leg] = _Shown(place=begins, at=hidden.at, app=app, data=row.data)
        elif app in _FOLLOWED and row.event in ("BRIDGE_ENTER", "BRIDGE_EXIT"):
            last[leg] = replace(before, place=place, at=row.at, joined=True)
        if row.event == "APP_END":
            last[leg] = _Shown(place=place, at=row.at)
    return [each for place, row in enumerate(rows) for each in (*found.get(place, ()), row)]


def _with_queues(rows: Sequence[CelRow], cast: Cast) -> list[CelRow]:
    """With a Queue of no known name where one rang phones and no row shows it: nobody was reached in it."""
    inside: set[str] = set()
    told: list[CelRow] = []
    for row in rows:
        channel = cast.of(row)
        if row.event in ("APP_START", "APP_END", "HANGUP", "CHAN_END"):
            inside.discard(cast.leg(row))
        if row.event == "APP_START" and row.app.upper() == "QUEUE":
            inside.add(cast.leg(row))
        if row.event == "CHAN_START" and channel is not None and channel.by_queue and not inside:
            caller = cast.caller(channel)
            told.append(replace(caller.began, event="APP_START", at=row.at, app="Queue", data=UNKNOWN))
            inside.add(caller.leg)
        told.append(row)
    return told


def _begin(rows: Sequence[CelRow], cast: Cast, before: _Shown, place: int) -> int:
    """Where it began: at the first channel that it made, or when the one before ran out, else where it shows."""
    timeout = timeout_of(before.app, before.data) if not before.joined else None
    over = before.at + timeout if timeout is not None else None
    early = _WHOLE_SECONDS if before.app == "QUEUE" else _EARLY
    earliest = over - early if over is not None else before.at
    later = [at for at in range(before.place + 1, place) if rows[at].at >= earliest]
    made = [at for at in later if rows[at].event == "CHAN_START" and _made_by(rows[place], rows[at], cast)]
    silent = [at + 1 for at in later if over and rows[at].at <= over + _EARLY and _falls_silent(rows[at], cast)]
    overdue = [at for at in later if over is not None and rows[at].at >= over]
    return min((*made[:1], *silent[-1:], *overdue[:1]), default=place)


def _falls_silent(row: CelRow, cast: Cast) -> bool:
    channel = cast.of(row) if row.event == "HANGUP" else None
    return channel is not None and channel.placed and not channel.answered and not channel.left


def _made_by(row: CelRow, start: CelRow, cast: Cast) -> bool:
    channel = cast.of(start)
    if channel is None or not channel.placed:
        return False
    return (
        channel.by_queue
        if row.app.upper() == "QUEUE"
        else any(leads_to(each, channel.endpoint) for each in dialled(row.data))
    )
