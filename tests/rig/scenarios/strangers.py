"""SIP phones and providers other than Asterisk: what they say on the wire and an Asterisk that plays phones cannot.

Lines 38 and 39 of docker/asterisk/etc/pbx/door.conf, the messages in tests/rig/sipp.
"""

from tests.rig.desk import SIPP_PHONE, Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

DIRECT, QUEUED = 38, 39


@story(8, short=True)
async def phone_declines_603(desk: Desk) -> Truth:
    """603 Decline after a ring of 3 s: somebody pressed the red button."""
    caller = desk.customer()
    async with desk.stranger("declines_603"):
        await desk.call(DIRECT, caller, stay=20)
        await desk.over()
    seventh = desk(SIPP_PHONE)
    call = lost(
        desk, DIRECT, caller, "busy", "declined", 3,
        stages=(("dial", seventh, "busy"),), offers=((seventh, "declined"),), verdicts={seventh: "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(8)
async def phone_unavailable_480_at_once(desk: Desk) -> Truth:
    """480 at once, without a ring: the do-not-disturb of many phones. Refused, not missed."""
    caller = desk.customer()
    async with desk.stranger("unavailable_480"):
        await desk.call(DIRECT, caller, stay=20)
        await desk.over()
    seventh = desk(SIPP_PHONE)
    call = lost(
        desk, DIRECT, caller, "busy", "refused", 0,
        stages=(("dial", seventh, "busy"),), offers=((seventh, "busy"),), verdicts={seventh: "refused"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(10)
async def phone_rings_then_480(desk: Desk) -> Truth:
    """480 after a ring of 6 s: the phone itself gave up ringing. It rang out."""
    caller = desk.customer()
    async with desk.stranger("rings_then_480"):
        await desk.call(DIRECT, caller, stay=20)
        await desk.over()
    seventh = desk(SIPP_PHONE)
    call = lost(
        desk, DIRECT, caller, "no_answer", "ignored", 6,
        stages=(("dial", seventh, "no_answer"),), offers=((seventh, "rna"),), verdicts={seventh: "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def phone_moves_the_caller_302(desk: Desk) -> Truth:
    """302 after a ring of 2 s: by a button of the phone the caller goes to a mobile, which answers after 2 s."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:2:7")
    async with desk.stranger("moved_302", to=desk.mobile):
        await desk.call(DIRECT, caller)
        await desk.over()
    seventh = desk(SIPP_PHONE)
    call = answered(
        desk, DIRECT, caller, desk.mobile, 4, 7.5, offers=((seventh, "cancelled"),), verdicts={seventh: "not_counted"}
    )
    return Truth(calls=(call,))


@story(24)
async def phone_never_answers_the_invite(desk: Desk) -> Truth:
    """The INVITE is swallowed: no 100, no 180. For 10 s the caller hears nothing ring; it is nobody's miss."""
    caller = desk.customer()
    async with desk.stranger("silent"):
        await desk.call(DIRECT, caller, stay=20)
        await desk.over()
    seventh = desk(SIPP_PHONE)
    call = lost(
        desk, DIRECT, caller, "unreachable", "technical", 10,
        stages=(("dial", seventh, "unreachable"),),
        offers=((seventh, "unreachable"),), verdicts={seventh: "not_counted"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(14)
async def phone_holds_by_reinvite(desk: Desk) -> Truth:
    """Hold by re-INVITE (sendonly): the agent talks 2 s, holds 3 s, talks 3 s more and hangs up: one talk."""
    caller = desk.customer()
    seventh = desk(SIPP_PHONE)
    async with desk.stranger("holds"):
        await desk.call(QUEUED, caller)
        await desk.over()
    call = answered(desk, QUEUED, caller, seventh, 2, 8, talks=((seventh, "agent"),), verdicts={seventh: "answered"})
    return Truth(calls=(call,))


@story(18, short=True)
async def phone_refers_blindly(desk: Desk) -> Truth:
    """Blind REFER: the agent talks 3 s and sends the caller to a colleague, who answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(2, "answer:2:7")
    seventh = desk(SIPP_PHONE)
    async with desk.stranger("refers", to=desk(2)):
        await desk.call(QUEUED, caller)
        await desk.over()
    call = answered(
        desk, QUEUED, caller, seventh, 2, 10.5, talks=((seventh, "transfer"), (desk(2), "agent")),
        stages=(("queue", desk.queue("sipp"), "answered"), ("dial", desk(2), "answered")),
        transfers=(("blind", seventh, desk(2)),), verdicts={seventh: "answered", desk(2): "answered"},
        short_hangup=False,
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def phone_refers_with_replaces(desk: Desk) -> Truth:
    """Attended REFER with Replaces: he talks 3 s, asks a colleague on a second line, joins the two and is gone."""
    caller = desk.customer()
    await desk.behave(2, "answer:1:9")
    seventh = desk(SIPP_PHONE)
    async with desk.stranger("refers_with_replaces", to=desk(2)):
        await desk.call(QUEUED, caller)
        await desk.over()
    call = Call(
        caller=caller, called=desk.line(QUEUED), cause=None, colour="green", wait_s=2, answered_by=seventh,
        ended_by="agent", short_hangup=False, talks=((seventh, "transfer"), (desk(2), "agent")),
        stages=(("queue", desk.queue("sipp"), "answered"), ("dial", desk(2), "answered")),
        transfers=(("attended", seventh, desk(2)),), verdicts={seventh: "answered", desk(2): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(10)
async def answer_crosses_the_cancel(desk: Desk) -> Truth:
    """The caller gives up after 6 s; the phone's 200 crosses the CANCEL on the wire: nobody was talked to."""
    caller = desk.customer()
    seventh = desk(SIPP_PHONE)
    async with desk.stranger("answers_a_cancel"):
        await desk.call(DIRECT, caller, stay=6)
        await desk.over()
    call = lost(
        desk, DIRECT, caller, "abandoned", "ignored", 6, stages=(("dial", seventh, "abandoned"),),
        offers=((seventh, "caller_gave_up"),), talks=(), verdicts={seventh: "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(10)
async def bye_follows_the_answer_at_once(desk: Desk) -> Truth:
    """The agent picks up after 3 s and his BYE follows the 200 before the ACK: he dropped the caller."""
    caller = desk.customer()
    seventh = desk(SIPP_PHONE)
    async with desk.stranger("drops_at_once"):
        await desk.call(DIRECT, caller)
        await desk.over()
    call = Call(
        caller=caller, called=desk.line(DIRECT), lost=True, cause="dropped", colour="red", wait_s=3, talk_s=0,
        short_hangup=True, offers=((seventh, "answered"),), verdicts={seventh: "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(8)
async def cancel_crosses_the_answer(desk: Desk) -> Truth:
    """The agent answers after 2 s as the caller's CANCEL is on its way, and his BYE follows: the caller left."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:20")
    async with desk.second_provider("cancel_crosses_the_answer", 5, caller):
        await desk.over()
    call = answered(
        desk, 5, caller, desk(1), 2, 0, ended_by="caller", short_hangup=False,
        offers=((desk(1), "answered"),), verdicts={desk(1): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(14)
async def provider_reinvites(desk: Desk) -> Truth:
    """The provider's re-INVITEs in mid-call (session refresh, another port) change nothing: one talk, the caller ends.

    He hangs up 9 s after the PBX took the call, of which he waited 1.5 s.
    """
    caller = desk.customer()
    await desk.behave(1, "answer:1:30")
    async with desk.second_provider("provider_reinvites", 2, caller):
        await desk.over()
    call = answered(
        desk, 2, caller, desk(1), 1, 7.5, ended_by="caller", short_hangup=False,
        talks=((desk(1), "caller"),), verdicts={desk(1): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))
