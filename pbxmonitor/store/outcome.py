"""What judging again changed, or would: old against new."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.store.rejudge import Change, Revision
from pbxmonitor.store.resettle import Resettled

# How many changed calls are listed one by one.
LISTED: Final = 1_000
TOTALS: Final = ("lost", "missed", "short_hangups", *(colour.value for colour in Colour), "callbacks")
_MOVED: Final = ("disposition", "lost", "cause", "colour", "short_hangup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """`count` times `field` (of that agent, for what agents have) was `old` and is `new` now."""

    field: str
    agent: str | None
    old: Any
    new: Any
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCall:
    """One call whose rows changed; by field old and new, what agents have as `verdict:101`."""

    node: str
    call: str
    started_at: datetime
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Old against new. `calls` were looked at; `totals` are (before, after) by the words of `TOTALS`.

    `lost` and the colours count calls, `missed` and `short_hangups` agents' verdicts, `callbacks` those that the calls
    opened. `moves` are the most frequent first, `listed` the first changed calls in the order of time.
    """

    calls: int
    changed: int
    callbacks_changed: int
    totals: Mapping[str, tuple[int, int]]
    moves: tuple[Move, ...]
    listed: tuple[ChangedCall, ...]


class Tally:
    """An Outcome in the making; each call is told once."""

    def __init__(self) -> None:
        self._calls = 0
        self._changed = 0
        self._callbacks_changed = 0
        self._before: Counter[str] = Counter()
        self._after: Counter[str] = Counter()
        self._moves: Counter[tuple[str, str | None, Any, Any]] = Counter()
        self._listed: list[ChangedCall] = []

    def calls(self, told: Iterable[Revision], *, again: bool = False) -> None:
        """Calls; of those told `again` only what changes counts."""
        for each in told:
            if not again:
                self._calls += 1
                self._count(each)
            self._note(each)

    def callbacks(self, found: Resettled, *, again: bool = False) -> None:
        """The callbacks of some clients."""
        opened = {each.of.key for each in found.calls}
        if not again:
            self._before["callbacks"] += len(opened & found.before.keys())
            self._after["callbacks"] += len(opened & found.after.keys())
        self._callbacks_changed += len(found.changed) + len(found.gone)
        for key in found.before.keys() | found.after.keys():
            was, now = (found.before.get(key), found.after.get(key))
            if was is None or now is None or was.state is not now.state:
                self._moves["callback", None, was and was.state, now and now.state] += 1

    def outcome(self) -> Outcome:
        """All that was told."""
        moves = (Move(field=f, agent=a, old=o, new=n, count=count) for (f, a, o, n), count in self._moves.items())
        return Outcome(
            calls=self._calls,
            changed=self._changed,
            callbacks_changed=self._callbacks_changed,
            totals={name: (self._before[name], self._after[name]) for name in TOTALS},
            moves=tuple(sorted(moves, key=lambda m: (-m.count, m.field, str(m.agent), str(m.old), str(m.new)))),
            listed=tuple(sorted(self._listed, key=_place)[:LISTED]),
        )

    def _count(self, each: Revision) -> None:
        lost, colour = (each.changes.get(name, (getattr(each.of.row, name),) * 2) for name in ("lost", "colour"))
        for place, counts in ((0, self._before), (1, self._after)):
            counts["lost"] += lost[place]
            counts[str(colour[place])] += 1
            counts["missed"] += sum(row.verdict == Verdict.MISSED for row in each.of.verdicts)
            counts["short_hangups"] += sum(row.short_hangups for row in each.of.verdicts)
        for _, was, now in each.verdicts:
            for row, sign in ((was, -1), (now, 1)):
                self._after["missed"] += sign if row is not None and row["verdict"] == Verdict.MISSED else 0
                self._after["short_hangups"] += sign * row["short_hangups"] if row is not None else 0

    def _note(self, each: Revision) -> None:
        whole: dict[str, Change] = dict(each.changes)
        for field in _MOVED:
            if field in each.changes:
                self._moves[field, None, *each.changes[field]] += 1
        for agent, was, now in each.verdicts:
            for field in ("verdict", "short_hangups", "caller_hangups"):
                old, new = (row and row[field] for row in (was, now))
                if old != new:
                    self._moves[field, agent, old, new] += 1
                    whole[f"{field}:{agent}"] = old, new
        if whole:
            self._changed += 1
            self._list(each.of.call, whole)

    def _list(self, call: Call, changes: Mapping[str, Change]) -> None:
        told = ChangedCall(node=call.node, call=call.key, started_at=call.started_at, changes=changes)
        self._listed.append(told)
        if len(self._listed) > 4 * LISTED:
            self._listed = sorted(self._listed, key=_place)[:LISTED]


def _place(each: ChangedCall) -> tuple[datetime, str, str]:
    return each.started_at, each.node, each.call
