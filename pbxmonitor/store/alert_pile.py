"""What people are owed about alerts: a message each, or one summary when it storms.

What is said of an alert takes the place of what was said of it and has not gone out: whoever was left alone for the
night reads in the morning how each trouble ended, in one message.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from pbxmonitor.store import outbox, schema
from pbxmonitor.store.notices import name_of, packed
from pbxmonitor.store.outbox import Delivery, DeliveryState, delivery_of
from pbxmonitor.store.types import among

_D: Final = schema.delivery.c
SUMMARY: Final = "summary"
TEMPLATES: Final = ("alert", "alert_resolved", SUMMARY)
# So many messages to one person within that time; more become one.
MOST: Final = 3
AT_ONCE: Final = timedelta(minutes=1)
# A summary shows so many lines, and says how many more there are.
LINES: Final = 20
# Where a delivery keeps, for each alert it speaks of, the alert's id and the line of a summary.
PARTS: Final = "parts"

Line = tuple[str, str]
Title = Callable[[int], str]


def lines_of(delivery: Delivery) -> list[Line]:
    """What it says: each alert's id and line."""
    return [(alert, line) for alert, line in delivery.values.get(PARTS, ())]


@dataclass(frozen=True, slots=True)
class Pile:
    """What one person is owed and nobody is sending yet, and how many things he was sent within the last minute."""

    waiting: Sequence[Delivery]
    gone: int


def owe(connection: sa.Connection, recipient: str, new: Sequence[Delivery], title: Title, now: datetime) -> int:
    """Owe one person those messages about one alert each, in the caller's transaction; how many rows are new."""
    cancelled, owed = settled(_pile(connection, recipient, now), new, title, now)
    if cancelled:
        over = {"state": DeliveryState.CANCELLED.value, "ended_at": now}
        mine = among(connection, _D.id, [each.id for each in cancelled])
        connection.execute(sa.update(schema.delivery).where(mine).values(**over))
    outbox.put(connection, owed)
    return len(owed)


def _pile(connection: sa.Connection, recipient: str, now: datetime) -> Pile:
    """That person's; what waits is held until the transaction ends, so that nobody takes it meanwhile."""
    mine = sa.and_(_D.recipient == recipient, _D.template.in_(TEMPLATES))
    fresh = sa.or_(_D.expires_at.is_(None), _D.expires_at > now)
    free = sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now)
    still = sa.and_(_D.state == DeliveryState.WAITING, mine, fresh, free)
    wanted = sa.select(schema.delivery).where(still).order_by(_D.created_at, _D.id)
    waiting = [delivery_of(row) for row in connection.execute(wanted.with_for_update(skip_locked=True)).all()]
    went = (DeliveryState.WAITING, DeliveryState.SENT, DeliveryState.FAILED)
    lately = sa.and_(_D.state.in_(went), _D.due_at > now - AT_ONCE, _D.due_at <= now, mine)
    rows = connection.execute(sa.select(_D.id, _D.template).where(lately)).all()
    held = {each.id for each in waiting}
    return Pile(waiting, sum(MOST if row.template == SUMMARY else 1 for row in rows if row.id not in held))


def settled(pile: Pile, new: Sequence[Delivery], title: Title, now: datetime) -> tuple[list[Delivery], list[Delivery]]:
    """Which of the waiting ones are needless now, and what is owed beside the others."""
    said = {alert for each in new for alert, _ in lines_of(each)}
    cancelled: list[Delivery] = []
    owed: list[Delivery] = []
    left = list(pile.waiting)
    for group in _groups(new):
        near = [each for each in left if _alike(each, group[0])]
        gone = pile.gone if group[0].due_at <= now else 0
        if gone + sum(len(_kept(each, said)) for each in near) + len(group) > MOST:
            left = [each for each in left if each not in near]
            cancelled += near
            owed.append(_summary(near, group, said, title, _due(near, group, gone, now), now))
        else:
            owed += group
    stale = [each for each in left if len(_kept(each, said)) < len(lines_of(each))]
    shorter = [_summary([each], [], said, title, each.due_at, now) for each in stale if _kept(each, said)]
    return cancelled + stale, owed + shorter


def _groups(new: Iterable[Delivery]) -> list[list[Delivery]]:
    """Those that go the same way at the same time, together."""
    groups: list[list[Delivery]] = []
    for each in new:
        group = next((group for group in groups if _alike(group[0], each)), None)
        if group is None:
            groups.append([each])
        else:
            group.append(each)
    return groups


def _alike(one: Delivery, other: Delivery) -> bool:
    ways = [list(each.values.get("channels", ())) for each in (one, other)]
    return ways[0] == ways[1] and abs(one.due_at - other.due_at) <= AT_ONCE


def _kept(delivery: Delivery, said: set[str]) -> list[Line]:
    """What of it still stands."""
    return [(alert, line) for alert, line in lines_of(delivery) if alert not in said]


def _due(near: Sequence[Delivery], group: Sequence[Delivery], gone: int, now: datetime) -> datetime:
    """At once; but when some have gone out already, in a minute, with whatever comes until then."""
    planned = [each.due_at for each in near if each.template == SUMMARY]
    if planned:
        return min(planned)
    return now + AT_ONCE if gone else group[0].due_at


def _summary(
    near: Sequence[Delivery], group: Sequence[Delivery], said: set[str], title: Title, due_at: datetime, now: datetime
) -> Delivery:
    """One delivery in place of those."""
    first = (*group, *near)[0]
    lines = [line for each in near for line in _kept(each, said)] + [line for each in group for line in lines_of(each)]
    words = {
        "title": title(len(lines)),
        "lines": [line for _, line in lines[:LINES]],
        "more": max(len(lines) - LINES, 0),
        "at": now,
        "channels": first.values.get("channels", ()),
        PARTS: lines,
    }
    return replace(
        first,
        id=name_of(SUMMARY, first.recipient, now.isoformat(), due_at.isoformat(), *(alert for alert, _ in lines)),
        template=SUMMARY,
        due_at=due_at,
        created_at=now,
        attempts=0,
        values=packed(words),
        expires_at=max((each.expires_at for each in (*group, *near) if each.expires_at is not None), default=None),
    )
