"""Our rows against Asterisk's own queue_log: each disagreement in a line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from tests.rig.queue_log import Visit
from tests.rig.truth import Row

WITHIN_S = 1.0
# Offers of which the queue says RINGNOANSWER: the phone was rung, or tried, and did not take the call.
UNANSWERED = {"rna", "declined", "busy", "unreachable"}
REFUSED = {"declined", "busy"}
MOMENT_S = 0.05


def differences(journal: Sequence[Row], diary: Sequence[Visit]) -> list[str]:
    """Calls, answers, rings without answer, abandons, who hung up, and durations (within a second)."""
    ours = {row["call"]: row for row in journal if any(s["kind"] == "queue" for s in row["stages"])}
    theirs = {visit.call for visit in diary}
    wrong = [f"{call}: in queue_log only" for call in theirs - ours.keys()]
    wrong += [f"{call}: in the journal only" for call in ours.keys() - theirs]
    for call in theirs & ours.keys():
        wrong += [f"{call}: {line}" for line in _call(ours[call], [v for v in diary if v.call == call])]
    return wrong


def _call(row: Row, visits: list[Visit]) -> Iterator[str]:
    stages = [stage for stage in row["stages"] if stage["kind"] == "queue"]
    seen = [(stage["name"], stage["result"]) for stage in stages]
    told = [(visit.queue, visit.result) for visit in visits]
    if seen != told:
        yield f"queues: queue_log {told}, journal {seen}"
        return
    for visit, stage in zip(visits, stages, strict=True):
        yield from _rings(row, visit, stage["left_at"])
        yield from _close(
            f"wait in {visit.queue}", visit.waited_s or 0, _seconds(stage["entered_at"], stage["left_at"])
        )
        if visit.result == "answered":
            yield from _answer(row, visit)


def _rings(row: Row, visit: Visit, left_at: str) -> Iterator[str]:
    offers = [offer for offer in row["offers"] if offer["queue"] == visit.queue]
    seen = Counter(offer["agent"] for offer in offers if offer["result"] in UNANSWERED)
    # The result is the phone's own. One that refuses at the very moment a colleague answers is not heard by the queue.
    unheard = Counter(
        o["agent"] for o in offers if o["result"] in REFUSED and _seconds(o["ended_at"], left_at) < MOMENT_S
    )
    if visit.unanswered - seen or seen - visit.unanswered - unheard:
        yield f"rings without answer in {visit.queue}: queue_log {dict(visit.unanswered)}, journal {dict(seen)}"
    gave_up = Counter(offer["agent"] for offer in offers if offer["result"] == "caller_gave_up")
    if gave_up != visit.cancelled:
        yield f"rings cancelled in {visit.queue}: queue_log {dict(visit.cancelled)}, journal {dict(gave_up)}"


def _answer(row: Row, visit: Visit) -> Iterator[str]:
    talks = [talk for talk in row["talks"] if talk["agent"] == visit.agent]
    if not talks:
        yield f"answer: queue_log {visit.agent}, journal {[t['agent'] for t in row['talks']]}"
        return
    if visit.ended_by is not None:
        if talks[-1]["ended_by"] != visit.ended_by:
            yield f"hung up: queue_log {visit.ended_by}, journal {talks[-1]['ended_by']}"
        yield from _close("talk", visit.talked_s or 0, talks[-1]["talk_s"])


def _close(what: str, told: float, seen: float) -> Iterator[str]:
    if abs(told - seen) > WITHIN_S:
        yield f"{what}: queue_log {told} s, journal {seen} s"


def _seconds(one: str, other: str) -> float:
    return abs((datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds())
