"""Traps of CDR, each in a few rows as they are pasted into forums and tickets."""

from datetime import UTC, datetime, timedelta

from pbxmonitor.domain.call import Call, OfferResult, StageKind, StageResult
from pbxmonitor.domain.callback import AttemptResult, attempt_of
from pbxmonitor.domain.judge import Cause, Disposition, Judgement, Verdict, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.cdr import Cdr, CdrRow, rows_of_table
from pbxmonitor.pbx.asterisk.naming import Site

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BORN = int(NOON.timestamp())
CLIENT, LINE = "+79161234567", "74951234567"


def row(at: float, until: float, **told: object) -> dict[str, object]:
    """One record that begins and ends so many seconds after noon."""
    usual = {
        "src": CLIENT,
        "dst": LINE,
        "dcontext": "from-trunk",
        "channel": "PJSIP/trunk-00000001",
        "dstchannel": "",
        "lastapp": "Queue",
        "lastdata": "sales,t,,,30",
        "start": NOON + timedelta(seconds=at),
        "answer": NOON + timedelta(seconds=at),
        "end": NOON + timedelta(seconds=until),
        "disposition": "NO ANSWER",
        "uniqueid": f"{BORN}.1",
        "linkedid": f"{BORN}.1",
    }
    return usual | told


def calls_of(*rows: dict[str, object], site: Site | None = None) -> list[Call]:
    cdr = Cdr(site or Site(node="main"), UTC)
    found = [each for each in rows_of_table(rows, UTC) if isinstance(each, CdrRow)]
    assert len(found) == len(rows)
    return [*(call for each in found for call in cdr.take(each)), *cdr.finish()]


def told(*rows: dict[str, object], site: Site | None = None) -> tuple[Call, Judgement]:
    (call,) = calls_of(*rows, site=site)
    return call, judge(call, Policy(), NOON)


def test_answered_by_a_menu_is_nobodys_answer() -> None:
    call, verdict = told(row(0, 20, lastapp="BackGround", lastdata="welcome", disposition="ANSWERED"))
    assert (call.talks, verdict.disposition, verdict.cause) == ((), Disposition.ABANDONED, Cause.IVR)


def test_answered_by_a_queue_without_a_phone_is_nobodys_answer() -> None:
    call, verdict = told(row(0, 20, disposition="ANSWERED"))
    assert (call.talks, verdict.disposition, verdict.lost) == ((), Disposition.ABANDONED, True)


def test_answered_by_a_mailbox_is_nobodys_answer() -> None:
    call, verdict = told(
        row(0, 20, lastapp="Dial", lastdata="PJSIP/101,20", dstchannel="PJSIP/101-00000002", answer=None),
        row(20, 50, lastapp="VoiceMail", lastdata="101@default,su", disposition="ANSWERED"),
    )
    assert [stage.kind for stage in verdict.stages] == [StageKind.DIAL, StageKind.VOICEMAIL]
    assert (call.talks, verdict.verdicts, verdict.lost) == ((), {"101": Verdict.MISSED}, True)


def test_the_tail_row_of_hangup_is_nobodys_answer() -> None:
    call, verdict = told(
        row(0, 30, dstchannel="PJSIP/101-00000002"),
        row(30, 30, lastapp="Hangup", lastdata="", disposition="ANSWERED"),
    )
    assert (call.talks, verdict.disposition) == ((), Disposition.NO_ANSWER)


def test_billed_seconds_of_a_colleagues_ring_are_no_talk() -> None:
    call, verdict = told(
        row(0, 5, dstchannel="PJSIP/101-00000002", billsec=5, duration=5),
        row(0, 60, dstchannel="PJSIP/102-00000003", disposition="ANSWERED", billsec=60, duration=60),
    )
    assert [talk.agent for talk in call.talks] == ["102"]
    assert verdict.verdicts == {"101": Verdict.ANSWERED_ELSEWHERE, "102": Verdict.ANSWERED}


def test_who_hung_up_is_not_made_up() -> None:
    call, verdict = told(row(0, 4, dstchannel="PJSIP/101-00000002", disposition="ANSWERED"))
    assert call.talks[0].ended_by is None
    assert (verdict.ended_by, verdict.short_hangup, verdict.lost) == (None, False, False)


def test_an_unknown_pick_up_is_unknown_and_not_zero() -> None:
    """One phone rang, on a channel that the dialplan had answered before: no row tells when it was picked up."""
    call, _ = told(row(0, 40, dstchannel="PJSIP/101-00000002", disposition="ANSWERED"))
    assert (call.offers[0].result, call.offers[0].ended_at) == (OfferResult.ANSWERED, None)


def test_the_phones_own_row_behind_a_local_member_tells_the_pick_up() -> None:
    inner = {"channel": "Local/104@from-queue-00000001;2", "dstchannel": "SIP/104-00000005", "lastapp": "Dial"}
    call, verdict = told(
        row(1, 20, answer=NOON + timedelta(seconds=6), lastdata="SIP/104,15", disposition="ANSWERED", **inner),
        row(0, 20, dstchannel="Local/104@from-queue-00000001;1", disposition="ANSWERED"),
    )
    assert [(talk.agent, talk.began_at - NOON) for talk in call.talks] == [("104", timedelta(seconds=6))]
    assert [(offer.agent, offer.queue) for offer in call.offers] == [("104", "sales")]
    assert verdict.wait_s == 6


