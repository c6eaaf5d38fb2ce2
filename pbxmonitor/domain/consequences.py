"""What a callback's change means for people: found by comparing it as it was with it as it is."""

from enum import StrEnum

from pbxmonitor.domain.callback import Callback, State


class Consequence(StrEnum):
    """Something that people or CRMs are to hear of."""

    OPENED = "opened"
    CALLS_AGAIN = "calls_again"
    TRIED = "tried"
    SETTLED = "settled"
    GIVEN_UP = "given_up"
    REOPENED = "reopened"


def consequences(before: Callback | None, after: Callback) -> tuple[Consequence, ...]:
    """In the order in which they are told; nothing where nobody needs to know."""
    if before is None:
        return (Consequence.OPENED, *((_ending(after),) if after.closed else ()))
    if before.closed and not after.closed:
        return (Consequence.REOPENED,)
    found: list[Consequence] = []
    if after.priority > before.priority:
        found.append(Consequence.CALLS_AGAIN)
    if after.closed and not before.closed:
        found.append(_ending(after))
    elif len(after.attempts) > len(before.attempts):
        found.append(Consequence.TRIED)
    return tuple(found)


def _ending(debt: Callback) -> Consequence:
    return Consequence.GIVEN_UP if debt.state is State.EXPIRED else Consequence.SETTLED
