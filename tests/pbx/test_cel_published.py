"""Journeys of the kinds whose call logs others publish, from the few columns that such tables have.

Answered means here what it means there: the caller was joined to somebody; a prompt that answers, music and a waiting
bridge are nobody. Where the two schools differ, docs/import-cdr-cel.md says so.
"""

from datetime import UTC, datetime, timedelta

import pytest

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.domain.judge import Disposition, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.cel import Cel, CelRow, rows_of_table
from pbxmonitor.pbx.asterisk.naming import Site

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BORN = int(NOON.timestamp())
ANNA, BORIS, TRUNK = "SIP/qa7m1x-00000001", "SIP/hb2w9k-00000002", "SIP/provider-00000003"
# Who shows which number in the rows of his channel.
NUMBERS = {ANNA: "1045", BORIS: "1001", TRUNK: "79161234567"}
Row = dict[str, str]


def rows_of(story: str, **extra: str) -> list[Row]:
    """One event a line: `seconds event channel [exten] [context]`; linkedid is the first channel's uniqueid."""
    told: list[Row] = []
    made: dict[str, int] = {}
    for line in story.strip().splitlines():
        at, event, who, *more = line.split()
        channel = {"anna": ANNA, "boris": BORIS, "trunk": TRUNK}.get(who, who)
        number = made.setdefault(channel, 9 + len(made))
        told.append(
            {
                "eventtype": event,
                "eventtime": (NOON + timedelta(seconds=float(at))).isoformat(),
                "cid_num": NUMBERS.get(channel, ""),
                "exten": more[0] if more else "s",
                "context": more[1] if len(more) > 1 else "default",
                "channame": channel,
                "uniqueid": f"{BORN}.{number}",
                "linkedid": f"{BORN}.9",
            }
            | extra
        )
    return told


def call_of(rows: list[Row], site: Site | None = None) -> Call:
    cel = Cel(site or Site(node="main"), UTC)
    found = [row for row in rows_of_table(rows, UTC) if isinstance(row, CelRow)]
    assert len(found) == len(rows)
    (call,) = [*(call for row in found for call in cel.take(row)), *cel.finish()]
    return call


def seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - NOON).total_seconds()


ANSWERED = """
0.0 CHAN_START anna 1001
0.1 APP_START anna
0.2 CHAN_START boris
3.0 ANSWER boris
3.1 ANSWER anna
3.2 BRIDGE_ENTER anna
3.3 BRIDGE_ENTER boris
6.0 BRIDGE_EXIT boris
6.1 HANGUP boris
6.2 CHAN_END boris
6.3 BRIDGE_EXIT anna
6.4 HANGUP anna
6.5 CHAN_END anna
6.6 LINKEDID_END anna
"""


def test_an_internal_call_answered() -> None:
    call = call_of(rows_of(ANSWERED))
    verdict = judge(call, Policy(), NOON)
    assert (call.direction, call.caller, call.called) == (Direction.INTERNAL, "1045", "1001")
    assert (verdict.answered_by, seconds(verdict.answered_at), seconds(call.ended_at)) == ("1001", 3.3, 6.4)


def test_an_internal_call_nobody_answered() -> None:
    rows = rows_of(
        """
        0.0 CHAN_START anna 1001
        0.2 CHAN_START boris
        3.8 HANGUP boris
        3.9 CHAN_END boris
        4.0 HANGUP anna
        4.1 CHAN_END anna
        4.2 LINKEDID_END anna
        """
    )
    call = call_of(rows)
    assert (call.talks, seconds(call.ended_at)) == ((), 4.0)
    assert [(offer.agent, offer.result) for offer in call.offers] == [("1001", "rna")]


@pytest.mark.parametrize("blank", ["cid_num exten context", "exten context"])
def test_few_columns_still_make_a_call(blank: str) -> None:
    rows = [{name: value for name, value in row.items() if name not in blank.split()} for row in rows_of(ANSWERED)]
    assert judge(call_of(rows), Policy(), NOON).disposition is Disposition.ANSWERED


