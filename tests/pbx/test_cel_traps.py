"""Traps of CEL, each in a few rows: what is not asked for in cel.conf, what comes late, twice or never."""

from datetime import UTC, datetime, timedelta

from pbxmonitor.domain.call import Call, StageKind, StageResult
from pbxmonitor.domain.judge import Cause, Disposition, Verdict, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.cel import Cel, CelRow, rows_of_table
from pbxmonitor.pbx.asterisk.naming import Site

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BORN = int(NOON.timestamp())
CLIENT, ANNA, BORIS = "PJSIP/trunk-00000001", "PJSIP/101-00000002", "PJSIP/102-00000003"
NUMBERS = {CLIENT: "+79161234567", ANNA: "101", BORIS: "102"}
OUTGOING = {"appdata": "(Outgoing Line)"}
Row = dict[str, str]


def row(at: float, event: str, channel: str, **told: str) -> Row:
    """One event of one channel, so many seconds after noon; a channel's name ends in its number."""
    usual = {
        "eventtype": event,
        "eventtime": (NOON + timedelta(seconds=at)).isoformat(),
        "cid_num": NUMBERS.get(channel, ""),
        "exten": "1001" if channel == CLIENT else "s",
        "context": "from-trunk" if channel == CLIENT else "from-internal",
        "channame": channel,
        "uniqueid": f"{BORN}.{int(channel[-8:], 16)}",
        "linkedid": f"{BORN}.1",
    }
    return usual | told


def start(at: float, channel: str, **told: str) -> Row:
    return row(at, "CHAN_START", channel, **told)


def joins(at: float, channel: str, bridge: str = "b", **told: str) -> Row:
    return row(at, "BRIDGE_ENTER", channel, extra=f'{{"bridge_id":"{bridge}"}}', **told)


def hangup(at: float, channel: str, source: str = "", cause: str = "16", **told: str) -> Row:
    extra = f'{{"hangupcause":{cause},"hangupsource":"{source}","dialstatus":""}}'
    return row(at, "HANGUP", channel, extra=extra, **told)


def told(*rows: Row, site: Site | None = None) -> list[Call]:
    cel = Cel(site or Site(node="main"), UTC)
    found = [each for each in rows_of_table(rows, UTC) if isinstance(each, CelRow)]
    assert len(found) == len(rows)
    return [*(call for each in found for call in cel.take(each)), *cel.finish()]


RUNG = (
    start(0, CLIENT),
    row(0.5, "APP_START", CLIENT, appname="Queue", appdata="sales,t,,,30"),
    start(0.6, ANNA),
    row(3, "ANSWER", ANNA, appname="AppQueue", **OUTGOING),
    joins(3.1, ANNA),
    joins(3.2, CLIENT, appname="Queue", appdata="sales,t,,,30"),
)
ANSWERED = (*RUNG, hangup(8, ANNA, ANNA), hangup(8.1, CLIENT, ANNA))


def test_a_call_without_linkedid_end_is_over_when_its_channels_are() -> None:
    """The sample cel.conf does not ask for LINKEDID_END."""
    (call,) = told(*ANSWERED)
    assert call.ended_at == NOON + timedelta(seconds=8.1)


def test_a_call_whose_end_is_not_told_is_unfinished_and_not_lost() -> None:
    (call,) = told(*RUNG)
    verdict = judge(call, Policy(), NOON)
    assert (call.ended_at, verdict.lost, verdict.ended_by) == (None, False, None)


def test_a_call_that_no_row_ever_ends_has_vanished_half_a_day_later() -> None:
    """Asterisk died: what became of the caller was not seen, and nobody is to blame."""
    later = {"uniqueid": f"{BORN + 50000}.1", "linkedid": f"{BORN + 50000}.1"}
    first, second = told(*RUNG[:3], start(50000, CLIENT) | later)
    verdict = judge(first, Policy(), NOON)
    assert (first.vanished, first.ended_at) == (True, NOON + timedelta(seconds=0.6))
    assert verdict.disposition is Disposition.UNKNOWN
    assert (second.vanished, second.ended_at) == (False, None)


def test_linkedid_end_closes_channels_whose_hangup_is_not_told() -> None:
    (call,) = told(*RUNG, row(9, "LINKEDID_END", CLIENT))
    assert call.ended_at == NOON + timedelta(seconds=9)


