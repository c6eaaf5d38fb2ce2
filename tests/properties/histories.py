"""Made-up histories as rows: calls, verdicts, callbacks, attempts and intervals of a few days, in any order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from hypothesis import strategies as st

from pbxmonitor.domain.callback import AttemptResult, State
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store.reports import Period
from pbxmonitor.store.schema import METADATA

# The week in which Berlin's clocks go back: one of its days has 25 hours.
ZONE = ZoneInfo("Europe/Berlin")
BEGAN = datetime(2026, 10, 23, 22, tzinfo=UTC)
DAYS = 4
ENDED = BEGAN + timedelta(days=DAYS, hours=1)
WHOLE = Period(begin=BEGAN, end=ENDED)
AGENTS = ("101", "102", "103")
POLICY = Policy(hours=WorkingHours(zone=ZONE))
Rows = dict[str, list[dict[str, Any]]]

moments = st.integers(0, int((ENDED - BEGAN).total_seconds() * 1000) - 1).map(
    lambda ms: BEGAN + timedelta(milliseconds=ms)
)
some_ms = st.integers(0, 90_000)


@dataclass(frozen=True)
class History:
    """Rows by table, parents first."""

    rows: Rows

    def parts(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        return ((table.name, self.rows.get(table.name, [])) for table in METADATA.sorted_tables)

    def turned(self, order: Sequence[int]) -> "History":
        """The same rows written in another order."""

        def moved(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for _, row in sorted(enumerate(rows), key=lambda pair: (order[pair[0] % len(order)], pair[0]))]

        return replace(self, rows={name: moved(rows) for name, rows in self.rows.items()})


@st.composite
def histories(draw: st.DrawFn) -> History:
    rows: Rows = {"node": [{"name": "main"}, {"name": "other"}]}
    rows["agent"] = [{"node": node["name"], "agent": agent} for node in rows["node"] for agent in AGENTS]
    for number in range(draw(st.integers(0, 12))):
        _call(draw, rows, number)
    for node in ("main", "other"):
        for agent in AGENTS:
            for track in ("availability", "activity"):
                _intervals(draw, rows, node, agent, track)
    # The PBX's last word: open intervals last until then.
    fact = {"node": "main", "seq": 1, "key": "last", "at": ENDED, "kind": "LegRang", "body": None}
    rows["fact"] = [fact, {**fact, "node": "other"}]
    return History(rows)


def _call(draw: st.DrawFn, rows: Rows, number: int) -> None:
    node, started_at, key = draw(st.sampled_from(["main", "other"])), draw(moments), f"{number}.0"
    outbound, open_still = draw(st.booleans()), draw(st.integers(0, 9)) == 0
    lost = not outbound and not open_still and draw(st.booleans())
    callback = _callback(draw, rows, node, key, started_at) if lost and draw(st.booleans()) else None
    talk_ms = draw(some_ms)
    rows.setdefault("call", []).append(
        {
            "node": node,
            "key": key,
            "direction": "outbound" if outbound else "inbound",
            "source": "live",
            "caller": draw(st.sampled_from(AGENTS)) if outbound else "+79161234567",
            "called": "1001",
            "started_at": started_at,
            "answered_at": started_at if talk_ms else None,
            "disposition": "answered",
            "ended_at": None if open_still else started_at + timedelta(seconds=100),
            "lost": lost,
            "wait_s": draw(some_ms) / 1000,
            "talk_s": talk_ms / 1000,
            "short_hangup": False,
            "queue": None,
            "callback": callback,
        }
    )
    for agent in [] if outbound else draw(st.lists(st.sampled_from(AGENTS), unique=True)):
        verdict = draw(st.sampled_from(list(Verdict)))
        answered = verdict is Verdict.ANSWERED
        rows.setdefault("verdict", []).append(
            {
                "node": node,
                "call": key,
                "agent": agent,
                "verdict": verdict.value,
                "started_at": started_at,
                "short_hangups": draw(st.integers(0, 2)),
                "caller_hangups": draw(st.integers(0, 1)),
                "pickup_ms": draw(some_ms) if answered else None,
                "talk_ms": draw(some_ms) if answered else 0,
            }
        )


def _callback(draw: st.DrawFn, rows: Rows, node: str, call: str, began_at: datetime) -> str:
    results = draw(st.lists(st.sampled_from(list(AttemptResult)), max_size=3))
    state = draw(st.sampled_from(list(State)))
    tries = [(began_at + timedelta(minutes=7 * turn), result) for turn, result in enumerate(results, 1)]
    for position, (at, result) in enumerate(tries):
        rows.setdefault("callback_attempt", []).append(
            {
                "node": node,
                "callback": call,
                "position": position,
                "agent": draw(st.sampled_from(AGENTS)),
                "call": f"try-{call}-{position}",
                "at": at,
                "rang_s": 1.0,
                "talk_s": 0.0,
                "result": result.value,
            }
        )
    rows.setdefault("callback", []).append(
        {
            "node": node,
            "call": call,
            "number": "+79161234567",
            "line": "1001",
            "state": state.value,
            "missed_calls": f'["{call}"]',
            "priority": 1,
            "owner": draw(st.sampled_from([None, *AGENTS])),
            "opened_at": began_at,
            "due_at": began_at + timedelta(minutes=10),
            "closed_by_call": None,
            "closed_at": draw(st.sampled_from([None, began_at + timedelta(hours=3)])),
            "rescuer": draw(st.sampled_from([None, *AGENTS])),
            "tried_at": min((at for at, result in tries if result is not AttemptResult.TOO_SHORT), default=None),
        }
    )
    return call


def _intervals(draw: st.DrawFn, rows: Rows, node: str, agent: str, track: str) -> None:
    """Stretches that follow each other; the last one may be open still."""
    edges = sorted(draw(st.lists(moments, max_size=4, unique=True)))
    states = ("dnd", "paused", "offline", "ready") if track == "availability" else ("ringing", "talking", "hold")
    last_open = draw(st.booleans())
    for place, began_at in enumerate(edges):
        last = place == len(edges) - 1
        rows.setdefault("agent_interval", []).append(
            {
                "node": node,
                "agent": agent,
                "track": track,
                "began_at": began_at,
                "queues": "[]",
                "ended_at": (None if last_open else ENDED) if last else edges[place + 1],
                "note": None,
                "state": draw(st.sampled_from(states)),
                "reason": draw(st.sampled_from([None, "lunch"])),
                "partial": draw(st.booleans()),
                "source": "live",
            }
        )


class Base:
    """A database in memory, emptied for each history."""

    def __init__(self) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        METADATA.create_all(self.engine)

    def filled(self, history: History) -> sa.Connection:
        """A connection whose transaction holds those rows alone; close it after use."""
        connection = self.engine.connect()
        for table in reversed(METADATA.sorted_tables):
            connection.execute(sa.delete(table))
        for name, rows in history.parts():
            if rows:
                connection.execute(sa.insert(METADATA.tables[name]), rows)
        return connection


def days() -> list[Any]:
    return [POLICY.hours.day_of(BEGAN) + timedelta(days=ahead) for ahead in range(DAYS)]