def test_settings_name_phones_that_no_column_names() -> None:
    site = Site(node="main", people={"SIP/qa7m1x": "101", "SIP/hb2w9k": "102"})
    rows = [row | {"cid_num": ""} for row in rows_of(ANSWERED)]
    call = call_of(rows, site)
    assert (call.caller, call.talks[0].agent) == ("101", "102")


def test_a_linkedid_that_is_nobodys_uniqueid_is_the_calls_name() -> None:
    rows = [row | {"linkedid": "123456789.1011"} for row in rows_of(ANSWERED)]
    assert call_of(rows).key == "123456789.1011"


def test_two_channels_by_one_uniqueid_are_two() -> None:
    rows = [row | {"uniqueid": f"{BORN}.9"} for row in rows_of(ANSWERED)]
    assert [talk.agent for talk in call_of(rows).talks] == ["1001"]


def test_channels_are_in_order_of_time_not_of_text() -> None:
    """`….10` comes after `….9`: the first is the caller."""
    assert call_of(rows_of(ANSWERED)).caller == "1045"


def test_newest_first_is_the_same_call() -> None:
    assert call_of(rows_of(ANSWERED)[::-1]).talks == call_of(rows_of(ANSWERED)).talks


INCOMING = ANSWERED.replace("anna 1001", "trunk 999101 from-extern").replace("anna", "trunk")


def test_an_incoming_call_is_known_by_its_event() -> None:
    rows = rows_of(INCOMING.replace("0.1 APP_START trunk", "0.1 XIVO_INCALL trunk"))
    call = call_of(rows)
    verdict = judge(call, Policy(), NOON)
    assert (call.direction, call.caller, call.called) == (Direction.INBOUND, "+79161234567", "999101")
    assert (verdict.answered_by, verdict.verdicts) == ("1001", {"1001": "answered"})


def test_an_incoming_call_is_known_by_a_context_that_settings_name() -> None:
    site = Site(node="main", trunk_contexts=("from-extern",))
    assert call_of(rows_of(INCOMING), site).direction is Direction.INBOUND


def test_the_extension_dialled_may_come_later_than_the_channel() -> None:
    rows = rows_of(
        INCOMING.replace("trunk 999101 from-extern", "trunk s from-extern").replace(
            "0.1 APP_START trunk", "0.1 XIVO_INCALL trunk\n0.15 XIVO_FROM_S trunk 1002"
        )
    )
    assert call_of(rows).called == "1002"


def test_before_12_a_bridge_was_told_by_one_row() -> None:
    rows = rows_of(
        INCOMING.replace("0.1 APP_START trunk", "0.1 XIVO_INCALL trunk")
        .replace("3.2 BRIDGE_ENTER trunk", "3.2 BRIDGE_START trunk")
        .replace("3.3 BRIDGE_ENTER boris\n", "")
        .replace("6.0 BRIDGE_EXIT boris", "6.0 BRIDGE_END trunk")
        .replace("6.3 BRIDGE_EXIT trunk\n", "")
    )
    verdict = judge(call_of(rows), Policy(), NOON)
    assert (verdict.answered_by, seconds(verdict.answered_at), verdict.talk_s) == ("1001", 3.2, 2.8)


def test_before_12_the_peer_names_the_other_side() -> None:
    rows = rows_of(
        ANSWERED.replace("3.2 BRIDGE_ENTER anna", "3.2 BRIDGE_START anna").replace("3.3 BRIDGE_ENTER boris\n", "")
    )
    told = [row | {"peer": BORIS if row["eventtype"] == "BRIDGE_START" else ""} for row in rows]
    assert [talk.agent for talk in call_of(told).talks] == ["1001"]


