"""`play(floor, facts) -> floor, changes`: the fold. Cost per fact does not grow with what is on the floor."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent, AgentState, advance_agent, engaged, newcomer, rested
from pbxmonitor.domain.bridging import conversing
from pbxmonitor.domain.call import Call, Direction, Offer, OfferResult, StageKind
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Change, Ended, Floor
from pbxmonitor.domain.journey import advance, begin, merge
from pbxmonitor.domain.resync import reconcile

# Late facts about an ended call (AgentComplete after Hangup, backfill) still find it for so long.
LINGER: Final = timedelta(minutes=15)


def play(floor: Floor, facts: Iterable[f.Fact]) -> tuple[Floor, tuple[Change, ...]]:
    """The floor after the facts, and the changes they made in order; facts that changed nothing leave no trace."""
    draft = Draft(floor)
    changes = tuple(change for fact in facts for change in draft.take(fact))
    return draft.floor(), changes


class Draft:
    """A floor being moved on: an overlay over the one it began from."""

    def __init__(self, floor: Floor) -> None:
        self._base = floor
        self._calls: dict[str, Call | None] = {}
        self._legs: dict[str, str | None] = {}
        self._bridges: dict[str, str | None] = {}
        self._agents: dict[str, Agent | None] = {}
        self._queues: dict[str, tuple[str, ...] | None] = {}
        self._ended = floor.ended

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
        )

    def take(self, fact: f.Fact) -> Iterator[Change]:
        """Play one fact; a snapshot first becomes the facts that it tells."""
        if isinstance(fact, f.Snapshot):
            for part in reconcile(self.floor(), fact):
                yield from self.take(part)
            return
        change = self._agent_fact(fact) if isinstance(fact, f.AgentFact) else self._leg_fact(fact)
        if change is not None:
            yield change

    def call(self, key: str) -> Call | None:
        return self._calls[key] if key in self._calls else self._base.calls.get(key)

    def agent(self, name: str) -> Agent | None:
        return self._agents[name] if name in self._agents else self._base.agents.get(name)

    def _agent_fact(self, fact: f.AgentFact) -> Change | None:
        before = self.agent(fact.agent)
        base = before if before is not None else newcomer(fact.agent, fact.at)
        after = advance_agent(_rested(base, fact.at), fact)
        if after is before:
            return None
        self._agents[fact.agent] = after
        if isinstance(fact, f.MemberAdded | f.MemberRemoved | f.MemberPaused):
            self._note_member(fact.queue, fact.agent, isinstance(fact, f.MemberRemoved))
        return Change(fact=fact, agents=((before, after),))

    def _note_member(self, queue: str, agent: str, gone: bool) -> None:
        known = self._queues[queue] if queue in self._queues else self._base.queues.get(queue)
        others = tuple(each for each in known or () if each != agent)
        self._queues[queue] = others if gone else (*others, agent)

    def _leg_fact(self, fact: f.Fact) -> Change | None:
        if not isinstance(fact, f.LegFact):
            return None
        host = self._host(fact) if isinstance(fact, f.BridgeEntered) else None
        guest = self._joined(host, fact.at) if host is not None else None
        before, after = self._moved(fact)
        if after is None or after is before:
            return None
        pairs = [(before, self._left(before, self._staffed(before, after))), *([guest] if guest is not None else [])]
        for was, now in pairs:
            self._calls[now.key] = now
            if now.ended_at is not None and (was is None or was.ended_at is None):
                self._retire(now.key, now.ended_at)
        if isinstance(fact, f.BridgeEntered | f.BridgeLeft):
            self._note_bridge(after, fact.bridge)
        agents = [moved for was, now in pairs for moved in self._engage(was, now, fact.at)]
        return Change(fact=fact, calls=tuple(pairs), agents=tuple(agents))

    def _note_bridge(self, call: Call, bridge: str) -> None:
        self._bridges[bridge] = call.key if any(leg.bridge == bridge for leg in call.live()) else None

    def _host(self, fact: f.BridgeEntered) -> tuple[Call, Call] | None:
        """The call that a leg comes into, and the one that it comes from, where they are two."""
        key = self._key(fact)
        owner = self._bridges[fact.bridge] if fact.bridge in self._bridges else self._base.bridges.get(fact.bridge)
        if key is None or owner is None or owner == key:
            return None
        one, other = self.call(key), self.call(owner)
        if one is None or other is None:
            return None
        main, guest = sorted((one, other), key=lambda c: (c.direction is not Direction.INBOUND, c.started_at))
        return main, guest

    def _joined(self, host: tuple[Call, Call], at: datetime) -> tuple[Call, Call]:
        """A consultation, a pickup or a recall was a call of its own until now: its legs go over."""
        main, guest = host
        self._calls[main.key] = merge(main, guest)
        for leg in guest.legs:
            self._legs[leg] = main.key
        return guest, evolve(guest, merged_into=main.key, ended_at=guest.ended_at or at)

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
            return self._legs.get(fact.target) or self._base.legs.get(fact.target)
        found = self._legs[fact.leg] if fact.leg in self._legs else self._base.legs.get(fact.leg)
        if found is None and isinstance(fact, f.LegStarted):
            return self._legs.get(fact.linked) or self._base.legs.get(fact.linked) or fact.linked
        if found is None and isinstance(fact, f.DialBegan):
            return self._legs.get(fact.dest) or self._base.legs.get(fact.dest)
        return found

    def _staffed(self, before: Call | None, after: Call) -> Call:
        """A queue just entered notes who could have answered."""
        entered = len(after.stages) > (len(before.stages) if before else 0)
        stage = after.open_stage
        if not entered or stage is None or stage.kind is not StageKind.QUEUE:
            return after
        members = self._available_in(stage.name)
        if members is None:
            return after
        return after.with_stage(available=len(members), reachable=sum(not agent.offline for agent in members))

    def _available_in(self, queue: str) -> list[Agent] | None:
        """Who could be rung there; None of a queue that no snapshot has told of."""
        names = self._queues[queue] if queue in self._queues else self._base.queues.get(queue)
        if names is None:
            return None
        return [agent for agent in map(self.agent, names) if agent is not None and agent.available_in(queue)]

    def _left(self, before: Call | None, after: Call) -> Call:
        """A queue just left notes how many of its members had been free for a while."""
        stage = after.stages[-1] if after.stages else None
        if stage is None or stage.kind is not StageKind.QUEUE or stage.left_at is None or stage.idle is not None:
            return after
        members = self._available_in(stage.name) if before is not None else None
        if members is None:
            return after
        entered = stage.entered_at
        idle = sum(1 for agent in members if agent.busy_since is None or agent.busy_since > entered)
        return after.with_stage(idle=idle)

    def _engage(self, before: Call | None, after: Call, at: datetime) -> Iterator[tuple[Agent | None, Agent]]:
        if before is not None and _alike(before, after):
            return
        was, now = busy(before) if before is not None else {}, busy(after)
        for name in was.keys() | now.keys():
            if was.get(name) == now.get(name):
                continue
            known = self.agent(name)
            base = _rested(known if known is not None else newcomer(name, at), at)
            talked = was.get(name) in (AgentState.TALKING, AgentState.HOLD)
            queued = any(offer.agent == name and offer.queue for offer in after.offers)
            self._agents[name] = moved = engaged(base, after.key, now.get(name), at, talked and queued)
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
            stack = stack.before


def _alike(one: Call, other: Call) -> bool:
    """Whether nobody's work can have changed between two states of a call."""
    same = one.offers is other.offers and one.talks is other.talks and one.legs is other.legs
    return same and (one.connected_at is None) == (other.connected_at is None)


def busy(call: Call) -> dict[str, AgentState]:
    """What the call keeps each agent at."""
    if call.ended_at is not None:
        return {}
    states: dict[str, AgentState] = {offer.agent: AgentState.RINGING for offer in call.offers if offer.result is None}
    states |= {o.agent: AgentState.TALKING for o in call.offers if _answering(call, o)}
    dialler = conversing(call)
    if dialler is not None:
        states[dialler] = AgentState.TALKING
    for talk in call.talks:
        if talk.ended_at is None and not talk.external:
            held = talk.leg in call.legs and call.legs[talk.leg].held
            states[talk.agent] = AgentState.HOLD if held else AgentState.TALKING
    return states


def _answering(call: Call, offer: Offer) -> bool:
    """Picked up, the bridge still to come: already at work with this caller."""
    phone = call.legs.get(offer.phone or "")
    if offer.result is not OfferResult.ANSWERED or phone is None:
        return False
    return phone.ended_at is None and all(talk.leg != phone.id for talk in call.talks)


def _rested(agent: Agent, at: datetime) -> Agent:
    return rested(agent) if agent.wrapup_until is not None and agent.wrapup_until <= at else agent