def test_chan_end_is_an_end_where_hangup_is_not_asked_for() -> None:
    (call,) = told(*RUNG, row(8, "CHAN_END", ANNA), row(8.1, "CHAN_END", CLIENT))
    assert call.ended_at == NOON + timedelta(seconds=8.1)


def test_who_hung_up_is_named_by_the_source_of_the_hangup() -> None:
    by_anna, by_client = (told(*RUNG, hangup(8, ANNA, who), hangup(8.1, CLIENT, who))[0] for who in (ANNA, CLIENT))
    assert (by_anna.talks[0].ended_by, by_client.talks[0].ended_by) == ("agent", "caller")


def test_without_a_source_nobody_is_accused() -> None:
    (call,) = told(*RUNG, hangup(4, ANNA), hangup(4.1, CLIENT, "dialplan/builtin"))
    assert call.talks[0].ended_by == "system"
    assert not judge(call, Policy(), NOON).short_hangup


def test_a_queue_is_known_by_its_joined_caller_where_apps_does_not_list_it() -> None:
    """The sample cel.conf says apps=dial,park."""
    (call,) = told(*(each for each in ANSWERED if each["eventtype"] != "APP_START"))
    verdict = judge(call, Policy(), NOON)
    assert [(stage.kind, stage.name, stage.result) for stage in verdict.stages] == [
        (StageKind.QUEUE, "sales", StageResult.ANSWERED)
    ]
    assert verdict.wait_s == 2.6


def test_a_queue_in_which_nobody_was_reached_has_no_name_then() -> None:
    (call,) = told(
        start(0, CLIENT), start(0.6, ANNA), hangup(9, ANNA, appname="AppQueue", **OUTGOING), hangup(9.1, CLIENT, CLIENT)
    )
    verdict = judge(call, Policy(), NOON)
    assert [(stage.name, stage.result) for stage in verdict.stages] == [("?", StageResult.ABANDONED)]
    assert (verdict.cause, verdict.verdicts) == (Cause.IGNORED, {"101": Verdict.MISSED})


def test_a_second_queue_begins_without_a_word() -> None:
    """APP_START is told only when the name of the application changes."""
    (call,) = told(
        *RUNG[:3],
        hangup(30.4, ANNA, cause="0", appname="AppQueue", **OUTGOING),
        start(30.5, BORIS),
        hangup(42, BORIS, cause="0", appname="AppQueue", **OUTGOING),
        row(42.1, "APP_END", CLIENT, appname="Queue", appdata="reception,t,,,12"),
        hangup(42.2, CLIENT, "dialplan/builtin"),
    )
    verdict = judge(call, Policy(), NOON)
    assert [(stage.name, stage.result) for stage in verdict.stages] == [
        ("sales", StageResult.TIMEOUT),
        ("reception", StageResult.TIMEOUT),
    ]
    assert [(offer.agent, offer.queue) for offer in call.offers] == [("101", "sales"), ("102", "reception")]


def test_a_caller_who_leaves_while_phones_ring_leaves_before_they_stop() -> None:
    """The phones' HANGUP rows come first, though they stop because of him."""
    (call,) = told(
        *RUNG[:3],
        hangup(6.0, ANNA, cause="0", appname="AppQueue", **OUTGOING),
        row(6.002, "APP_END", CLIENT, appname="Queue", appdata="sales,t,,,30"),
        hangup(6.004, CLIENT, CLIENT),
    )
    verdict = judge(call, Policy(), NOON)
    assert call.offers[0].result == "caller_gave_up"
    assert (verdict.disposition, verdict.stages[0].result) == (Disposition.ABANDONED, StageResult.ABANDONED)


def test_an_agent_who_drops_before_the_bridge_dumped_the_caller() -> None:
    (call,) = told(
        *RUNG[:4],
        hangup(4, ANNA, ANNA, appname="AppQueue", **OUTGOING),
        start(5, BORIS),
        row(6, "ANSWER", BORIS, appname="AppQueue", **OUTGOING),
        joins(6.1, BORIS),
        joins(6.2, CLIENT, appname="Queue", appdata="sales,t,,,30"),
        hangup(20, CLIENT, CLIENT),
        hangup(20.1, BORIS, CLIENT),
    )
    assert (call.dumped, [talk.agent for talk in call.talks]) == (("101",), ["102"])


