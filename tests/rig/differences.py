"""Our rows against Asterisk's own queue_log and call records: each disagreement in a line."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.rig.cdr import Record
from tests.rig.queue_log import Visit
from tests.rig.truth import Row

WITHIN_S = 1.0
# Offers of which the queue says RINGNOANSWER: the phone was rung, or tried, and did not take the call.
UNANSWERED = {"rna", "declined", "busy", "unreachable"}
REFUSED = {"declined", "busy"}
ELSEWHERE = "answered_elsewhere"
MOMENT_S = 0.05
BEHIND_LOCAL = "fpbx"


def differences(journal: Sequence[Row], diary: Sequence[Visit], records: Mapping[str, Record]) -> list[str]:
    """Calls, answers, rings without answer, abandons, who hung up, who talked, and durations (within a second)."""
    ours = {row["call"]: row for row in journal if any(s["kind"] == "queue" for s in row["stages"])}
    theirs = {visit.call for visit in diary}
    wrong = [f"{call}: in queue_log only" for call in theirs - ours.keys()]
    wrong += [f"{call}: in the journal only" for call in ours.keys() - theirs]
    for call in theirs & ours.keys():
        visits = [v for v in diary if v.call == call]
        wrong += [f"{call}: {line}" for line in _call(ours[call], visits, _taken_over(ours[call], records))]
    for row in journal:
        if row["direction"] == "inbound":
            wrong += [f"{row['call']}: {line}" for line in _recorded(row, records.get(row["call"]))]
    return wrong


def _recorded(row: Row, record: Record | None) -> Iterator[str]:
    if record is None:
        yield "not in the CDR"
        return
    outside = any(stage["kind"] == "external" for stage in row["stages"])
    seen = {"trunk" if outside and talk["agent"].startswith("+") else talk["agent"] for talk in row["talks"]}
    taken = _others(row, seen)
    seen -= {talk["agent"] for talk in _crossing(row)}
    if seen - set(record.answered) or set(record.answered) - seen - taken:
        yield f"on the line: CDR {record.answered}, journal {sorted(seen)}"
    yield from _close("began", record.began.timestamp(), datetime.fromisoformat(row["started_at"]).timestamp())


def _others(row: Row, seen: set[str]) -> set[str]:
    """Who may stand in the CDR and has no talk: whose ring or answer a colleague took over, and who was only asked."""
    answered = [offer for offer in row["offers"] if offer["result"] == "answered" and offer["agent"] not in seen]
    asked = {o["agent"] for o in answered if row["transfers"] and o["began_at"] > row["talks"][0]["began_at"]}
    picked = bool(seen - {offer["agent"] for offer in row["offers"]})
    taken = {offer["agent"] for offer in row["offers"] if offer["result"] == ELSEWHERE}
    return taken | asked | ({offer["agent"] for offer in answered} if picked else set())


def _taken_over(row: Row, records: Mapping[str, Record]) -> str | None:
    """Who picked the call up for the member that rang: neither queue nor Dial rang him, and the CDR has him, too."""
    record = records.get(row["call"])
    rung = {offer["agent"] for offer in row["offers"]}
    took = [talk["agent"] for talk in row["talks"] if talk["agent"] not in rung]
    return next((each for each in took if record is not None and each in record.answered), None)


def _call(row: Row, visits: list[Visit], picker: str | None) -> Iterator[str]:
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
            yield from _answer(row, visit, picker)


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
    # A colleague picked up at the very moment the caller left: the queue heard the caller.
    crossed = Counter(
        o["agent"] for o in offers if o["result"] == ELSEWHERE and _seconds(o["ended_at"], left_at) < MOMENT_S
    )
    if gave_up - visit.cancelled or visit.cancelled - gave_up - crossed:
        yield f"rings cancelled in {visit.queue}: queue_log {dict(visit.cancelled)}, journal {dict(gave_up)}"


def _answer(row: Row, visit: Visit, picker: str | None) -> Iterator[str]:
    talks = [talk for talk in row["talks"] if talk["agent"] == visit.agent]
    talks = talks or [talk for talk in row["talks"] if talk["agent"] == picker]
    if not talks:
        yield f"answer: queue_log {visit.agent}, journal {[t['agent'] for t in row['talks']]}"
        return
    if visit.ended_by is None:
        return
    first = talks[0]
    if visit.ended_by != "transfer" and _goes_on(row, visit, first):
        end = max(talk["ended_at"] for talk in row["talks"])
        end = max(end, *(stage["left_at"] for stage in row["stages"]))
    else:
        end = first["ended_at"]
        if visit.ended_by not in (first["ended_by"], _said_of(row, first)):
            yield f"hung up: queue_log {visit.ended_by}, journal {first['ended_by']}"
    yield from _close("talk", visit.talked_s or 0, _seconds(first["began_at"], end))


def _goes_on(row: Row, visit: Visit, first: Row) -> bool:
    """To the queue: he was passed on behind its Local channel, or a colleague took over as the phone answered."""
    return bool(_crossing(row)) or (first["ended_by"] == "transfer" and visit.queue.startswith(BEHIND_LOCAL))


def _said_of(row: Row, talk: Row) -> str:
    """What the queue says of the end: a hangup, when the target of his attended transfer still rang."""
    asked = any(t["kind"] == "attended" and t["from"] == talk["agent"] for t in row["transfers"])
    return "agent" if asked and talk["ended_by"] == "transfer" else talk["ended_by"]


def _crossing(row: Row) -> list[Row]:
    """Talks of who picked up as another answered: queue and CDR go on as if that one had talked."""
    rung = {offer["agent"] for offer in row["offers"]}
    ends = [talk["ended_at"] for talk in row["talks"] if talk["ended_by"] == "system"]
    began = [talk for talk in row["talks"] if talk["agent"] not in rung]
    return [talk for talk in began if any(_seconds(talk["began_at"], end) < MOMENT_S for end in ends)]


def _close(what: str, told: float, seen: float) -> Iterator[str]:
    if abs(told - seen) > WITHIN_S:
        yield f"{what}: queue_log {told} s, journal {seen} s"


def _seconds(one: str, other: str) -> float:
    return abs((datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds())