def test_an_outgoing_call_is_known_by_its_event() -> None:
    rows = rows_of(
        ANSWERED.replace("anna 1001", "anna 89161234567")
        .replace("0.1 APP_START anna", "0.1 XIVO_OUTCALL anna")
        .replace("boris", "trunk")
    )
    rows[2]["cid_num"] = ""
    call = call_of(rows)
    verdict = judge(call, Policy(), NOON)
    assert (call.direction, call.caller, call.called) == (Direction.OUTBOUND, "1045", "+79161234567")
    assert (verdict.answered_by, [talk.agent for talk in call.talks]) == ("+79161234567", ["1045"])


def test_a_prompt_that_answers_is_nobody() -> None:
    """A forward plays a message on the caller's channel, then rings somebody else, who does not answer."""
    rows = rows_of(
        """
        0.0 CHAN_START trunk 101 from-extern
        0.1 XIVO_INCALL trunk
        0.4 ANSWER trunk pickup
        1.7 CHAN_START boris
        9.0 HANGUP boris
        9.1 CHAN_END boris
        9.2 HANGUP trunk unreachable
        9.3 CHAN_END trunk
        9.4 LINKEDID_END trunk
        """
    )
    call = call_of(rows)
    assert judge(call, Policy(), NOON).disposition is Disposition.NO_ANSWER
    assert judge(call, Policy(), NOON).verdicts == {"1001": "missed"}


def test_one_channel_alone_is_a_call_without_persons() -> None:
    rows = rows_of(
        """
        0.0 CHAN_START anna 1604
        0.2 ANSWER anna pickup
        6.4 HANGUP anna unreachable
        6.5 CHAN_END anna
        6.6 LINKEDID_END anna
        """
    )
    call = call_of(rows)
    assert (call.talks, call.offers) == ((), ())


def test_two_in_turn_and_the_second_answers() -> None:
    clara = "SIP/cc0001-00000004"
    rows = rows_of(
        f"""
        0.0 CHAN_START trunk 101 from-extern
        0.1 XIVO_INCALL trunk
        0.2 CHAN_START boris
        9.0 HANGUP boris
        9.1 CHAN_END boris
        9.2 CHAN_START {clara}
        12.0 ANSWER {clara}
        12.1 BRIDGE_ENTER {clara}
        12.2 BRIDGE_ENTER trunk
        20.0 HANGUP {clara}
        20.1 HANGUP trunk
        20.2 LINKEDID_END trunk
        """
    )
    told = [row | {"cid_num": "1002"} if row["channame"] == clara else row for row in rows]
    verdict = judge(call_of(told), Policy(), NOON)
    assert verdict.verdicts == {"1001": "missed", "1002": "answered"}


def test_a_bridge_that_waits_is_no_conversation() -> None:
    """A switchboard: the caller waits in a holding bridge until the operator takes him into a real one."""
    rows = rows_of(
        """
        0.0 CHAN_START trunk 91001 from-extern
        0.1 XIVO_INCALL trunk
        0.5 BRIDGE_ENTER trunk
        4.0 BRIDGE_EXIT trunk
        4.1 CHAN_START boris
        4.5 ANSWER boris
        4.6 BRIDGE_ENTER boris
        4.7 BRIDGE_ENTER trunk
        9.0 HANGUP trunk
        9.1 HANGUP boris
        9.2 LINKEDID_END trunk
        """
    )
    waiting = '{"bridge_id":"w","bridge_technology":"holding_bridge"}'
    real = '{"bridge_id":"r","bridge_technology":"simple_bridge"}'
    told = [
        row | {"extra": (waiting if place < 4 else real) if "BRIDGE" in row["eventtype"] else ""}
        for place, row in enumerate(rows)
    ]
    verdict = judge(call_of(told), Policy(), NOON)
    assert (verdict.answered_by, seconds(verdict.answered_at)) == ("1001", 4.7)


def test_one_channel_in_a_conference_talks_to_nobody() -> None:
    rows = rows_of(
        """
        0.0 CHAN_START anna 4001
        0.1 ANSWER anna
        0.2 BRIDGE_ENTER anna
        9.0 BRIDGE_EXIT anna
        9.1 HANGUP anna
        9.2 LINKEDID_END anna
        """
    )
    assert call_of([row | {"extra": '{"bridge_id":"c","bridge_technology":"softmix"}'} for row in rows]).talks == ()


