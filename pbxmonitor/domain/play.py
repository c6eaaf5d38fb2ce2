"""`play(floor, facts) -> floor, changes`: the fold. Cost per fact does not grow with what is on the floor."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain import twins
from pbxmonitor.domain.agent import Agent, AgentState, advance_agent, engaged, newcomer, rested
from pbxmonitor.domain.call import Call, Direction, Offer, StageKind
from pbxmonitor.domain.engaging import alike, busy
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Change, Ended, Floor
from pbxmonitor.domain.journey import advance, begin, merge
from pbxmonitor.domain.resync import reconcile

# Late facts about an ended call (AgentComplete after Hangup, backfill) still find it for so long.
LINGER: Final = timedelta(minutes=15)
Pairs = tuple[tuple[Call | None, Call], ...]
_BRIDGING: Final = (f.BridgeEntered, f.BridgeLeft)


def play(floor: Floor, facts: Iterable[f.Fact]) -> tuple[Floor, tuple[Change, ...]]:
    """The floor after the facts, and the changes they made in order; facts that changed nothing leave no trace."""
    draft, changes = Draft(floor), list[Change]()
    for fact in facts:
        changes += draft.take(fact)
    return draft.floor(), tuple(changes)


class Draft:
    """A floor being moved on: an overlay over the one it began from."""

    def __init__(self, floor: Floor) -> None:
        self._base = floor
        self._calls: dict[str, Call | None] = {}
        self._legs: dict[str, str | None] = {}
        self._bridges: dict[str, str | None] = {}
        self._agents: dict[str, Agent | None] = {}
        self._queues: dict[str, tuple[str, ...] | None] = {}
        self._busy: dict[str, dict[str, AgentState]] = {}
        self._ended = floor.ended
        self._arrivals = floor.arrivals

    def floor(self) -> Floor:
        """The floor as it has become."""
        return evolve(
            self._base,
            calls=self._base.calls.put(self._calls),
            legs=self._base.legs.put(self._legs),
            bridges=self._base.bridges.put(self._bridges),
            agents=self._base.agents.put(self._agents),
            queues=self._base.queues.put(self._queues),
            ended=self._ended,
            arrivals=self._arrivals,
        )

    def take(self, fact: f.Fact) -> Sequence[Change]:
        """Play one fact; a snapshot first becomes the facts that it tells."""
        if isinstance(fact, f.LegPicked):
            return [change for part in (fact, *self._changed_over(fact)) for change in self._leg_fact(part)]
        if isinstance(fact, f.LegFact):
            return self._leg_fact(fact)
        if isinstance(fact, f.AgentFact):
            return self._agent_fact(fact)
        parts = reconcile(self.floor(), fact) if isinstance(fact, f.Snapshot) else ()
        return [change for part in parts for change in self.take(part)]

    def _changed_over(self, fact: f.LegPicked) -> tuple[f.LegFact, ...]:
        """A pickup that crosses the answer puts its channel into the bridge of the other, and no event says so."""
        key = self._call_of(fact.target)
        call = self.call(key) if key is not None else None
        there = call.legs[fact.target].bridge if call is not None else None
        if there is None:
            return ()
        told: dict[str, Any] = {"node": fact.node, "at": fact.at, "bridge": there}
        left = f.BridgeLeft(**told, key=f"{fact.key}/left", leg=fact.target)
        return f.BridgeEntered(**told, key=f"{fact.key}/entered", leg=fact.leg), left

    def call(self, key: str) -> Call | None:
        return self._calls[key] if key in self._calls else self._base.calls.find(key)

    def agent(self, name: str) -> Agent | None:
        return self._agents[name] if name in self._agents else self._base.agents.find(name)

    def _call_of(self, leg: str) -> str | None:
        return self._legs[leg] if leg in self._legs else self._base.legs.find(leg)

    def _members(self, queue: str) -> tuple[str, ...] | None:
        return self._queues[queue] if queue in self._queues else self._base.queues.find(queue)

    def _agent_fact(self, fact: f.AgentFact) -> Sequence[Change]:
        before = self.agent(fact.agent)
        base = before if before is not None else newcomer(fact.agent, fact.at)
        after = advance_agent(_rested(base, fact.at), fact)
        if after is before:
            return ()
        self._agents[fact.agent] = after
        if isinstance(fact, f.MemberAdded | f.MemberRemoved | f.MemberPaused):
            self._note_member(fact.queue, fact.agent, isinstance(fact, f.MemberRemoved))
        return (Change(fact=fact, agents=((before, after),)),)

    def _note_member(self, queue: str, agent: str, gone: bool) -> None:
        others = tuple(each for each in self._members(queue) or () if each != agent)
        self._queues[queue] = others if gone else (*others, agent)

    def _leg_fact(self, fact: f.LegFact) -> Sequence[Change]:
        host = self._host(fact) if isinstance(fact, f.BridgeEntered) else None
        if host is not None:
            self._join(*host)
        before, after = self._moved(fact)
        if after is None or after is before:
            return ()
        if before is not None and after.stages is not before.stages:
            after = self._left(self._staffed(before, after))
        moved: Pairs = ((before, after),) if host is None else ((host[0], after), _gone_over(*host, fact.at))
        pairs = self._with_twin(moved)
        for was, now in pairs:
            self._calls[now.key] = now
            if now.ended_at is not None and (was is None or was.ended_at is None):
                self._retire(now.key, now.ended_at)
        if isinstance(fact, _BRIDGING):
            self._note_bridge(after, fact.bridge)
        agents: list[tuple[Agent | None, Agent]] = []
        for was, now in pairs:
            if not alike(was, now, fact.leg):
                agents += self._engage(was, now, fact.at)
        return (Change(fact=fact, calls=pairs, agents=tuple(agents)),)

    def _with_twin(self, pairs: Pairs) -> Pairs:
        """With the call that is the same as the first of them, where the provider brought it twice."""
        (was, now), *rest = pairs
        both: tuple[Call, ...]
        if was is None and now.direction is Direction.INBOUND:
            here = twins.lately(self._arrivals, now.started_at)
            self._arrivals = (*here, (now.started_at, now.key))
            twin = twins.twin_of(now, (self.call(key) for _, key in here))
            both = () if twin is None else twins.paired(twin, now)
        else:
            twin = self.call(now.twin) if now.twin is not None else None
            both = () if twin is None else tuple(twins.outlived(now, twin))
        found = {call.key: call for call in both}
        if twin is None or not found:
            return pairs
        return (was, found[now.key]), *rest, (twin, found[twin.key])

    def _note_bridge(self, call: Call, bridge: str) -> None:
        self._bridges[bridge] = call.key if any(leg.bridge == bridge for leg in call.live()) else None

    def _host(self, fact: f.BridgeEntered) -> tuple[Call, Call] | None:
        """The call that a leg comes into, and the one that it comes from, where they are two."""
        key = self._key(fact)
        owner = self._bridges[fact.bridge] if fact.bridge in self._bridges else self._base.bridges.find(fact.bridge)
        if key is None or owner is None or owner == key:
            return None
        one, other = self.call(key), self.call(owner)
        if one is None or other is None:
            return None
        main, guest = sorted((one, other), key=lambda c: (c.direction is not Direction.INBOUND, c.started_at))
        return main, guest

    def _join(self, main: Call, guest: Call) -> None:
        """A consultation, a pickup or a recall was a call of its own until now: its legs go over."""
        self._calls[main.key] = merge(main, guest)
        for leg in guest.legs:
            self._legs[leg] = main.key

    def _moved(self, fact: f.LegFact) -> tuple[Call | None, Call | None]:
        key = self._key(fact)
        before = self.call(key) if key is not None else None
        if before is not None:
            if isinstance(fact, f.LegStarted):
                self._legs[fact.leg] = before.key
            return before, advance(before, fact)
        if isinstance(fact, f.LegStarted) and fact.linked == fact.leg:
            self._legs[fact.leg] = fact.leg
            return None, begin(fact)
        return None, None

    def _key(self, fact: f.LegFact) -> str | None:
        if isinstance(fact, f.LegPicked):
            return self._call_of(fact.target)
        found = self._call_of(fact.leg)
        if found is None and isinstance(fact, f.LegStarted):
            return self._call_of(fact.linked) or fact.linked
        if found is None and isinstance(fact, f.DialBegan):
            return self._call_of(fact.dest)
        return found

    def _staffed(self, before: Call, after: Call) -> Call:
        """A queue just entered notes who could have answered."""
        stage = after.stages[-1] if len(after.stages) > len(before.stages) else None
        if stage is None or stage.result is not None or stage.kind is not StageKind.QUEUE:
            return after
        members = self._available_in(stage.name)
        if members is None:
            return after
        return after.with_stage(stage, available=len(members), reachable=sum(not agent.offline for agent in members))

    def _available_in(self, queue: str) -> list[Agent] | None:
        """Who could be rung there; None of a queue that no snapshot has told of."""
        names = self._members(queue)
        if names is None:
            return None
        return [agent for agent in map(self.agent, names) if agent is not None and agent.available_in(queue)]

    def _left(self, call: Call) -> Call:
        """A queue just left notes how many of its members had been free for a while."""
        stage = call.stages[-1]
        if stage.kind is not StageKind.QUEUE or stage.left_at is None or stage.idle is not None:
            return call
        members = self._available_in(stage.name)
        if members is None:
            return call
        entered = stage.entered_at
        rung = [offer for offer in call.offers if offer.queue == stage.name and offer.began_at >= entered]
        idle = sum(agent.busy_since is None or agent.busy_since >= entered for agent in members)
        return call.with_stage(stage, idle=idle or int(any(self._rang_free(call, offer, entered) for offer in rung)))

    def _rang_free(self, call: Call, offer: Offer, since: datetime) -> bool:
        """Whether that phone was not in a talk of another call all the time (a queue may ring who talks: ringinuse)."""
        agent, phone = self.agent(offer.agent), call.legs.get(offer.phone or offer.leg)
        keys = agent.calls if agent is not None and phone is not None else ()
        others = [other for other in map(self.call, keys) if other is not None and other.key != call.key]
        at_work = (
            other.legs[talk.leg].endpoint
            for other in others
            for talk in other.talks
            if talk.ended_at is None and talk.began_at <= since and talk.leg in other.legs
        )
        return phone is None or phone.endpoint not in at_work

    def _engage(self, before: Call | None, after: Call, at: datetime) -> Iterator[tuple[Agent | None, Agent]]:
        was = self._busy.get(after.key)
        if was is None:
            was = busy(before) if before is not None else {}
        now = self._busy[after.key] = busy(after)
        for name in was | now:
            if was.get(name) == now.get(name):
                continue
            known = self.agent(name)
            base = _rested(known if known is not None else newcomer(name, at), at)
            talked = was.get(name) in (AgentState.TALKING, AgentState.HOLD)
            queued = talked and any(offer.agent == name and offer.queue for offer in after.offers)
            self._agents[name] = moved = engaged(base, after.key, now.get(name), at, queued)
            yield known, moved

    def _retire(self, key: str, at: datetime) -> None:
        minute = int(at.timestamp() // 60)
        if self._ended and self._ended[-1][0] >= minute:
            last, stack = self._ended[-1]
            self._ended = (*self._ended[:-1], (last, Ended(key, stack)))
        else:
            self._ended = (*self._ended, (minute, Ended(key, None)))
        horizon = minute - int(LINGER.total_seconds() // 60)
        while self._ended and self._ended[0][0] < horizon:
            self._forget(self._ended[0][1])
            self._ended = self._ended[1:]

    def _forget(self, stack: Ended | None) -> None:
        while stack is not None:
            call = self.call(stack.call)
            for leg in call.legs if call is not None else ():
                self._legs[leg] = None
            self._calls[stack.call] = None
            self._busy.pop(stack.call, None)
            stack = stack.before


def _gone_over(main: Call, guest: Call, at: datetime) -> tuple[Call, Call]:
    return guest, evolve(guest, merged_into=main.key, ended_at=guest.ended_at or at)


def _rested(agent: Agent, at: datetime) -> Agent:
    return rested(agent) if agent.wrapup_until is not None and agent.wrapup_until <= at else agent
