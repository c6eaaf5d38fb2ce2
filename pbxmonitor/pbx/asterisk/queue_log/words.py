"""Asterisk's words in queue_log for how stays and talks end, and in which field of the data their durations stand."""

from typing import Final

from pbxmonitor.domain.call import EndedBy, OfferResult, StageResult

_NOWHERE: Final = 99
# How a stay in a queue ends without an agent, and the field of its waiting time.
EXITS: Final[dict[str, tuple[StageResult, int]]] = {
    "ABANDON": (StageResult.ABANDONED, 2),
    "EXITWITHTIMEOUT": (StageResult.TIMEOUT, 2),
    "EXITEMPTY": (StageResult.EMPTY, 2),
    "EXITWITHKEY": (StageResult.KEY, 3),
    "WITHDRAW": (StageResult.TRANSFERRED, 2),
    "LEAVEEMPTY": (StageResult.EMPTY, _NOWHERE),
    "SYSCOMPAT": (StageResult.UNREACHABLE, _NOWHERE),
}
# Callers who were not let in. The dialplan writes these, and no ENTERQUEUE comes before them.
TURNED_AWAY: Final[dict[str, StageResult]] = {
    "JOINEMPTY": StageResult.EMPTY,
    "FULL": StageResult.FULL,
    "CLOSED": StageResult.PASSED,
    "DIVERT_CA_RATIO": StageResult.PASSED,
    "DIVERT_HOLDTIME": StageResult.PASSED,
}
# How a talk ends, and the field of the waiting time before it; the talking time follows.
ENDS: Final[dict[str, tuple[EndedBy, int]]] = {
    "COMPLETEAGENT": (EndedBy.AGENT, 0),
    "COMPLETECALLER": (EndedBy.CALLER, 0),
    "TRANSFER": (EndedBy.TRANSFER, 2),
    "BLINDTRANSFER": (EndedBy.TRANSFER, 2),
    "ATTENDEDTRANSFER": (EndedBy.TRANSFER, 2),
}
# What a ring was that Asterisk calls cancelled, by what came of the stay right after it.
CANCELLED: Final[dict[StageResult, OfferResult]] = {
    StageResult.ABANDONED: OfferResult.CALLER_GAVE_UP,
    StageResult.ANSWERED: OfferResult.ANSWERED_ELSEWHERE,
    StageResult.TIMEOUT: OfferResult.RNA,
}
