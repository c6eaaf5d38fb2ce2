"""What each line that bears a caller's uniqueid does to his journey; `agent` is None where a line names nobody."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.call import EndedBy, OfferResult, StageResult, Transfer
from pbxmonitor.pbx.asterisk.queue_log.journey import Journey, Spoken, agreed
from pbxmonitor.pbx.asterisk.queue_log.lines import Entry, duration
from pbxmonitor.pbx.asterisk.queue_log.words import ENDS, EXITS, TURNED_AWAY

_NO_TIME: Final = timedelta()
# RINGNOANSWER has whole seconds as milliseconds (0, 1000, 15000); what is smaller was written as seconds, long ago.
_OLD_SECONDS: Final = 300


def dialled(journey: Journey, entry: Entry, _: str | None) -> None:
    """DID, which the dialplan of FreePBX writes."""
    number = entry.text(0)
    journey.called = journey.called or journey.site.number(number) or number


def queued(journey: Journey, entry: Entry, _: str | None) -> None:
    """ENTERQUEUE: url, number, position; no position in old versions, a name in new ones."""
    if journey.caller is None:
        journey.caller = journey.site.number(entry.text(1))
    journey.enter(entry.queue, entry.at)


def turned_away(journey: Journey, entry: Entry, _: str | None) -> None:
    """A queue that did not let him in."""
    if journey.stay_in(entry.queue) is None:
        journey.enter(entry.queue, entry.at)
    journey.leave(entry.at, TURNED_AWAY[entry.event])
    journey.ended_at = entry.at


def exited(journey: Journey, entry: Entry, _: str | None) -> None:
    """Out of the queue without an agent; told twice (by two handlers of Asterisk) it is once."""
    stay = journey.stay_in(entry.queue)
    if stay is None:
        return
    result, place = EXITS[entry.event]
    at = agreed(stay.since, entry.at, entry.seconds(place))
    journey.leave(at, result)
    journey.ended_at, journey.left = at, result is StageResult.ABANDONED


def mismatched(journey: Journey, entry: Entry, agent: str | None) -> None:
    """SYSCOMPAT: no common codec, so the caller was dropped by the system."""
    journey.offer(entry.queue, agent, entry.at, _NO_TIME, OfferResult.UNREACHABLE)
    exited(journey, entry, agent)


def unanswered(journey: Journey, entry: Entry, agent: str | None) -> None:
    """RINGNOANSWER: rang out, declined, refused or failed; with 0 ms nothing rang that a person could hear."""
    told = entry.text(0)
    old = told.isdecimal() and 0 < int(told) < _OLD_SECONDS
    ring = duration(told, 1 if old else 1000)
    result = OfferResult.UNREACHABLE if ring == _NO_TIME else OfferResult.RNA
    journey.offer(entry.queue, agent, entry.at, ring, result)


def ring_cancelled(journey: Journey, entry: Entry, agent: str | None) -> None:
    """RINGCANCELED: what for, the next line of the call tells."""
    journey.cancelled = True
    journey.offer(entry.queue, agent, entry.at, duration(entry.text(0), 1000), OfferResult.CANCELLED)


def dumped(journey: Journey, entry: Entry, agent: str | None) -> None:
    """AGENTDUMP: picked up and hung up before the talk; the caller stays in the queue."""
    if agent is not None:
        journey.offer(entry.queue, agent, entry.at, None, OfferResult.ANSWERED, f"{journey.key}/dumped")
        journey.dumped += (agent,)


def connected(journey: Journey, entry: Entry, agent: str | None) -> None:
    """CONNECT: waited, the agent's channel, rang; older versions do not have all of them."""
    held = entry.seconds(0)
    stay = journey.stay_in(entry.queue) or journey.enter(entry.queue, entry.at - (held or _NO_TIME))
    at = agreed(stay.since, entry.at, held)
    journey.answer(entry.queue, agent, at, entry.seconds(2), entry.text(1))


def completed(journey: Journey, entry: Entry, agent: str | None) -> None:
    """The end of a talk. Its CONNECT may be missing, its ENTERQUEUE too: they follow from the durations."""
    by, place = ENDS[entry.event]
    place += entry.event == "ATTENDEDTRANSFER" and entry.text(0) == "LINK"
    talked = entry.seconds(place + 1)
    talk, unmeasured = journey.talk, False
    if talk is None or talk.queue != entry.queue:
        unmeasured = talked is None
        talk = _late_talk(journey, entry, agent, entry.seconds(place), talked or _NO_TIME)
    journey.ended_at = at = agreed(talk.since, entry.at, talked)
    journey.left, journey.unseen = by is EndedBy.CALLER, by is EndedBy.TRANSFER
    journey.end_talk(talk, None if unmeasured else at, by)
    if by is EndedBy.TRANSFER:
        journey.transfers += (_transfer(journey, entry, talk.agent or "", at),)


def _late_talk(journey: Journey, entry: Entry, agent: str | None, held: timedelta | None, talked: timedelta) -> Spoken:
    """The talk of which only the end is told."""
    stay, since = journey.stay_in(entry.queue), entry.at - talked
    if stay is None:
        journey.enter(entry.queue, since - (held or _NO_TIME))
    else:
        since = agreed(stay.since, since, held)
    return journey.answer(entry.queue, agent, since, None, "")


def _transfer(journey: Journey, entry: Entry, agent: str, at: datetime) -> Transfer:
    """Of an attended one the log does not say to whom."""
    if entry.event == "ATTENDEDTRANSFER":
        return Transfer(kind="attended", frm=agent, to="", at=at)
    to = entry.text(0)
    return Transfer(kind="blind", frm=agent, to=journey.site.number(to) or to, at=at)


RULES: Final[dict[str, Callable[[Journey, Entry, str | None], None]]] = {
    "DID": dialled,
    "ENTERQUEUE": queued,
    "RINGNOANSWER": unanswered,
    "RINGCANCELED": ring_cancelled,
    "AGENTDUMP": dumped,
    "CONNECT": connected,
    **dict.fromkeys(ENDS, completed),
    **dict.fromkeys(EXITS, exited),
    **dict.fromkeys(TURNED_AWAY, turned_away),
    "SYSCOMPAT": mismatched,
}
