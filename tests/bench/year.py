"""A year of a large site as rows: 200 agents in 20 queues, five phones rung by each call, callbacks, intervals."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pbxmonitor.store.schema import METADATA

BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
DAYS = 365
AGENTS = tuple(str(101 + number) for number in range(200))
QUEUES = tuple(f"q{number:02d}" for number in range(20))
LINES = tuple(f"+749500000{number:02d}" for number in range(10))
COLUMNS = {table.name: [column.name for column in table.columns] for table in METADATA.sorted_tables}
CHUNK = 20_000
Rows = dict[str, list[tuple[Any, ...]]]
# Calls by the hour of the day in Moscow: 9 to 20, with two peaks.
HOURS = (9, 10, 10, 10, 11, 11, 11, 12, 12, 12, 13, 14, 15, 16, 17, 17, 17, 18, 18, 18, 19, 19)


class Year:
    """Made with a seed: the same number of calls gives the same rows."""

    def __init__(self, calls: int, seed: int = 7) -> None:
        self._calls, self._random = calls, random.Random(seed)
        self._rows: Rows = {}

    def chunks(self) -> Iterator[Rows]:
        """Rows by table, parents before children within a chunk."""
        self._rows = {"node": [("main",)]}
        for agent in AGENTS:
            self._add("agent", node="main", agent=agent)
        self._intervals()
        for number in range(self._calls):
            self._call(number)
            if number % CHUNK == CHUNK - 1:
                yield self._taken()
        # The PBX's last word.
        self._add("fact", node="main", seq=1, key="last", at=BEGAN + timedelta(days=DAYS, hours=9), kind="LegRang")
        yield self._taken()

    def _taken(self) -> Rows:
        rows, self._rows = self._rows, {}
        return rows

    def _add(self, table: str, **values: Any) -> None:
        self._rows.setdefault(table, []).append(tuple(values.get(name) for name in COLUMNS[table]))

    def _intervals(self) -> None:
        for day in range(DAYS):
            opens = BEGAN + timedelta(days=day, hours=6)
            for agent in AGENTS:
                edges = sorted(self._random.sample(range(660), 8))
                for place, (minute, until) in enumerate(zip(edges, [*edges[1:], 661], strict=True)):
                    state = ("ready", "paused", "ready", "dnd", "ready", "paused", "ready", "logged_out")[place]
                    began_at, ended_at = (opens + timedelta(minutes=each) for each in (minute, until))
                    reason = "lunch" if state == "paused" else None
                    self._add(
                        "agent_interval",
                        node="main",
                        agent=agent,
                        track="availability",
                        began_at=began_at,
                        ended_at=ended_at,
                        state=state,
                        reason=reason,
                        queues="[]",
                        partial=False,
                        source="live",
                    )

    def _call(self, number: int) -> None:
        draw = self._random
        hour = timedelta(hours=draw.choice(HOURS) - 3, seconds=draw.random() * 3600)
        at = BEGAN + timedelta(days=number * DAYS // self._calls) + hour
        key, queue = f"{int(at.timestamp())}.{number}", draw.randrange(20)
        members = draw.sample(AGENTS[queue * 10 : queue * 10 + 10], 5)
        ring_ms, answered = round(3000 + draw.expovariate(1 / 7) * 1000), draw.random() < 0.85
        rung_at, talk_ms = at + timedelta(milliseconds=ring_ms), round(draw.expovariate(1 / 90) * 1000)
        ended_at = rung_at + timedelta(milliseconds=talk_ms if answered else 0)
        common = {"node": "main", "call": key}
        state = "green" if answered else self._callback(key, number, queue, members[0], ended_at)
        self._add(
            "call",
            node="main",
            key=key,
            direction="inbound",
            called=LINES[number % 10],
            source="live",
            caller=f"+7916{number * 7919 % 3_000_000:07d}",
            started_at=at,
            ended_at=ended_at,
            answered_at=rung_at if answered else None,
            lost=not answered,
            colour=state,
            disposition="answered" if answered else "abandoned",
            cause=None if answered else "ignored",
            wait_s=ring_ms / 1000,
            talk_s=talk_ms / 1000 if answered else 0.0,
            queue=QUEUES[queue],
            answered_by=members[0] if answered else None,
            ended_by="caller",
            short_hangup=False,
            callback=None if answered else key,
            evidence=None if answered else '{"left":true}',
        )
        self._add(
            "stage",
            **{**common, "position": 0, "kind": "queue", "name": QUEUES[queue], "entered_at": at, "left_at": rung_at},
            result="answered" if answered else "abandoned",
        )
        for place, agent in enumerate(members):
            won = answered and place == 0
            result = "answered" if won else "answered_elsewhere" if answered else "caller_gave_up"
            self._add(
                "offer",
                **{**common, "position": place, "agent": agent, "queue": QUEUES[queue], "began_at": at},
                ended_at=rung_at,
                ring_s=ring_ms / 1000,
                result=result,
                counts=True,
            )
            self._add(
                "verdict",
                **{**common, "agent": agent, "short_hangups": 0, "started_at": at, "caller_hangups": 0},
                verdict="answered" if won else "answered_elsewhere" if answered else "missed",
                pickup_ms=ring_ms if won else None,
                talk_ms=talk_ms if won else 0,
            )
        if answered:
            self._add(
                "talk",
                **{**common, "position": 0, "agent": members[0], "began_at": rung_at, "ended_at": ended_at},
                talk_s=talk_ms / 1000,
                hold_s=0.0,
                ended_by="caller",
                external=False,
                offer=0,
            )

    def _callback(self, key: str, number: int, queue: int, owner: str, at: datetime) -> str:
        """The debt of a lost call; the colour it gives."""
        tried = self._random.random() < 0.6
        tried_at = at + timedelta(seconds=300) if tried else None
        self._add(
            "callback",
            node="main",
            call=key,
            number=f"+7916{number * 7919 % 3_000_000:07d}",
            owner=owner,
            line=LINES[number % 10],
            state="reached" if tried else "expired",
            priority=1,
            missed_calls=json.dumps([key]),
            opened_at=at,
            due_at=at + timedelta(seconds=600),
            closed_at=at + timedelta(seconds=400),
            rescuer=owner if tried else None,
            tried_at=tried_at,
            step=0,
        )
        if tried_at is not None:
            self._add(
                "callback_attempt",
                node="main",
                callback=key,
                position=0,
                agent=AGENTS[queue * 10],
                call=f"c{key}",
                at=tried_at,
                rang_s=5.0,
                talk_s=60.0,
                result="reached",
                voicemail=False,
            )
        return "green" if tried else "red"
