"""What the rules see on the floor of one PBX, and of its link."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.agent import Agent, AgentState
from pbxmonitor.domain.alerts import Kind, Rule, Seen, Sign, of_count
from pbxmonitor.domain.call import StageKind
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy, WorkingHours

_HOUR: Final = timedelta(hours=1)


def signs_of_floor(floor: Floor, rules: Iterable[Rule], policy: Policy, now: datetime) -> tuple[Sign, ...]:
    """What those of the rules see that look at the floor, in no order that matters.

    Whom nobody expects to take calls (in no queue, no employee, in no team) is not looked at.
    """
    mine = [rule for rule in rules if rule.kind in _LOOK and rule.watches_node(floor.node)]
    return tuple(sign for rule in mine for sign in _LOOK[rule.kind](floor, rule, policy, now))


def signs_of_links(lost: Mapping[str, datetime], rules: Iterable[Rule], now: datetime) -> tuple[Sign, ...]:
    """What the rules see of links that are lost, each since its moment."""
    return tuple(
        _lasting(rule, node, node, lost_at, now)
        for rule in rules
        if rule.kind is Kind.LINK_LOST
        for node, lost_at in lost.items()
        if rule.watches_node(node)
    )


def waiting_in(floor: Floor) -> dict[str, list[datetime]]:
    """By queue, since when each caller waits there."""
    found: dict[str, list[datetime]] = {}
    for call in floor.open_calls():
        stage = call.open_stage
        if stage is not None and stage.kind is StageKind.QUEUE:
            found.setdefault(stage.name, []).append(stage.entered_at)
    return found


def _waiting(floor: Floor, rule: Rule, _policy: Policy, now: datetime) -> Iterator[Sign]:
    for queue, entered in waiting_in(floor).items():
        if rule.watches_queue(queue):
            longest = max(now - min(entered), timedelta())
            too_many = Seen.WELL if rule.more_than is None else of_count(rule, len(entered), rule.more_than + 1)
            too_long = rule.longer is not None and longest > rule.longer
            yield Sign(
                rule=rule.name,
                node=floor.node,
                subject=queue,
                seen=Seen.OVER if too_long else too_many,
                value=len(entered),
                threshold=rule.more_than or 0,
                words={"n": len(entered), "longest": longest},
            )


def _nobody(floor: Floor, rule: Rule, policy: Policy, now: datetime) -> Iterator[Sign]:
    is_open, waiting = policy.hours.open_at(now), waiting_in(floor)
    for queue, members in floor.queues.items():
        if rule.watches_queue(queue) and not any(_can_take(floor.agents.find(name), queue) for name in members):
            yield Sign(
                rule=rule.name,
                node=floor.node,
                subject=queue,
                seen=Seen.OVER if is_open else Seen.MOOT,
                words={"members": len(members), "waiting": len(waiting.get(queue, ()))},
            )


def _can_take(agent: Agent | None, queue: str) -> bool:
    return agent is not None and agent.available_in(queue) and not agent.offline


def _away(floor: Floor, rule: Rule, policy: Policy, now: datetime) -> Iterator[Sign]:
    begin = opened_at(policy.hours, now)
    if begin is not None and rule.in_peak:
        peak = peak_began_at(policy, now)
        begin = None if peak is None else max(begin, peak)
    for agent in floor.agents.values():
        if _concerns(rule, agent, policy):
            state, note = agent.availability.state, agent.availability.note or agent.availability.reason
            words = {"state": state.value, "reason": note}
            if begin is None:
                yield Sign(rule=rule.name, node=floor.node, subject=agent.id, agent=agent.id, seen=Seen.MOOT)
            else:
                since = max(begin, agent.availability.began_at)
                yield _lasting(rule, floor.node, agent.id, since, now, agent=agent.id, **words)


def _concerns(rule: Rule, agent: Agent, policy: Policy) -> bool:
    """Whether the agent is away in the sense of the rule; out of some of his queues only is not away."""
    now = agent.availability
    if now.state not in rule.states or (now.state is AgentState.PAUSED and agent.partly_paused):
        return False
    if rule.reason and now.reason not in rule.reason:
        return False
    expected = agent.was_member or agent.id in policy.employees or policy.team_of(agent.id) is not None
    return expected and rule.watches(agent.id, policy)


def _lasting(
    rule: Rule, node: str, subject: str, since: datetime, now: datetime, agent: str | None = None, **words: object
) -> Sign:
    """Something that may last as long as the rule allows."""
    lasts, limit = max(now - since, timedelta()), rule.longer or timedelta()
    return Sign(
        rule=rule.name,
        node=node,
        subject=subject,
        agent=agent,
        seen=Seen.OVER if lasts > limit else Seen.BETWEEN,
        value=lasts.total_seconds(),
        threshold=limit.total_seconds(),
        since=since,
        words={**words, "lasts": lasts, "limit": limit},
    )


def opened_at(hours: WorkingHours, now: datetime) -> datetime | None:
    """When the stretch of working time began that is going on; None while the site is closed."""
    if hours.always:
        return datetime.min.replace(tzinfo=now.tzinfo)
    spans: Sequence[tuple[datetime, datetime]] = hours.spans(hours.day_of(now))
    return next((begin for begin, end in spans if begin <= now < end), None)


def peak_began_at(policy: Policy, now: datetime) -> datetime | None:
    """When the run of peak hours began that is going on; None outside of them."""
    peak, zone = policy.peak_hours or frozenset(), policy.hours.zone
    local = now.astimezone(zone)
    begin = now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    if local.hour not in peak:
        return None
    for _ in range(23):
        if (begin - _HOUR).astimezone(zone).hour not in peak:
            break
        begin -= _HOUR
    return begin


_LOOK: Final[dict[Kind, Callable[[Floor, Rule, Policy, datetime], Iterator[Sign]]]] = {
    Kind.CALLERS_WAITING: _waiting,
    Kind.NOBODY_AVAILABLE: _nobody,
    Kind.AWAY: _away,
    Kind.OFFLINE: _away,
}
