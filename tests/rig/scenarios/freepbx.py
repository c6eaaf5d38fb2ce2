"""FreePBX: extensions, mailboxes, ring groups and Follow Me

The clinic of docker/asterisk/etc/pbx/extensions_freepbx.conf: extensions 11 to 14 of each department.
"""

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Truth

ELSEWHERE = "answered_elsewhere"
MAILBOX, PLAIN, GROUP, HUNT, FOLLOW_ME, PRESS_1, GROUP_PRESS_1 = 41, 42, 43, 44, 45, 46, 52


@story(14)
async def freepbx_extension_answered(desk: Desk) -> Truth:
    """A call comes straight to an extension (from-did-direct), whose phone answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(11, "answer:2:7")
    await desk.call(MAILBOX, caller)
    await desk.over()
    call = answered(
        desk, MAILBOX, caller, desk(11), 2, 7.5, stages=(("dial", desk(11), "answered"),),
        offers=((desk(11), "answered"),), talks=((desk(11), "agent"),), verdicts={desk(11): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22)
async def freepbx_voicemail(desk: Desk) -> Truth:
    """The extension rings 8 s; the caller speaks to its mailbox for 6 s and hangs up: nobody talked to him."""
    caller = desk.customer()
    await desk.call(MAILBOX, caller, stay=6, patience=30)
    await desk.over()
    call = lost(
        desk, MAILBOX, caller, "abandoned", "ignored", 14, offers=((desk(11), "rna"),), talks=(),
        stages=(("dial", desk(11), "no_answer"), ("voicemail", desk(11), "abandoned")), verdicts={desk(11): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(8)
async def freepbx_busy_phone(desk: Desk) -> Truth:
    """An extension without a mailbox, whose phone says 486 at once: the caller hears busy, nobody missed him."""
    caller = desk.customer()
    await desk.behave(12, "busy")
    await desk.call(PLAIN, caller, stay=20)
    await desk.over()
    call = lost(
        desk, PLAIN, caller, "busy", "refused", 0, stages=(("dial", desk(12), "busy"),),
        offers=((desk(12), "busy"),), verdicts={desk(12): "refused"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(12)
async def freepbx_phone_not_registered(desk: Desk) -> Truth:
    """The phone is not registered: FreePBX has nothing to dial and dials nothing. A technical miss, nobody's fault."""
    caller = desk.customer()
    await desk.rig.unplug(desk(12))
    await desk.wait_for(lambda: _gone(desk))
    await desk.call(PLAIN, caller, stay=20)
    await desk.over()
    await desk.rig.plug(desk(12))
    call = lost(
        desk, PLAIN, caller, "unreachable", "technical", 0, stages=(("dial", desk(12), "unreachable"),),
        offers=((desk(12), "unreachable"),), verdicts={desk(12): "not_counted"},
    )  # fmt: skip
    return Truth(calls=(call,))


async def _gone(desk: Desk) -> bool:
    return not await desk.rig.registered(desk(12))


def _group(desk: Desk) -> tuple[tuple[str, str, str], str, str, str]:
    one, two, three = desk(11), desk(12), desk(13)
    return ("dial", f"{one}&{two}&{three}", ""), one, two, three


@story(12)
async def freepbx_ring_group_answered(desk: Desk) -> Truth:
    """A ring group of three, all at once, with a prefix to the caller's name: the second answers after 2 s."""
    caller = desk.customer()
    await desk.behave(12, "answer:2:7")
    await desk.call(GROUP, caller, name="Иван Петров")
    await desk.over()
    (kind, name, _), one, two, three = _group(desk)
    offers = ((one, ELSEWHERE), (two, "answered"), (three, ELSEWHERE))
    call = answered(
        desk, GROUP, caller, two, 2, 7.5, stages=((kind, name, "answered"),), offers=offers, verdicts=dict(offers)
    )
    return Truth(calls=(call,))


