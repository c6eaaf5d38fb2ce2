"""One customer's call that a provider brings twice, over two trunks: one of the two stands, the other is part of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.domain.evolve import evolve

# The same caller and line within so long of each other are one customer event.
SAME_EVENT: Final = timedelta(seconds=3)

Arrivals = tuple[tuple[datetime, str], ...]


def lately(arrivals: Arrivals, at: datetime) -> Arrivals:
    """The calls that came in so short a while before."""
    return tuple(arrival for arrival in arrivals if at - arrival[0] <= SAME_EVENT)


def twin_of(call: Call, others: Iterable[Call | None]) -> Call | None:
    """The call, still open, that this new one is the same as."""
    if call.caller is None or call.direction is not Direction.INBOUND:
        return None
    return next((other for other in others if other is not None and _same(call, other)), None)


def _same(call: Call, other: Call) -> bool:
    open_alone = other.ended_at is None and other.twin is None and other.direction is Direction.INBOUND
    return open_alone and (other.caller, other.called) == (call.caller, call.called)


def paired(first: Call, second: Call) -> tuple[Call, Call]:
    """The two as twins; the first one stands."""
    return evolve(first, twin=second.key), evolve(second, twin=first.key, merged_into=first.key)


def outlived(one: Call, other: Call) -> Iterator[Call]:
    """The two again where they change places: the one that is talked in stands, else the one that lives longer."""
    stands, hidden = (one, other) if one.merged_into is None else (other, one)
    talked = bool(hidden.talks) and not stands.talks
    if talked or (stands.ended_at is not None and not stands.talks and hidden.ended_at is None):
        yield evolve(stands, merged_into=hidden.key)
        yield evolve(hidden, merged_into=None)
