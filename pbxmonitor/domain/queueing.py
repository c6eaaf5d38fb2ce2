"""The queues a caller waits in, one perhaps a member of another, and how he leaves them."""

from typing import Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.bridging import joined
from pbxmonitor.domain.call import Call, Stage, StageKind, StageResult
from pbxmonitor.domain.closing import close_stage
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.offering import for_customer

QUEUE_RESULTS: Final = {
    "TIMEOUT": StageResult.TIMEOUT,
    "FULL": StageResult.FULL,
    "JOINEMPTY": StageResult.EMPTY,
    "LEAVEEMPTY": StageResult.EMPTY,
    "JOINUNAVAIL": StageResult.EMPTY,
    "LEAVEUNAVAIL": StageResult.EMPTY,
    "WITHDRAW": StageResult.KEY,
}


def queued(call: Call, fact: f.CallQueued) -> Call:
    """The caller was let into a queue."""
    if not for_customer(call, fact.leg):
        return call  # an agent consults a queue
    if fact.leg not in (call.first, call.anchor) and not goes_on_behind(call, fact.leg):
        return _queued_within(call, fact)
    stage = call.open_stage
    if stage is not None and stage.kind is StageKind.QUEUE and stage.name == fact.queue and stage.left_at is None:
        return call
    call = close_stage(call, fact.at)
    return evolve(call, stages=(*call.stages, Stage(kind=StageKind.QUEUE, name=fact.queue, entered_at=fact.at)))


def _queued_within(call: Call, fact: f.CallQueued) -> Call:
    """A queue that is a member of the one he waits in: its Answer looked like somebody's, and nobody has answered."""
    if any(stage.nested and stage.leg == fact.leg and stage.left_at is None for stage in call.stages):
        return call
    outer = call.last_stage
    talked = outer is None or any(talk.began_at >= outer.entered_at for talk in call.talks)
    if outer is not None and outer.result is StageResult.ANSWERED and not talked:
        call = call.with_stage(left_at=None, result=None)
    inner = Stage(kind=StageKind.QUEUE, name=fact.queue, entered_at=fact.at, leg=fact.leg, nested=True)
    return evolve(call, stages=(*call.stages, inner))


def unqueued(call: Call, fact: f.CallUnqueued) -> Call:
    """He is out of it; why is told later, unless he left by himself."""
    stage = queue_of(call, fact.leg)
    if stage is None or stage.left_at is not None:
        return call
    return call.with_stage(stage, left_at=fact.at, result=StageResult.ABANDONED if call.caller_left else None)


def queue_finished(call: Call, fact: f.QueueFinished) -> Call:
    """The queue said why it let him go."""
    stage, result = queue_of(call, fact.leg), QUEUE_RESULTS.get(fact.status)
    if stage is None or result is None:
        return call
    return call.with_stage(stage, left_at=stage.left_at or fact.at, result=result)


def connected(call: Call, fact: f.AgentConnected) -> Call:
    """A member took him; of a queue in a queue, both are answered by that."""
    stage = queue_of(call, fact.leg)
    if stage is None:
        return call
    call = call.with_stage(stage, left_at=stage.left_at or fact.at, result=StageResult.ANSWERED)
    outer = call.open_stage if stage.nested else None
    return call if outer is None else call.with_stage(left_at=outer.left_at or fact.at, result=StageResult.ANSWERED)


def queue_of(call: Call, leg: str) -> Stage | None:
    """The queue in which that channel waits: the caller's own, or one that is a member of it."""
    inner = next((stage for stage in reversed(call.stages) if stage.nested and stage.leg == leg), None)
    stage = call.open_stage if inner is None else inner
    return stage if stage is not None and stage.kind is StageKind.QUEUE and stage.result is None else None


def goes_on_behind(call: Call, leg: str) -> bool:
    """Whether the customer, passed on by a Local member or after a consultation, goes on behind that Local channel."""
    passed_on = bool(call.transfers) and all(talk.ended_at for talk in call.talks)
    return passed_on and call.legs[leg].local and leg in joined(call, call.anchor or call.first)
