"""Recorded AMI bytes played through translate and the domain, with no database: the stable JSON of docs/replay.md."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from pbxmonitor.domain.agent import Agent, AgentState, Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, colour_of, settle
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.play import Draft
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json, call_view, callback_view, interval_view
from pbxmonitor.pbx.asterisk.frames import Cutter, Frame, parse
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.snapshot import SnapshotReader
from pbxmonitor.pbx.asterisk.tape import read_tape
from pbxmonitor.pbx.asterisk.translate import Translator, moment

# The stretches that reports are about; presence alone (ready) and the calls themselves stand elsewhere.
SHOWN = frozenset({AgentState.PAUSED, AgentState.DND, AgentState.OFFLINE})


def replay(paths: Iterable[Path], site: Site, policy: Policy) -> Json:
    """Everything that the tapes tell, calls and callbacks in the order they began."""
    story = Story(site.node, policy)
    for path in paths:
        for fact in facts_of(frames_of(path), site):
            story.take(fact)
    return story.told()


def frames_of(path: Path) -> Iterator[Frame]:
    """The followed frames of a tape, with their receipt times where the tape has them."""
    cutter = Cutter()
    for data, received_at in read_tape(path):
        for raw in cutter.feed(data):
            frame = parse(raw, received_at or 0.0)
            if frame is not None:
                yield frame


def facts_of(frames: Iterable[Frame], site: Site) -> Iterator[Fact]:
    """The facts of a stream of frames; what comes before the first dated frame takes that one's time."""
    ahead: list[Frame] = []
    frames = iter(frames)
    for frame in frames:
        ahead.append(frame)
        if frame.timestamp or frame.received_at:
            break
    began = next((frame.timestamp or frame.received_at for frame in reversed(ahead)), None)
    translate, lists = Translator(site, began or 0.0), SnapshotReader(site)
    for frame in chain(ahead, frames):
        fact = translate(frame) or lists.take(frame, moment(translate.now))
        if fact is not None:
            yield fact


class Story:
    """What a stream of facts has told so far."""

    def __init__(self, node: str, policy: Policy) -> None:
        self._policy = policy
        self._draft = Draft(Floor(node=node))
        self._calls: dict[str, Call] = {}
        self._intervals: dict[tuple[str, datetime], Interval] = {}
        self._debts: list[Callback] = []
        self._now: datetime | None = None

    def take(self, fact: Fact) -> None:
        """Play one fact."""
        self._now = max(fact.at, self._now or fact.at)
        for change in self._draft.take(fact):
            self._note(change)

    def _note(self, change: Change) -> None:
        for before, call in change.calls:
            self._calls[call.key] = call
            if call.ended_at is not None and (before is None or before.ended_at is None):
                self._settle(call)
        for was, agent in change.agents:
            self._live(was, agent)

    def _settle(self, call: Call) -> None:
        judged = judge(call, self._policy, call.ended_at or call.started_at)
        for changed in settle(self._debts, call, judged, self._policy):
            same = [i for i, debt in enumerate(self._debts) if _same(debt, changed)]
            if same:
                self._debts[same[0]] = changed
            else:
                self._debts.append(changed)

    def _live(self, before: Agent | None, after: Agent) -> None:
        if before is not None and before.availability.began_at != after.availability.began_at:
            key = (before.id, before.availability.began_at)
            self._intervals[key] = _closed(before.availability, after.availability.began_at)
        self._intervals[after.id, after.availability.began_at] = after.availability

    def told(self) -> Json:
        """The JSON object; now is the last fact's time."""
        if self._now is None:
            return {"calls": [], "intervals": [], "callbacks": []}
        calls = sorted(self._calls.values(), key=lambda call: (call.started_at, call.key))
        shown = [each for each in self._intervals.values() if each.state in SHOWN and each.ended_at != each.began_at]
        return {
            "calls": [self._call(call, self._now) for call in calls if call.merged_into is None],
            "intervals": [interval_view(each) for each in sorted(shown, key=lambda i: (i.began_at, i.agent))],
            "callbacks": [callback_view(debt) for debt in self._debts],
        }

    def _call(self, call: Call, now: datetime) -> Json:
        judged = judge(call, self._policy, now)
        debt = next((debt for debt in self._debts if call.key in debt.missed_calls), None)
        return call_view(call, judged, colour_of(call, judged, debt), now)


def _same(one: Callback, other: Callback) -> bool:
    return (one.number, one.line, one.opened_at) == (other.number, other.line, other.opened_at)


def _closed(interval: Interval, at: datetime) -> Interval:
    return replace(interval, ended_at=at)
