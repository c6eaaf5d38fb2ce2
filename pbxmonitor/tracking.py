"""What the daemon tracks, as one structured log line each: for those who read logs, and for `make demo`."""

from collections.abc import Sequence
from typing import Any

import structlog

from pbxmonitor.domain.agent import Agent
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.floor import Change

log = structlog.get_logger()


def tell(changes: Sequence[Change]) -> None:
    """One line for each thing that an operator would want to know of."""
    for change in changes:
        for before, after in change.calls:
            _call(before, after)
        for was, agent in change.agents:
            _agent(change.fact.node, was, agent)


def _call(before: Call | None, after: Call) -> None:
    bound = log.bind(node=after.node, call=after.key)
    if before is None:
        bound.info("call_began", direction=after.direction.value, caller=after.caller, called=after.called)
        return
    _rings(before, after, bound)
    for talk in after.talks[len(before.talks) :]:
        bound.info("talk_began", agent=talk.agent)
    for was, talk in zip(before.talks, after.talks, strict=False):
        if was.ended_at is None and talk.ended_at is not None and talk.ended_by is not None:
            seconds = round((talk.ended_at - talk.began_at).total_seconds(), 1)
            bound.info("talk_ended", agent=talk.agent, seconds=seconds, ended_by=talk.ended_by.value)
    if before.ended_at is None and after.ended_at is not None:
        bound.info("call_ended", talks=len(after.talks), rings=len(after.offers))


def _rings(before: Call, after: Call, bound: Any) -> None:
    known = {(offer.leg, offer.began_at): offer.result for offer in before.offers}
    for offer in after.offers:
        key = (offer.leg, offer.began_at)
        if key not in known:
            bound.info("agent_rings", agent=offer.agent, queue=offer.queue)
        if offer.result is not None and known.get(key) is not offer.result:
            seconds = round(((offer.ended_at or offer.began_at) - offer.began_at).total_seconds(), 1)
            bound.info("ring_ended", agent=offer.agent, result=offer.result.value, seconds=seconds)


def _agent(node: str, before: Agent | None, after: Agent) -> None:
    was, now = before.availability if before else None, after.availability
    if was is None or (was.state, was.reason) != (now.state, now.reason):
        log.info("agent_state", node=node, agent=after.id, state=now.state.value, reason=now.reason, note=now.note)