def test_a_busy_member_behind_a_local_channel_refused() -> None:
    inner = {"channel": "Local/104@from-queue-00000001;2", "dstchannel": "SIP/104-00000005", "lastapp": "Dial"}
    _, verdict = told(
        row(0, 0, answer=None, lastdata="SIP/104,15", disposition="BUSY", **inner),
        row(0, 0, dstchannel="Local/104@from-queue-00000001;1"),
        row(0, 30, lastapp="Hangup", lastdata=""),
    )
    assert verdict.verdicts == {"104": Verdict.REFUSED}


def test_a_failed_member_is_technical() -> None:
    inner = {"channel": "Local/104@from-queue-00000001;2", "dstchannel": "", "lastapp": "Dial"}
    _, verdict = told(
        row(0, 0, answer=None, lastdata="SIP/104,15", disposition="FAILED", **inner),
        row(0, 0, dstchannel="Local/104@from-queue-00000001;1"),
        row(0, 30, lastapp="Hangup", lastdata=""),
    )
    assert verdict.verdicts == {"104": Verdict.NOT_COUNTED}


def test_rows_without_linkedid_are_joined_by_their_channels() -> None:
    inner = {"channel": "Local/104@from-queue-00000001;2", "dstchannel": "SIP/104-00000005", "lastapp": "Dial"}
    calls = calls_of(
        row(1, 20, uniqueid=f"{BORN}.4", linkedid="", lastdata="SIP/104,15", disposition="ANSWERED", **inner),
        row(0, 20, linkedid="", dstchannel="Local/104@from-queue-00000001;1", disposition="ANSWERED"),
    )
    assert [call.key for call in calls] == [f"{BORN}.1"]


def test_a_channel_name_used_again_after_a_restart_is_another_channel() -> None:
    calls = calls_of(
        row(0, 20, linkedid="", dstchannel="PJSIP/101-00000002"),
        row(600, 620, linkedid="", uniqueid=f"{BORN + 600}.1", dstchannel="PJSIP/101-00000002"),
    )
    assert [call.key for call in calls] == [f"{BORN}.1", f"{BORN + 600}.1"]


def test_a_row_told_twice_counts_once() -> None:
    """`accountlogs` writes every row into a second file as well."""
    call, _ = told(*[row(0, 20, dstchannel="PJSIP/101-00000002")] * 2)
    assert len(call.offers) == 1


def test_twelve_rings_are_one_call_and_three_misses() -> None:
    rings = [
        row(at, at + 8, dstchannel=f"PJSIP/{agent}-{number:08x}")
        for number, (at, agent) in enumerate((at, agent) for at in (0, 9, 18, 27) for agent in (101, 102, 103))
    ]
    call, verdict = told(*rings, row(35, 35, lastapp="Hangup", lastdata="", disposition="ANSWERED"))
    assert len(call.offers) == 12
    assert verdict.verdicts == dict.fromkeys(("101", "102", "103"), Verdict.MISSED)
    assert verdict.stages[0].result is StageResult.TIMEOUT


def test_the_did_column_names_the_line_and_the_direction_of_freepbx() -> None:
    """A trunk that no setting names, in a context that says nothing."""
    call, _ = told(row(0, 9, dst="600", dcontext="ext-queues", channel="PJSIP/beeline-00000001", did=LINE))
    assert (call.direction, call.called, call.caller) == ("inbound", "+" + LINE, CLIENT)


def test_a_trunk_without_a_did_column_is_known_by_not_being_a_phone() -> None:
    call, _ = told(row(0, 9, dst="600", dcontext="ext-queues", channel="SIP/beeline-00000001"))
    assert call.direction == "inbound"


def test_a_phone_with_a_name_is_known_by_its_short_number() -> None:
    call, _ = told(row(0, 9, src="1045", dst="1001", dcontext="default", channel="SIP/as2mkq-0000001f", lastapp="Dial"))
    assert call.direction == "internal"


def test_settings_name_a_trunk() -> None:
    site = Site(node="main", trunks=frozenset({"PJSIP/100"}))
    call, _ = told(row(0, 9, dcontext="whatever", channel="PJSIP/100-00000001"), site=site)
    assert call.direction == "inbound"


def test_a_dial_out_is_outbound_whatever_the_dial_string() -> None:
    for data in ("PJSIP/89161234567@mts,60,T", "SIP/mts/89161234567,60", "DAHDI/g0/89161234567,60"):
        call, verdict = told(
            row(
                *(0, 20),
                src="101",
                dst="89161234567",
                dcontext="from-internal",
                channel="PJSIP/101-00000001",
                dstchannel="SIP/mts-00000002",
                lastapp="Dial",
                lastdata=data,
                answer=NOON + timedelta(seconds=8),
                disposition="ANSWERED",
            )
        )
        assert (call.direction, call.caller, call.called) == ("outbound", "101", CLIENT)
        assert (verdict.answered_by, verdict.talk_s) == (CLIENT, 12)


