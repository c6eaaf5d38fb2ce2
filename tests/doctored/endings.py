"""What a queue says of a talk after the fact, at the wrong time, twice or not at all: the talk stays what it was."""

from tests.doctored.change import dated, doctored, event

COMPLETE = "AgentComplete"
TALKS = (
    "ringall_answered",
    "short_hangup_agent",
    "caller_hangs_up_first",
    "fpbx_answered",
    "blind_transfer",
    "atx_completed",
    "disconnect_code_of_the_agent",
    "disconnect_code_of_the_caller",
)


@doctored(*TALKS)
def agent_complete_told_twice(messages: list[bytes]) -> list[bytes]:
    """The queue says AgentComplete twice, half a second apart."""
    return [each for m in messages for each in ((m, dated(m, 0.5)) if event(m) == COMPLETE else (m,))]


@doctored(*TALKS)
def agent_complete_told_late(messages: list[bytes]) -> list[bytes]:
    """AgentComplete comes after everything else, when every channel has been hung up."""
    late = [m for m in messages if event(m) == COMPLETE]
    return [*(m for m in messages[:-1] if event(m) != COMPLETE), *late, messages[-1]]


@doctored(*TALKS)
def agent_complete_never_told(messages: list[bytes]) -> list[bytes]:
    """AgentComplete never comes, as when the daemon was away for a moment."""
    return [m for m in messages if event(m) != COMPLETE]


@doctored("ringall_answered", "short_hangup_agent", "fpbx_answered", "atx_completed", *TALKS[6:])
def agent_complete_told_before_anybody_leaves(messages: list[bytes]) -> list[bytes]:
    """AgentComplete comes a moment before the first channel leaves the bridge of the talk."""
    told = [m for m in messages if event(m) == COMPLETE]
    rest = [m for m in messages if event(m) != COMPLETE]
    left = next(n for n, m in enumerate(rest) if event(m) == "BridgeLeave")
    return [*rest[:left], *told, *rest[left:]]
