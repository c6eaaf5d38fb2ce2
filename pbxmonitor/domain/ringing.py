"""How one ringing ended, read from the phone's own Hangup and nothing that comes before it."""

from datetime import timedelta
from typing import Final

from pbxmonitor.domain.call import Call, Leg, Offer, OfferResult, StageResult

# Q.850: user busy; call rejected. Asterisk gives 17 for 486 and 600, 21 for 403 and 603.
REFUSALS: Final = frozenset({17, 21})
ANSWERED_ELSEWHERE: Final = 26
# DIALSTATUS where nothing rang.
NOT_RUNG: Final = {"BUSY": OfferResult.BUSY, "CHANUNAVAIL": OfferResult.UNREACHABLE}
# No route, no user responding, absent, out of order, network trouble, not available, recovery on timer expiry.
FAILURES: Final = frozenset({1, 2, 3, 18, 20, 22, 27, 28, 29, 34, 38, 41, 42, 44, 50, 58, 66, 88, 102, 111, 127})
# 480, which a phone in DND says by itself.
_UNAVAILABLE: Final = 19
# 302: 22 says redirected, 16 nothing; either way it was the phone that asked.
_SENT_ON: Final = frozenset({0, 23})
_BY_HAND: Final = timedelta(seconds=1)
_AT_THAT_MOMENT: Final = timedelta(seconds=1)


def outcome(call: Call, offer: Offer, phone: Leg) -> OfferResult:
    """The offer's result; `phone` is its real phone's leg, ended (a Local channel's half when no phone was made)."""
    if phone.cause is None or phone.ended_at is None:
        return OfferResult.CANCELLED
    if phone.picked or phone.cause == ANSWERED_ELSEWHERE or _colleague_answered(call, offer, phone):
        return OfferResult.ANSWERED_ELSEWHERE
    refused = _refused(call, phone, phone.ended_at - offer.began_at)
    if refused is not None:
        return refused
    if _caller_left_before(call, phone) or _queue_left_by_key(call, offer, phone):
        return OfferResult.CALLER_GAVE_UP
    if phone.rang_at is None and phone.answered_at is None and phone.cause in FAILURES:
        return OfferResult.UNREACHABLE
    sent_on = phone.gave_up and phone.cause in _SENT_ON
    return OfferResult.CANCELLED if sent_on or _taken_away(call, offer, phone) else OfferResult.RNA


def _refused(call: Call, phone: Leg, lasted: timedelta) -> OfferResult | None:
    """What the phone itself said, or that it said nothing for long; None where it just rang."""
    if phone.cause in REFUSALS and not _caller_left_before(call, phone):
        return OfferResult.DECLINED if lasted >= _BY_HAND else OfferResult.BUSY
    if not phone.unheard or phone.local:
        return None
    if lasted >= _BY_HAND:
        return OfferResult.UNREACHABLE
    return OfferResult.BUSY if phone.cause == _UNAVAILABLE and phone.gave_up else None


def _caller_left_before(call: Call, phone: Leg) -> bool:
    asked = call.first_leg.asked_at
    return call.caller_left and asked is not None and phone.ended_at is not None and asked <= phone.ended_at


def _queue_left_by_key(call: Call, offer: Offer, phone: Leg) -> bool:
    queue = next((s for s in reversed(call.stages) if s.name == offer.queue and s.entered_at <= offer.began_at), None)
    if queue is None or queue.result is not StageResult.KEY or queue.left_at is None or phone.ended_at is None:
        return False
    return abs(phone.ended_at - queue.left_at) <= _AT_THAT_MOMENT


def _colleague_answered(call: Call, offer: Offer, phone: Leg) -> bool:
    """A colleague picked up at that moment: older Asterisks cancel the others with an ordinary cause."""
    ended = phone.ended_at
    if ended is None or phone.cause in REFUSALS:
        return False
    others = (o for o in call.offers if o is not offer and o.result is OfferResult.ANSWERED and o.queue == offer.queue)
    return any(o.ended_at is not None and timedelta() <= ended - o.ended_at <= _AT_THAT_MOMENT for o in others)


def _taken_away(call: Call, offer: Offer, phone: Leg) -> bool:
    """Somebody else ended the ring: the PBX hung up the phone, or the caller while his Dial or Queue still ran."""
    if phone.ordered_at is not None:
        return True
    ordered = call.first_leg.ordered_at
    if ordered is None or call.first_leg.gave_up or phone.ended_at is None or ordered > phone.ended_at:
        return False
    stage = next((each for each in reversed(call.stages) if each.entered_at <= offer.began_at), None)
    return stage is None or stage.left_at is None or stage.left_at >= ordered