def outbound(until: float, **told: object) -> dict[str, object]:
    usual = {"src": "101", "dst": CLIENT, "dcontext": "from-internal", "channel": "PJSIP/101-00000001", "answer": None}
    usual |= {"dstchannel": "PJSIP/trunk-00000002", "lastapp": "Dial", "lastdata": f"PJSIP/{CLIENT}@trunk,60"}
    return row(0, until, **(usual | told))


def test_a_callback_is_an_attempt_with_its_ring_and_result() -> None:
    """What `settle` needs of an outbound call: the leg outside, how long it rang and how it ended."""
    expected = {
        (20, "NO ANSWER"): AttemptResult.NO_ANSWER,
        (4, "NO ANSWER"): AttemptResult.TOO_SHORT,
        (0, "BUSY"): AttemptResult.BUSY,
    }
    for (until, disposition), result in expected.items():
        call, verdict = told(outbound(until, disposition=disposition))
        attempt = attempt_of(call, verdict, Policy())
        assert attempt is not None
        assert (attempt.agent, attempt.rang_s, attempt.result) == ("101", until, result)


def test_the_other_side_ending_early_is_busy_and_not_a_fake() -> None:
    """The dialplan went on after 4 of 60 seconds: it was not our side that let go."""
    after = {"lastapp": "Hangup", "lastdata": "", "dstchannel": ""}
    call, verdict = told(outbound(4), outbound(4, **after) | {"start": NOON + timedelta(seconds=4)})
    attempt = attempt_of(call, verdict, Policy())
    assert attempt is not None
    assert attempt.result is AttemptResult.BUSY


def test_a_number_without_a_channel_is_an_internal_call_as_live() -> None:
    call, _ = told(outbound(0, dstchannel="", disposition="FAILED"))
    assert call.direction == "internal"


def test_a_feature_code_has_no_stages_and_no_talk() -> None:
    call, verdict = told(outbound(2, dst="*78", dstchannel="", lastapp="Hangup", lastdata="", disposition="ANSWERED"))
    assert (call.feature, call.stages, verdict.disposition) == (True, (), Disposition.NO_ANSWER)


def test_a_refused_direct_call_is_declined_by_hand() -> None:
    """3 of 20 seconds, and the dialplan went on: neither the caller nor the clock ended that ring."""
    _, verdict = told(
        row(0, 3, lastapp="Dial", lastdata="PJSIP/101,20", dstchannel="PJSIP/101-00000002", answer=None),
        row(3, 3, lastapp="Hangup", lastdata="", answer=None),
    )
    assert (verdict.disposition, verdict.cause) == (Disposition.BUSY, Cause.DECLINED)


def test_a_dial_list_cut_by_a_narrow_column_names_nobody_who_was_not_rung() -> None:
    data = "&".join(f"PJSIP/{number}" for number in range(101, 112))[:80]
    call, _ = told(row(0, 9, lastapp="Dial", lastdata=data, dstchannel="PJSIP/101-00000002", answer=None))
    assert all(len(offer.agent) == 3 for offer in call.offers)


def test_inner_rows_alone_are_no_call_but_are_counted() -> None:
    cdr = Cdr(Site(node="main"), UTC)
    lone = row(0, 9, channel="Local/104@from-queue-00000001;2", dstchannel="SIP/104-00000005")
    (found,) = rows_of_table([lone], UTC)
    assert isinstance(found, CdrRow)
    assert (list(cdr.take(found)), list(cdr.finish()), cdr.cut) == ([], [], 1)


def test_rows_in_the_order_of_the_end_or_of_the_start_are_the_same_call() -> None:
    rows = [
        row(0, 40, dstchannel="PJSIP/101-00000002", disposition="ANSWERED"),
        row(0, 5, dstchannel="PJSIP/102-00000003"),
        row(40, 60, lastapp="Dial", lastdata="PJSIP/103,20", dstchannel="PJSIP/103-00000004"),
    ]
    assert calls_of(*rows) == calls_of(*reversed(rows)) == calls_of(rows[1], rows[0], rows[2])


def test_calls_leave_in_the_order_they_ended_and_none_waits_for_the_end_of_the_file() -> None:
    cdr = Cdr(Site(node="main"), UTC)
    day = 86400
    rows = [row(n * day, n * day + 9, uniqueid=f"{BORN + n * day}.1", linkedid="") for n in range(3)]
    found = [[call.key for call in cdr.take(each)] for each in rows_of_table(rows, UTC) if isinstance(each, CdrRow)]
    assert found == [[], [f"{BORN}.1"], [f"{BORN + day}.1"]]


def test_without_a_uniqueid_the_same_row_still_has_the_same_key() -> None:
    (one,), (other,) = (calls_of(row(0, 9, uniqueid="", linkedid="")) for _ in range(2))
    assert one.key == other.key
