"""What a scenario was, told by hand in the words of the design, and how it is compared with what the program wrote."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

Row = Mapping[str, Any]
TOLERANCE_S = 0.9  # an answer of the staged phones takes up to half a second more than they are told
UNTOLD: Any = ...  # survives a deep copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it was. `caller` and `called` find its row; what is UNTOLD is not compared. Seconds are floats."""

    caller: str | None
    called: str
    direction: str = "inbound"
    disposition: str = "answered"
    lost: bool = False
    cause: str | None = UNTOLD
    colour: str | None = UNTOLD
    wait_s: float = UNTOLD
    talk_s: float = UNTOLD
    answered_by: str | None = UNTOLD
    ended_by: str | None = UNTOLD
    short_hangup: bool = UNTOLD
    stages: tuple[tuple[str, str, str], ...] = UNTOLD
    offers: tuple[tuple[str, str], ...] = UNTOLD
    talks: tuple[tuple[str, str], ...] = UNTOLD
    verdicts: Mapping[str, str] = UNTOLD
    transfers: tuple[tuple[str, str, str], ...] = ()

    def is_about(self, row: Row) -> bool:
        """Whether a row of the journal is this call."""
        return (row["caller"], row["called"], row["direction"]) == (self.caller, self.called, self.direction)

    def disagreements(self, row: Row) -> list[str]:
        """Every told field that the row has otherwise, one line each."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        seen = {name: _SEEN[name](row[name]) if name in _SEEN else row[name] for name in told}
        return [
            f"{name}: staged {told[name]!r}, journal {seen[name]!r}"
            for name in told
            if told[name] is not UNTOLD and not _agrees(name, told[name], seen[name])
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One stretch of an agent's day."""

    agent: str
    state: str
    reason: str | None = None
    note: str | None = None
    queues: frozenset[str] = UNTOLD
    lasted_s: float = UNTOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything a scenario left behind, calls in the order in which they began."""

    calls: tuple[Call, ...] = ()
    intervals: tuple[Interval, ...] = ()


_SEEN: dict[str, Callable[[Any], Any]] = {
    "stages": lambda rows: tuple((s["kind"], s["name"], s["result"]) for s in rows),
    "offers": lambda rows: tuple((o["agent"], o["result"]) for o in rows),
    "talks": lambda rows: tuple((t["agent"], t["ended_by"]) for t in rows),
    "verdicts": dict,
    "transfers": lambda rows: tuple((t["kind"], t["from"], t["to"]) for t in rows),
}


def _agrees(name: str, told: Any, seen: Any) -> bool:
    if name in ("wait_s", "talk_s"):
        return seen is not None and abs(told - seen) <= TOLERANCE_S
    if name == "offers":
        return Counter(told) == Counter(seen)
    return bool(told == seen)


def compare(truth: tuple[Call, ...], journal: list[Row]) -> list[str]:
    """Disagreements of a scenario's calls with the journal; a call the journal lacks or has twice is one."""
    rows = sorted(journal, key=lambda row: str(row["started_at"]))
    wrong: list[str] = []
    for key in dict.fromkeys((call.caller, call.called, call.direction) for call in truth):
        calls = [call for call in truth if (call.caller, call.called, call.direction) == key]
        found = [row for row in rows if calls[0].is_about(row)]
        if len(found) != len(calls):
            wrong.append(f"{key}: staged {len(calls)} calls, journal has {len(found)}")
            continue
        for call, row in zip(calls, found, strict=True):
            wrong += [f"{row['call']} {key}: {line}" for line in call.disagreements(row)]
    return wrong