def test_an_answer_of_the_callers_own_channel_before_any_ring_is_not_the_pick_up() -> None:
    """Queue with two phones: one answers, the other one's ring ends at that moment."""
    clara = "PJSIP/cc0001-00000004"
    rows = rows_of(
        f"""
        0.0 CHAN_START trunk 30001 from-extern
        0.1 XIVO_INCALL trunk
        0.4 ANSWER trunk
        1.5 CHAN_START boris
        1.5 CHAN_START {clara}
        2.6 ANSWER {clara}
        2.61 HANGUP boris
        2.62 CHAN_END boris
        2.9 BRIDGE_ENTER {clara}
        2.9 BRIDGE_ENTER trunk
        5.0 HANGUP trunk
        5.1 HANGUP {clara}
        5.2 LINKEDID_END trunk
        """
    )
    told = [row | {"cid_num": "1002"} if row["channame"] == clara else row for row in rows]
    verdict = judge(call_of(told), Policy(), NOON)
    assert (verdict.answered_by, seconds(verdict.answered_at)) == ("1002", 2.9)
    assert verdict.verdicts == {"1001": "answered_elsewhere", "1002": "answered"}


def test_click_to_call_that_the_other_side_never_answered_is_not_answered() -> None:
    """The caller's own phone picks up what the PBX calls it with; that is not the answer."""
    rows = rows_of(
        """
        0.0 CHAN_START anna s
        1.6 ANSWER anna
        1.7 APP_START anna
        1.8 CHAN_START boris
        6.5 HANGUP boris
        6.6 HANGUP anna
        6.7 LINKEDID_END anna
        """
    )
    call = call_of(rows)
    assert (call.caller, call.talks) == ("1045", ())


def test_a_channel_that_moves_to_another_linkedid_brings_its_call_along() -> None:
    """A phone calls a colleague while it has a customer on hold, and joins the two."""
    first, second = f"{BORN}.9", f"{BORN}.20"
    rows = rows_of(INCOMING.replace("0.1 APP_START trunk", "0.1 XIVO_INCALL trunk"))[:7]
    clara = {"channame": "SIP/cc0001-00000005", "cid_num": "1002", "uniqueid": f"{BORN}.21"}
    again = {"channame": "SIP/hb2w9k-00000006", "cid_num": "1001", "uniqueid": second}
    ends = (f'{{"bridge_id":"{name}"}}' for name in "ba")
    b, a = ends
    told = [row | {"extra": a if "BRIDGE" in row["eventtype"] else ""} for row in rows]

    def event(at: float, name: str, who: Row, linkedid: str, extra: str = "") -> Row:
        moment = (NOON + timedelta(seconds=at)).isoformat()
        return (
            rows[0]
            | who
            | {"eventtype": name, "eventtime": moment, "linkedid": linkedid, "extra": extra, "exten": "1002"}
        )

    customer = {"channame": TRUNK, "cid_num": NUMBERS[TRUNK], "uniqueid": first}
    told += [
        event(10, "CHAN_START", again, second),
        event(10.1, "CHAN_START", clara, second),
        event(12, "ANSWER", clara, second),
        event(12.1, "BRIDGE_ENTER", clara, second, b),
        event(12.2, "BRIDGE_ENTER", again, second, b),
        event(15, "BRIDGE_EXIT", clara, second, b),
        event(15.1, "BRIDGE_ENTER", clara, first, a),
        event(15.2, "HANGUP", again, second),
        event(15.3, "LINKEDID_END", again, second),
        event(15.4, "HANGUP", rows[2], first),
        event(20, "HANGUP", clara, first),
        event(20.1, "HANGUP", customer, first),
        event(20.2, "LINKEDID_END", customer, first),
    ]
    call = call_of(told)
    assert (call.key, [talk.agent for talk in call.talks]) == (first, ["1001", "1002"])
