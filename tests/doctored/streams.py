"""Streams that come in another order than they were written, twice, or only in part: the calls stay what they were."""

from tests.doctored.change import doctored, event, header

TOGETHER_S = 0.005
SEVERAL_AT_ONCE = (
    *("ringall_answered", "ringall_abandon", "ringall_nobody", "flood", "fpbx_answered", "fpbx_decline"),
    *("blind_transfer", "atx_completed", "pickup", "phone_refers_with_replaces", "answer_crosses_the_cancel"),
)
SHUFFLED = (
    *SEVERAL_AT_ONCE,
    *("linear_rna_decline_answer", "queue_left_by_key_for_the_operator", "queue_emptied_while_he_waits"),
    *("direct_busy", "internal_call"),
)


def _moment(message: bytes) -> float:
    return float(header(message, "Timestamp") or 0)


def _apart(one: bytes, other: bytes) -> bool:
    """Whether nothing that happened to one channel or call leg is told by both, nor by an answer to us."""
    names = ("Uniqueid", "DestUniqueid", "BridgeUniqueid", "LocalOneUniqueid", "LocalTwoUniqueid", "TargetUniqueid")
    mine, theirs = ({header(m, name) for name in names} - {""} for m in (one, other))
    return bool(mine and theirs) and not mine & theirs and not header(one, "ActionID") and not header(other, "ActionID")


@doctored(*SHUFFLED)
def events_of_different_channels_exchanged(messages: list[bytes]) -> list[bytes]:
    """Every two neighbouring events of different channels that came within 5 ms are told the other way round.

    Only a HangupRequest keeps its place: what follows it follows from it.
    """
    told, at = list(messages), 0
    while at + 1 < len(told):
        one, other = told[at], told[at + 1]
        near = event(one) and event(other) and abs(_moment(one) - _moment(other)) <= TOGETHER_S
        if near and _apart(one, other) and event(one) != "HangupRequest":
            told[at : at + 2] = other, one
            at += 1
        at += 1
    return told


@doctored(*SEVERAL_AT_ONCE)
def hangups_told_late(messages: list[bytes]) -> list[bytes]:
    """Each Hangup is told after the events of other channels that followed it within 5 ms."""
    told = list(messages)
    for at in reversed(range(len(told))):
        if event(told[at]) != "Hangup":
            continue
        to = at
        while to + 1 < len(told) and _moment(told[to + 1]) - _moment(told[at]) <= TOGETHER_S and event(told[to + 1]):
            if not _apart(told[at], told[to + 1]):
                break
            to += 1
        told.insert(to, told.pop(at))
    return told


def _nothing(_: object) -> dict[str, list[object]]:
    return {"calls": [], "intervals": [], "callbacks": []}


@doctored("ringall_answered", "blind_transfer", "fpbx_answered", expected=_nothing)
def only_the_second_half_of_a_call(messages: list[bytes]) -> list[bytes]:
    """What came before the first bridge is cut off, the lists too: nothing is told of the call."""
    bridged = next(at for at, message in enumerate(messages) if event(message) == "BridgeEnter")
    return [messages[0], *messages[bridged:]]