def test_a_journey_that_began_before_the_file_is_counted_and_not_told_in_part() -> None:
    cel = Cel(Site(node="main"), UTC)
    for each in rows_of_table(ANSWERED[1:], UTC):
        assert isinstance(each, CelRow)
        assert list(cel.take(each)) == []
    assert (list(cel.finish()), cel.cut) == ([], 1)


def test_a_row_told_twice_counts_once() -> None:
    transfer = row(5, "BLINDTRANSFER", ANNA, extra='{"extension":"102"}')
    (call,) = told(*RUNG, transfer, transfer, *ANSWERED[-2:])
    assert len(call.transfers) == 1


def test_two_calls_told_in_turns_do_not_mix() -> None:
    def other(each: Row) -> Row:
        number = str(int(each["uniqueid"].rpartition(".")[2]) + 100)
        return each | {"uniqueid": f"{BORN}.{number}", "linkedid": f"{BORN}.101", "channame": each["channame"] + "f"}

    calls = told(*(each for pair in zip(ANSWERED, map(other, ANSWERED), strict=True) for each in pair))
    assert [call.key for call in calls] == [f"{BORN}.1", f"{BORN}.101"]
    assert [len(call.talks) for call in calls] == [1, 1]


def test_calls_leave_in_the_order_they_ended_and_none_waits_for_the_end_of_the_file() -> None:
    cel = Cel(Site(node="main"), UTC)
    later = {"uniqueid": f"{BORN + 3600}.1", "linkedid": f"{BORN + 3600}.1"}
    rows = (*ANSWERED, start(3600, CLIENT) | later)
    found = [[call.key for call in cel.take(each)] for each in rows_of_table(rows, UTC) if isinstance(each, CelRow)]
    assert found[-1] == [f"{BORN}.1"]
    assert not any(found[:-1])


def test_rows_of_a_call_may_come_minutes_late() -> None:
    cel = Cel(Site(node="main"), UTC)
    elsewhere = {"uniqueid": f"{BORN + 60}.9", "linkedid": f"{BORN + 60}.9"}
    rows = (*ANSWERED[:-1], start(400, CLIENT) | elsewhere, ANSWERED[-1])
    calls = [call for each in rows_of_table(rows, UTC) if isinstance(each, CelRow) for call in cel.take(each)]
    ended = [call.key for call in (*calls, *cel.finish()) if call.ended_at is not None]
    assert ended == [f"{BORN}.1"]


def test_a_parked_caller_waits_in_a_lot() -> None:
    """CEL names the lot, not the space."""
    parked = row(5, "PARK_START", CLIENT, extra='{"parker_dial_string":"PJSIP/101","parking_lot":"default"}')
    (call,) = told(*RUNG, parked, hangup(5.1, ANNA), hangup(20, CLIENT, CLIENT))
    assert (call.stages[-1].kind, call.stages[-1].name) == (StageKind.PARKED, "default")


def test_channels_of_asterisks_own_are_nobody() -> None:
    (call,) = told(*RUNG, start(4, "Snoop/1795500260.6-00000005"), *ANSWERED[-2:])
    assert call.ended_at is not None


def test_events_that_are_not_followed_do_not_disturb() -> None:
    others = (
        "DTMF",
        "STREAM_BEGIN",
        "STREAM_END",
        "LOCAL_OPTIMIZE",
        "FORWARD",
        "BRIDGE_UPDATE",
        "3WAY_START",
        "MY_OWN",
    )
    assert told(*RUNG, *(row(4, event, ANNA) for event in others), *ANSWERED[-2:]) == told(*ANSWERED)


def test_the_customers_leg_of_a_callback_is_told_with_its_number_and_ring() -> None:
    """What `settle` needs: the leg through the trunk, when it rang, and how it ended."""
    phone, outside = "PJSIP/101-00000001", "PJSIP/trunk-00000002"
    (call,) = told(
        start(0, phone, exten="89161234567", cid_num="101"),
        row(0.1, "APP_START", phone, appname="Dial", appdata="PJSIP/+79161234567@trunk,30"),
        start(0.2, outside, context="from-trunk"),
        hangup(14, outside, outside, cause="17", appname="AppDial", **OUTGOING),
        hangup(14.1, phone, "dialplan/builtin", cause="17"),
    )
    leg = call.legs[f"{BORN}.2"]
    assert (leg.trunk, leg.number, leg.cause, leg.gave_up) == (True, "+79161234567", 17, True)
    assert (call.direction, call.caller, call.called) == ("outbound", "101", "+79161234567")