@story(14)
async def freepbx_ring_group_nobody(desk: Desk) -> Truth:
    """The ring group rings 8 s in vain and the PBX ends the call: three phones rang, three missed it."""
    caller = desk.customer()
    await desk.call(GROUP, caller, stay=30)
    await desk.over()
    (kind, name, _), one, two, three = _group(desk)
    call = lost(
        desk, GROUP, caller, "no_answer", "ignored", 8, stages=((kind, name, "no_answer"),),
        offers=((one, "rna"), (two, "rna"), (three, "rna")), verdicts=dict.fromkeys((one, two, three), "missed"),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(26)
async def freepbx_hunt_group(desk: Desk) -> Truth:
    """A ring group of the strategy hunt: 5 s the first, 5 s the second, then an extension, who answers after 2 s."""
    caller = desk.customer()
    await desk.behave(13, "answer:2:7")
    await desk.call(HUNT, caller)
    await desk.over()
    _, one, two, three = _group(desk)
    call = answered(
        desk, HUNT, caller, three, 12, 7.5, offers=((one, "rna"), (two, "rna"), (three, "answered")),
        stages=(("dial", one, "no_answer"), ("dial", two, "no_answer"), ("dial", three, "answered")),
        verdicts={one: "missed", two: "missed", three: "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def freepbx_follow_me_at_the_desk(desk: Desk) -> Truth:
    """Follow Me rings the phone, 3 s later the mobile too; she answers at her desk after 6 s: one person and answer."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "ring")
    await desk.behave(13, "answer:6:7")
    await desk.call(FOLLOW_ME, caller)
    await desk.over()
    call = answered(
        desk, FOLLOW_ME, caller, desk(13), 6, 7.5, stages=(("dial", desk(13), "answered"),),
        offers=((desk(13), "answered"), (desk(13), ELSEWHERE)), talks=((desk(13), "agent"),),
        verdicts={desk(13): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(18, short=True)
async def freepbx_follow_me_at_the_mobile(desk: Desk) -> Truth:
    """Follow Me again; she answers at her mobile, 2 s after it began to ring: it is still she who answered."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(FOLLOW_ME, caller)
    await desk.over()
    call = answered(
        desk, FOLLOW_ME, caller, desk(13), 5, 7.5, stages=(("dial", desk(13), "answered"),),
        offers=((desk(13), ELSEWHERE), (desk(13), "answered")), talks=((desk(13), "agent"),),
        verdicts={desk(13): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def freepbx_follow_me_one_miss(desk: Desk) -> Truth:
    """Phone and mobile ring in vain for 15 s: two devices of one person, one miss."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "ring")
    await desk.call(FOLLOW_ME, caller, stay=40)
    await desk.over()
    call = lost(
        desk, FOLLOW_ME, caller, "no_answer", "ignored", 15, stages=(("dial", desk(13), "no_answer"),),
        offers=((desk(13), "rna"), (desk(13), "rna")), talks=(), verdicts={desk(13): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22, short=True)
async def freepbx_press_1_accepted(desk: Desk) -> Truth:
    """ "Press 1 to accept": the mobile picks up after 1 s and presses 1 two seconds later; only then does she talk."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:1:9:wwww1")
    await desk.call(PRESS_1, caller)
    await desk.over()
    call = answered(
        desk, PRESS_1, caller, desk(14), 6.5, 9.4, stages=(("dial", desk(14), "answered"),),
        offers=((desk(14), ELSEWHERE), (desk(14), "answered")), talks=((desk(14), "agent"),),
        verdicts={desk(14): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(26)
async def freepbx_press_1_never_pressed(desk: Desk) -> Truth:
    """The mobile's own answering machine picks up and presses nothing: nobody answered, and she has one miss."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:1:30")
    await desk.call(PRESS_1, caller, stay=40)
    await desk.over()
    call = lost(
        desk, PRESS_1, caller, "no_answer", "ignored", 15, stages=(("dial", desk(14), "no_answer"),),
        offers=((desk(14), "rna"), (desk(14), "rna")), talks=(), verdicts={desk(14): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(18)
async def freepbx_press_1_caller_leaves(desk: Desk) -> Truth:
    """The mobile has picked up and is being asked for the 1 when the caller gives up, at 8 s: not answered, a miss."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:1:30")
    await desk.call(PRESS_1, caller, stay=8)
    await desk.over()
    call = lost(
        desk, PRESS_1, caller, "abandoned", "ignored", 8, stages=(("dial", desk(14), "abandoned"),), talks=(),
        offers=((desk(14), "caller_gave_up"), (desk(14), "caller_gave_up")), verdicts={desk(14): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22)
async def freepbx_press_1_in_a_ring_group(desk: Desk) -> Truth:
    """A ring group of an extension and a mobile with "press 1": it picks up, but the extension answers at 6 s."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:1:30")
    await desk.behave(11, "answer:6:7")
    await desk.call(GROUP_PRESS_1, caller)
    await desk.over()
    call = answered(
        desk, GROUP_PRESS_1, caller, desk(11), 6, 7.5, stages=(("dial", f"{desk(11)}&{desk.mobile}", "answered"),),
        offers=((desk(11), "answered"),), talks=((desk(11), "agent"),), verdicts={desk(11): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))
