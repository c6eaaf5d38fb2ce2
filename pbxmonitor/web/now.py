"""What is going on now, as one JSON-able view of everybody: pure, from the floors and the day's numbers.

A view is sections of items by key. What has not changed since the last view is the very same object, so that telling
what is new costs next to nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from pbxmonitor.domain.alerting import Alert
from pbxmonitor.domain.roster import Roster
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.web.scene import Debt, Scene, Today
from pbxmonitor.web.tiles import Basis, agents_of, basis_of, queues_of, tile

View = Mapping[str, Mapping[str, Json]]
SECTIONS: Final = ("flags", "figures", "alerts", "tiles", "queues", "callbacks")


class Board:
    """Makes view after view."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Json]] = {section: {} for section in SECTIONS}
        self._made: dict[str, tuple[Basis, Json]] = {}
        self._debts: tuple[Today, Roster, datetime | None] | None = None

    def view(self, scene: Scene) -> View:
        """The whole view, of everybody, numbers whole; the figures are made for each viewer (now_seen)."""
        owing = _counts(debt.whose for debt in scene.today.debts)
        fresh: dict[str, Iterable[tuple[str, Json]]] = {
            "flags": _flags(scene),
            "figures": (),
            "alerts": ((name, _alert(name, alert)) for name, alert in scene.today.alerts),
            "tiles": self._tiles(scene, owing),
            "queues": (pair for floor in scene.floors for pair in queues_of(floor, scene)),
        }
        made = {section: kept(self._last[section], dict(pairs)) for section, pairs in fresh.items()}
        self._last = {**made, "callbacks": self._callbacks(scene)}
        return self._last

    def _callbacks(self, scene: Scene) -> dict[str, Json]:
        """The very same as before until the rows are read again or one falls due: there may be a thousand of them."""
        today, roster, until = self._debts or (None, None, None)
        if today is scene.today and roster is scene.roster and (until is None or scene.now <= until):
            return self._last["callbacks"]
        today = scene.today
        due = (debt.due_at for debt in today.debts if debt.due_at >= scene.now)
        self._debts = today, scene.roster, min(due, default=None)
        debts = ((f"{debt.node}/{debt.call}", _debt(debt, scene)) for debt in today.debts)
        return kept(self._last["callbacks"], dict(debts))

    def _tiles(self, scene: Scene, owing: Mapping[str | None, int]) -> Iterator[tuple[str, Json]]:
        there = agents_of(scene)
        for agent in scene.policy.employees:
            there.setdefault(agent, [])
        made: dict[str, tuple[Basis, Json]] = {}
        for key, places in there.items():
            basis = basis_of(scene, key, places, owing)
            known = self._made.get(key)
            same = known is not None and all(one is two or one == two for one, two in zip(known[0], basis, strict=True))
            made[key] = known if known is not None and same else (basis, tile(scene, key, *basis))
            yield key, made[key][1]
        self._made = made


def kept(before: Mapping[str, Json], now: Mapping[str, Json]) -> dict[str, Json]:
    """The items as they are now, each that is as it was being the same object."""
    found: dict[str, Json] = {}
    for key, item in now.items():
        known = before.get(key)
        found[key] = known if known is not None and (known is item or known == item) else item
    return found


def changed(before: View, now: View) -> dict[str, dict[str, Json | None]]:
    """By section what is new or other than before; None for what is gone. Items that are kept are the same objects."""
    patch: dict[str, dict[str, Json | None]] = {}
    for section, items in now.items():
        known = before[section]
        other: dict[str, Json | None] = {key: item for key, item in items.items() if known.get(key) is not item}
        other |= dict.fromkeys(known.keys() - items.keys())
        if other:
            patch[section] = other
    return patch


def _debt(debt: Debt, scene: Scene) -> Json:
    return {
        "key": f"{debt.node}/{debt.call}",
        "node": debt.node,
        "call": debt.call,
        "number": debt.number,
        "line": debt.line,
        "queue": debt.queue,
        "state": debt.state,
        "owner": debt.owner,
        "taken_by": debt.taken_by,
        "who": scene.roster.name_of(debt.whose),
        "opened_at": stamp(debt.opened_at),
        "due_at": stamp(debt.due_at),
        "overdue": debt.due_at < scene.now,
        "snoozed_until": stamp(debt.snoozed_until),
        "missed": debt.missed,
        "attempts": debt.attempts,
    }


def _alert(name: str, alert: Alert) -> Json:
    return {
        "key": name,
        "rule": alert.rule,
        "kind": alert.kind.value,
        "node": alert.node,
        "subject": alert.subject,
        "agent": alert.agent,
        "since": stamp(alert.since),
        "value": alert.value,
        "threshold": alert.threshold,
    }


def _flags(scene: Scene) -> Iterator[tuple[str, Json]]:
    """What the numbers beside them suffer from: links lost, PBXs not followed yet, rows not to be had, gaps."""
    followed = {floor.node for floor in scene.floors}
    for node in sorted({*scene.nodes, *followed}):
        if node in scene.lost:
            yield _flag("link_lost", node, scene.lost[node])
        elif node not in followed:
            yield _flag("not_followed", node, None)
    if scene.today.stale_since is not None:
        yield _flag("numbers_stale", "", scene.today.stale_since)
    for node, lost_at, restored_at, calls in scene.today.gaps:
        if restored_at is not None:
            yield _flag("gap" if calls is None else "gap_repaired", node, lost_at, restored_at, calls)


def _flag(
    kind: str, node: str, since: datetime | None, until: datetime | None = None, calls: int | None = None
) -> tuple[str, Json]:
    key = f"{kind}/{node}" + (f"/{stamp(since)}" if until is not None else "")
    span = {"since": stamp(since), "until": stamp(until)}
    return key, {"key": key, "kind": kind, "node": node or None, **span, "calls": calls}


def _counts(words: Iterable[str | None]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found
