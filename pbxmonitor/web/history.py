"""What became of one callback, from the first missed call on: calls, messages, tries, what people did, the end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.callback import State
from pbxmonitor.notify.wording import filters
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key, tried_at
from pbxmonitor.store.outbox import DeliveryState
from pbxmonitor.store.types import among
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.web.board import Card
from pbxmonitor.web.sight import Sight

_CALL, _D = schema.call.c, schema.delivery.c
# Messages that were needless in the end, or told with others in one, are left out.
_TOLD: Final = {
    DeliveryState.SENT.value: "sent",
    DeliveryState.WAITING.value: "owed",
    DeliveryState.FAILED.value: "failed",
    DeliveryState.EXPIRED.value: "failed",
}
# What people did stands in the audit: the end that they made of it is not told twice.
_BY_HAND: Final = frozenset({"mobile", "dismiss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the history; `call` is the call that it is about, where the viewer may open it."""

    at: datetime
    text: str
    call: Key | None = None


def history_of(connection: sa.Connection, card: Card, sight: Sight, zone: tzinfo, now: datetime) -> list[Event]:
    """Everything in the order it happened, up to `now`."""
    says = partial(tr, language=sight.language)
    told = [
        *_missed(connection, card, sight, says),
        *_messages(connection, card.case.key, sight, says),
        *_attempts(card, sight, says, filters(sight.language, zone)),
        *_late(card, says, now),
        *_deeds(card, sight, says),
        *_end(card, sight, says),
    ]
    return sorted(told, key=lambda event: event.at)


def _missed(connection: sa.Connection, card: Card, sight: Sight, says: Any) -> Iterator[Event]:
    node, keys = card.debt.node, card.debt.missed_calls
    wanted = sa.select(_CALL.key, _CALL.started_at, _CALL.queue)
    rows = connection.execute(wanted.where(_CALL.node == node, among(connection, _CALL.key, keys))).all()
    for row in sorted(rows, key=lambda row: (row.started_at, row.key)):
        first = "first" if row.key == keys[0] else "again"
        queue = says("web.history.queue", queue=row.queue) if row.queue else ""
        seen = sight.viewer.sees_all() or sight.sees(card.debt.owner)
        yield Event(
            at=row.started_at, text=says(f"web.history.{first}") + queue, call=(node, row.key) if seen else None
        )


def _messages(connection: sa.Connection, key: Key, sight: Sight, says: Any) -> Iterator[Event]:
    wanted = sa.select(_D.template, _D.recipient, _D.channel, _D.state, _D.created_at, _D.ended_at)
    mine = sa.and_(_D.node == key[0], _D.callback == key[1], _D.state.in_(_TOLD))
    for row in connection.execute(wanted.where(mine)).all():
        name = f"web.alerts.message.{row.template}"
        what = says(name) if name in catalogue(sight.language) else row.template
        how = _TOLD[row.state]
        to = sight.full_name(row.recipient) or row.channel
        yield Event(
            at=row.ended_at or row.created_at,
            text=says(f"web.history.message.{how}", what=what, to=to, channel=row.channel),
        )


def _attempts(card: Card, sight: Sight, says: Any, written: Mapping[str, Any]) -> Iterator[Event]:
    for each in card.debt.attempts:
        result = says("web.callbacks.voicemail") if each.voicemail else says(f"value.attempt.{each.result}")
        talked = f", {written['duration'](each.talk_s)}" if each.talk_s else ""
        text = says("web.history.attempt", who=sight.full_name(each.agent), result=result) + talked
        seen = sight.viewer.sees_all() or sight.sees(each.agent)
        yield Event(at=each.at, text=text, call=(card.debt.node, each.call) if seen else None)


def _late(card: Card, says: Any, now: datetime) -> Iterator[Event]:
    """The deadline, if nobody had tried by then."""
    debt = card.debt
    done = [tried_at(debt), debt.closed_at]
    if debt.due_at < min(each for each in (*done, now) if each is not None):
        yield Event(at=debt.due_at, text=says("web.history.late"))


def _deeds(card: Card, sight: Sight, says: Any) -> Iterator[Event]:
    for line in card.history:
        reason = f": {sight.text(line['reason'])}" if line.get("reason") else ""
        owner = f" → {sight.full_name(line['owner'])}" if line.get("owner") else ""
        who, what = sight.full_name(line["who"]) or line["who"], line["action"]
        yield Event(at=line["at"], text=f"{who}: {says(f'web.deed.{what}')}{reason}{owner}")


def _end(card: Card, sight: Sight, says: Any) -> Iterator[Event]:
    debt, by_hand = card.debt, {line["action"] for line in card.history} & _BY_HAND
    if debt.closed_at is None or (by_hand and debt.closed_by_call is None and debt.state is not State.EXPIRED):
        return
    state = says(f"value.callback.{debt.state}")
    who = f", {sight.full_name(debt.rescuer)}" if debt.rescuer else ""
    yield Event(at=debt.closed_at, text=says("web.history.end", state=state) + who)
