"""Asterisk's own diary of its queues, read without a line of the program it judges.

Fields: epoch|call|queue|agent|EVENT|data1|data2|data3. Agents stand there by member name; seconds are whole.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

MEMBERS = {"Анна Иванова": 1, "Boris": 2, "Vera": 3, "Galina": 4, "Dmitry": 5, "Elena": 6}
LEFT = {
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timeout",
    "EXITEMPTY": "empty",
    "JOINEMPTY": "empty",
    "FULL": "full",
    "EXITWITHKEY": "key",
}
WAITED = {"ABANDON": 2, "EXITWITHTIMEOUT": 2, "EXITEMPTY": 2, "EXITWITHKEY": 3}  # which of the data is the waiting time
# Who ended the talk, and which of the data is its length.
ENDED = {
    "COMPLETEAGENT": ("agent", 1),
    "COMPLETECALLER": ("caller", 1),
    "BLINDTRANSFER": ("transfer", 3),
    "ATTENDEDTRANSFER": ("transfer", -2),
}


@dataclass(slots=True, kw_only=True)
class Visit:
    """One stay of one call in one queue. Seconds are whole, as the diary has them."""

    call: str
    queue: str
    result: str = "open"
    waited_s: int | None = None
    agent: str | None = None
    talked_s: int | None = None
    ended_by: str | None = None
    unanswered: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)


def extension(queue: str, member: str) -> str:
    """The phone of a member of a department's queue."""
    return f"{queue[-1]}0{MEMBERS[member]}"


def visits(lines: Iterable[str]) -> list[Visit]:
    """Every stay in a queue, in the order in which they began."""
    told: list[Visit] = []
    for line in lines:
        _, call, queue, member, event, *data = line.strip().split("|")
        if event in ("ENTERQUEUE", "JOINEMPTY", "FULL"):
            told.append(Visit(call=call, queue=queue))
        visit = next((v for v in reversed(told) if (v.call, v.queue) == (call, queue)), None)
        if visit is not None:
            _write(visit, member, event, data)
    return told


def _write(visit: Visit, member: str, event: str, data: list[str]) -> None:
    if event in LEFT:
        visit.result = LEFT[event]
        visit.waited_s = int(data[WAITED[event]]) if event in WAITED else 0
    elif event == "CONNECT":
        visit.result, visit.agent, visit.waited_s = "answered", extension(visit.queue, member), int(data[0])
    elif event in ENDED:
        visit.ended_by, length = ENDED[event]
        visit.talked_s = int(data[length])
    elif event == "RINGNOANSWER":
        visit.unanswered[extension(visit.queue, member)] += 1
    elif event == "RINGCANCELED":
        visit.cancelled[extension(visit.queue, member)] += 1
