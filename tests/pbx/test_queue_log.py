"""Lines of queue_log as calls: every version's fields, and the traps that its reader must not fall into."""

from datetime import timedelta

import pytest

from pbxmonitor.domain.call import Direction, EndedBy, StageKind
from pbxmonitor.domain.callback import settle
from pbxmonitor.domain.judge import Cause, Disposition, Verdict
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.queue_log import Entry, QueueLog, read_lines
from tests.pbx.diary import SITE, diary, epoch, judged, moment, rings, stays, talks

ANSWERED = """
1795418841|1795418841.0|sales|NONE|ENTERQUEUE||+79161234501|1
1795418844|1795418841.0|sales|Анна Иванова|CONNECT|3|1795418841.1|3
1795418853|1795418841.0|sales|Анна Иванова|COMPLETEAGENT|3|9|1
"""


def test_an_answered_call_has_its_stay_ring_and_talk() -> None:
    call = diary(ANSWERED).call
    assert (call.node, call.key, call.direction, call.caller) == (
        "main",
        "1795418841.0",
        Direction.INBOUND,
        "+79161234501",
    )
    assert (epoch(call.started_at), epoch(call.ended_at), call.vanished) == (1795418841, 1795418853, False)
    (stage,) = call.stages
    assert (stage.kind, stage.name, epoch(stage.entered_at), epoch(stage.left_at), stage.result) == (
        StageKind.QUEUE,
        "sales",
        1795418841,
        1795418844,
        "answered",
    )
    assert rings(call) == [("101", 3, "answered")]
    assert talks(call) == [("101", 9, "agent")]
    assert call.talks[0].leg == call.offers[0].leg == "1795418841.1"


def test_an_answered_call_is_judged_as_the_live_one() -> None:
    call = judged(diary(ANSWERED).call)
    assert (call.disposition, call.lost, call.wait_s, call.talk_s) == (Disposition.ANSWERED, False, 3, 9)
    assert (call.answered_by, call.ended_by, call.verdicts) == ("101", EndedBy.AGENT, {"101": Verdict.ANSWERED})


def test_a_caller_who_ends_the_talk_left_by_himself() -> None:
    call = diary(ANSWERED.replace("COMPLETEAGENT", "COMPLETECALLER")).call
    assert call.talks[0].ended_by is EndedBy.CALLER
    assert epoch(call.first_leg.asked_at) == 1795418853


def test_an_agent_who_hangs_up_at_once_shows_under_the_queues_own_threshold() -> None:
    call = diary(ANSWERED).call
    assert not judged(call).short_hangup
    assert judged(call, Policy(queues={"sales": {"short_hangup": timedelta(seconds=20)}})).short_hangup


def test_rings_without_answer_are_milliseconds_back_from_the_line() -> None:
    call = diary("""
1795418950|1795418949.28|reception|NONE|ENTERQUEUE||+78121112233|1
1795418955|1795418949.28|reception|Анна Иванова|RINGNOANSWER|5000
1795418957|1795418949.28|reception|Boris|RINGNOANSWER|1000
1795418959|1795418949.28|reception|Vera|CONNECT|9|1795418957.31|3
1795418965|1795418949.28|reception|Vera|COMPLETEAGENT|9|6|1
""").call
    assert rings(call) == [("101", 5, "rna"), ("102", 1, "rna"), ("103", 3, "answered")]
    assert epoch(call.offers[0].began_at) == 1795418950
    assert judged(call).verdicts == {"101": Verdict.MISSED, "102": Verdict.NOT_COUNTED, "103": Verdict.ANSWERED}


def test_a_ring_of_zero_ms_is_technical() -> None:
    call = diary("""
1795427596|1795427596.23|sales|NONE|ENTERQUEUE||+79161230005|1
1795427596|1795427596.23|sales|Анна Иванова|RINGNOANSWER|0
1795427597|1795427596.23|sales|Анна Иванова|RINGNOANSWER|0
1795427605|1795427596.23|sales|NONE|ABANDON|1|1|9
""").call
    assert rings(call) == [("101", 0, "unreachable"), ("101", 0, "unreachable")]
    assert judged(call).verdicts == {"101": Verdict.NOT_COUNTED}
    assert judged(call).cause is Cause.TECHNICAL


def test_seconds_of_an_old_ringnoanswer_are_seconds() -> None:
    call = diary("""
1195418950|1195418949.28|reception|NONE|ENTERQUEUE||78121112233
1195418965|1195418949.28|reception|SIP/551|RINGNOANSWER|15
1195418969|1195418949.28|reception|NONE|ABANDON|1|1|19
""").call
    assert rings(call) == [("551", 15, "rna")]
    assert judged(call).verdicts == {"551": Verdict.MISSED}


@pytest.mark.parametrize("told", ["", "|", "|x", "|-1"])
def test_a_ring_of_unknown_length_is_nobodys_miss(told: str) -> None:
    call = diary(f"""
1795418950|1795418949.28|reception|NONE|ENTERQUEUE||+78121112233|1
1795418965|1795418949.28|reception|Boris|RINGNOANSWER{told}
1795418969|1795418949.28|reception|NONE|ABANDON|1|1|19
""").call
    assert rings(call) == [("102", None, "rna")]
    assert judged(call).verdicts == {"102": Verdict.NOT_COUNTED}


@pytest.mark.parametrize("data", ["|3", "|3|1795418841.1", "|3|1795418841.1|", "|3|1795418841.1|x"])
def test_a_connect_without_its_ring_has_no_pick_up_time(data: str) -> None:
    call = diary(f"""
1195418841|1195418841.0|sales|NONE|ENTERQUEUE||9161234501
1195418844|1195418841.0|sales|Agent/1001|CONNECT{data}
1195418853|1195418841.0|sales|Agent/1001|COMPLETEAGENT|3|9
""").call
    assert rings(call) == [("1001", None, "answered")]
    assert talks(call) == [("1001", 9, "agent")]
    assert call.talks[0].leg == call.offers[0].leg
    assert judged(call).verdicts == {"1001": Verdict.ANSWERED}


def test_rings_cancelled_as_the_caller_left_are_his_giving_up() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418931|1795418925.20|sales|Анна Иванова|RINGCANCELED|5504
1795418931|1795418925.20|sales|Boris|RINGCANCELED|498
1795418931|1795418925.20|sales|NONE|ABANDON|1|1|5
""").call
    assert rings(call) == [("101", 5.504, "caller_gave_up"), ("102", 0.498, "caller_gave_up")]
    assert epoch(call.first_leg.asked_at) == epoch(call.ended_at) == 1795418931
    told = judged(call)
    assert (told.disposition, told.cause, told.ended_by) == (Disposition.ABANDONED, Cause.IGNORED, EndedBy.CALLER)
    assert told.verdicts == {"101": Verdict.MISSED, "102": Verdict.NOT_COUNTED}


@pytest.mark.parametrize(
    ("after", "result"),
    [
        ("|sales|Vera|CONNECT|5|1795418925.23|5", "answered_elsewhere"),
        ("|sales|NONE|EXITWITHTIMEOUT|1|1|5", "rna"),
        ("|sales|NONE|EXITWITHKEY|1|1|1|5", "cancelled"),
    ],
)
def test_what_follows_says_why_a_ring_was_cancelled(after: str, result: str) -> None:
    call = diary(f"""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418931|1795418925.20|sales|Boris|RINGCANCELED|5504
1795418931|1795418925.20{after}
""").call
    assert rings(call)[0] == ("102", 5.504, result)


def test_a_ring_cancelled_long_before_the_caller_left_was_not_his_giving_up() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418931|1795418925.20|sales|Boris|RINGCANCELED|5504
1795418941|1795418925.20|sales|Vera|RINGCANCELED|5504
1795418941|1795418925.20|sales|NONE|ABANDON|1|1|15
""").call
    assert rings(call) == [("102", 5.504, "cancelled"), ("103", 5.504, "caller_gave_up")]


def test_the_overflow_into_another_queue_is_one_call() -> None:
    call = diary("""
1795418861|1795418861.4|sales|NONE|ENTERQUEUE||+79161234502|1
1795418891|1795418861.4|sales|Анна Иванова|RINGNOANSWER|8000
1795418891|1795418861.4|sales|NONE|EXITWITHTIMEOUT|1|1|30
1795418891|1795418861.4|reception|NONE|ENTERQUEUE||600|1
1795418897|1795418861.4|reception|Анна Иванова|RINGNOANSWER|5000
1795418903|1795418861.4|reception|NONE|EXITWITHTIMEOUT|1|1|12
""").call
    assert call.caller == "+79161234502"
    assert stays(call) == [("sales", "timeout"), ("reception", "timeout")]
    assert [offer.queue for offer in call.offers] == ["sales", "reception"]
    told = judged(call)
    assert (told.disposition, told.lost, told.ended_by, told.wait_s) == (
        Disposition.NO_ANSWER,
        True,
        EndedBy.SYSTEM,
        42,
    )


def test_a_call_that_left_its_last_queue_an_hour_ago_is_over() -> None:
    log = """
1795418861|1795418861.4|sales|NONE|ENTERQUEUE||+79161234502|1
1795418891|1795418861.4|sales|NONE|EXITWITHTIMEOUT|1|1|30
1795424000|1795424000.9|sales|NONE|ENTERQUEUE||+79161234503|1
1795424002|1795424000.9|sales|Boris|CONNECT|2|1795424000.10|2
"""
    first, second = diary(log).calls
    assert (first.key, epoch(first.ended_at), judged(first).lost) == ("1795418861.4", 1795418891, True)
    assert (second.key, second.ended_at) == ("1795424000.9", None)


def test_it_is_given_away_as_soon_as_it_is_over() -> None:
    log = QueueLog(SITE)
    lines = [
        "1795418861|1795418861.4|sales|NONE|ENTERQUEUE||+79161234502|1",
        "1795418891|1795418861.4|sales|NONE|EXITWITHTIMEOUT|1|1|30",
        "1795422400|NONE|NONE|NONE|CONFIGRELOAD|",
        "1795424400|NONE|NONE|NONE|CONFIGRELOAD|",
    ]
    told = [len(list(log.take(entry))) for entry in read_lines(lines) if isinstance(entry, Entry)]
    assert told == [0, 0, 0, 1]
    assert list(log.finish()) == []


def test_the_transfer_to_another_queue_is_the_same_call() -> None:
    call = diary("""
1366635336|1366635336.1|q1|NONE|ENTERQUEUE||+79161234502|1
1366635342|1366635336.1|q1|Boris|CONNECT|6|1366635336.2|6
1366635350|1366635336.1|q1|Boris|BLINDTRANSFER|600|from-internal|6|8|1
1366635380|1366635336.1|q2|NONE|ENTERQUEUE||+79161234502|1
1366635390|1366635336.1|q2|Vera|CONNECT|10|1366635336.3|4
1366635400|1366635336.1|q2|Vera|COMPLETECALLER|10|10|1
""").call
    assert stays(call) == [("q1", "answered"), ("q2", "answered")]
    assert talks(call) == [("102", 8, "transfer"), ("103", 10, "caller")]
    assert not call.vanished
    assert judged(call).lost is False


def test_a_transferred_caller_whom_the_next_queue_lets_go_was_seen_to_the_end() -> None:
    call = diary("""
1366635336|1366635336.1|q1|NONE|ENTERQUEUE||+79161234502|1
1366635342|1366635336.1|q1|Boris|CONNECT|6|1366635336.2|6
1366635350|1366635336.1|q1|Boris|BLINDTRANSFER|600|from-internal|6|8|1
1366635380|1366635336.1|q2|NONE|ENTERQUEUE||+79161234502|1
1366635410|1366635336.1|q2|NONE|EXITWITHTIMEOUT|1|1|30
""").call
    assert (call.vanished, epoch(call.ended_at)) == (False, 1366635410)
    assert (judged(call).lost, judged(call).cause) == (True, Cause.TRANSFER_FAILED)


def test_a_caller_who_was_let_go_and_waits_again_has_not_left() -> None:
    call = diary("""
1366634990|1366634989.1|q1|NONE|ENTERQUEUE||+79161234502|1
1366634993|1366634989.1|q1|Agent/1240|CONNECT|3|1366634989.2|2
1366635550|1366634989.1|q1|Agent/1240|COMPLETECALLER|3|557|1
1366635550|1366634989.1|q2|NONE|ENTERQUEUE||+79161234502|1
1366635560|NONE|NONE|NONE|QUEUESTART|
""").call
    assert (call.vanished, call.first_leg.asked_at) == (True, None)


def test_a_caller_let_go_by_an_agent_and_queued_again_did_not_leave() -> None:
    """Some transfers are told as COMPLETECALLER, with the next queue in the same second."""
    call = diary("""
1366634990|1366634989.1|q1|NONE|ENTERQUEUE||+79161234502|1
1366634993|1366634989.1|q1|Agent/1240|CONNECT|3|1366634989.2|2
1366635550|1366634989.1|q1|Agent/1240|COMPLETECALLER|3|557|1
1366635550|1366634989.1|q2|NONE|ENTERQUEUE||+79161234502|1
1366635550|1366634989.1|q2|Agent/1255|RINGNOANSWER|0
1366635580|1366634989.1|q2|NONE|EXITWITHTIMEOUT|1|1|30
""").call
    assert talks(call) == [("1240", 557, "caller")]
    assert call.first_leg.asked_at is None
    assert epoch(call.started_at) == 1366634990


@pytest.mark.parametrize(
    ("line", "to", "kind"),
    [
        ("TRANSFER|102|from-internal", "102", "blind"),
        ("TRANSFER|102|from-internal|2|4", "102", "blind"),
        ("TRANSFER|102|from-internal|2|4|1", "102", "blind"),
        ("BLINDTRANSFER|102|from-internal|2|4|1", "102", "blind"),
        ("BLINDTRANSFER|89990000001|from-internal|2|4|1", "+79990000001", "blind"),
        ("ATTENDEDTRANSFER|BRIDGE|765bd131-7171-4a1a-9515-f10f56fa9cec|2|4|1", "", "attended"),
        ("ATTENDEDTRANSFER|APP|Queue|2|4|1", "", "attended"),
        ("ATTENDEDTRANSFER|LINK|Local/1@x-1;1|Local/1@x-1;2|2|4|1", "", "attended"),
    ],
)
def test_a_transferred_call_ends_unseen(line: str, to: str, kind: str) -> None:
    call = diary(f"""
1795434300|1795434299.19|sales|NONE|ENTERQUEUE||+79161240001|1
1795434302|1795434299.19|sales|Анна Иванова|CONNECT|2|1795434300.20|2
1795434306|1795434299.19|sales|Анна Иванова|{line}
""").call
    assert talks(call) == [("101", 4, "transfer")]
    (transfer,) = call.transfers
    assert (transfer.kind, transfer.frm, transfer.to, epoch(transfer.at)) == (kind, "101", to, 1795434306)
    assert (call.vanished, epoch(call.ended_at)) == (True, 1795434306)
    assert judged(call).disposition is Disposition.ANSWERED
    assert not judged(call).short_hangup


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("COMPLETEAGENT|12|6|1", "agent"),
        ("COMPLETECALLER|12|6", "caller"),
        ("TRANSFER|102|from-internal|12|6", "transfer"),
        ("BLINDTRANSFER|102|from-internal|12|6|1", "transfer"),
        ("ATTENDEDTRANSFER|BRIDGE|765bd131|12|6|1", "transfer"),
        ("ATTENDEDTRANSFER|LINK|SIP/a-1|SIP/b-2|12|6|1", "transfer"),
    ],
)
def test_the_end_of_a_talk_without_enterqueue_and_connect_counts_as_answered(line: str, by: str) -> None:
    call = diary(f"1366635305|1366635200.24|q01|Agent/1001|{line}").call
    assert (epoch(call.started_at), stays(call)) == (1366635287, [("q01", "answered")])
    assert talks(call) == [("1001", 6, by)]
    told = judged(call)
    assert (told.disposition, told.wait_s, told.verdicts) == (Disposition.ANSWERED, 12, {"1001": Verdict.ANSWERED})
    assert call.caller is None


def test_a_talk_in_a_queue_that_the_log_did_not_see_him_enter_is_a_stay_of_its_own() -> None:
    call = diary("""
1366635060|1366635060.24|q00|NONE|ENTERQUEUE||1002|1
1366635305|1366635060.24|q01|Agent/1001|COMPLETEAGENT|12|6|1
""").call
    assert stays(call) == [("q00", "None"), ("q01", "answered")]
    assert call.stages[0].left_at is None
    assert epoch(call.stages[1].entered_at) == 1366635287


def test_a_transfer_without_connect_takes_its_times_from_its_fields() -> None:
    call = diary("""
1366635200|1366635200.24|q01|NONE|ENTERQUEUE||1002|1
1366635232|1366635200.24|q01|Agent/1001|ATTENDEDTRANSFER|BRIDGE|foobar|12|20|1
""").call
    assert stays(call) == [("q01", "answered")]
    assert (epoch(call.talks[0].began_at), talks(call)) == (1366635212, [("1001", 20, "transfer")])


@pytest.mark.parametrize("data", ["", "|", "|3", "|3|", "|x|y|1"])
def test_a_talk_of_unknown_length_is_an_answer_and_no_short_hangup(data: str) -> None:
    call = diary(f"""
1195418841|1195418841.0|sales|NONE|ENTERQUEUE||9161234501
1195418853|1195418841.0|sales|Agent/1001|COMPLETEAGENT{data}
""").call
    assert talks(call) == [("1001", None, "agent")]
    told = judged(call)
    assert (told.disposition, told.lost, told.short_hangup) == (Disposition.ANSWERED, False, False)
    assert epoch(call.ended_at) == 1195418853


@pytest.mark.parametrize(
    "line",
    [
        "Anna|ABANDON|1|1|9",
        "NONE|ABANDON|1|1|9",
        "NONE|EXITWITHTIMEOUT|1|1|9",
        "NONE|EXITEMPTY|1|1|9",
        "NONE|EXITWITHKEY|1|1|1|9",
        "Anna|RINGNOANSWER|9000",
    ],
)
def test_an_end_without_answer_and_without_enterqueue_is_no_call(line: str) -> None:
    found = diary(f"1366635305|1366635200.24|q01|{line}")
    assert (found.calls, found.bad, found.headless) == ([], [], 1)


def test_rings_before_the_log_began_belong_to_the_answered_call() -> None:
    call = diary("""
1795418955|1795418949.28|reception|Анна Иванова|RINGNOANSWER|5000
1795418959|1795418949.28|reception|Vera|CONNECT|9|1795418957.31|3
1795418965|1795418949.28|reception|Vera|COMPLETEAGENT|9|6|1
""").call
    assert (rings(call), epoch(call.started_at)) == ([("101", 5, "rna"), ("103", 3, "answered")], 1795418950)


@pytest.mark.parametrize(
    ("line", "result", "left_after"),
    [
        ("EXITWITHTIMEOUT|1", "timeout", 12),
        ("EXITWITHTIMEOUT|1|1|12", "timeout", 12),
        ("EXITEMPTY|1|1|12", "empty", 12),
        ("LEAVEEMPTY|", "empty", 12),
        ("EXITWITHKEY|5|1", "key", 12),
        ("EXITWITHKEY|5|1|1|12", "key", 12),
        ("WITHDRAW|1|1|12|closing", "transferred", 12),
        ("EXITWITHTIMEOUT|broken|broken|broken", "timeout", 12),
    ],
)
def test_the_ways_out_of_a_queue(line: str, result: str, left_after: int) -> None:
    call = diary(f"""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418938|1795418925.20|sales|NONE|{line}
""").call
    assert stays(call) == [("sales", result)]
    assert call.stages[0].left_at == call.ended_at == moment(1795418926 + left_after)
    assert judged(call).disposition is Disposition.NO_ANSWER


def test_a_queue_left_because_it_was_empty_is_left_once() -> None:
    call = diary("""
1366628436|1366628436.1|q1|NONE|ENTERQUEUE||1002|1
1366628437|1366628436.1|q1|NONE|EXITEMPTY|1|1|1
1366628437|1366628436.1|q1|NONE|LEAVEEMPTY|
1366628437|1366628436.1|q2|NONE|ENTERQUEUE||1002|1
1366628439|1366628436.1|q2|Agent/12|CONNECT|2|1366628436.2|2
1366628449|1366628436.1|q2|Agent/12|COMPLETEAGENT|2|10|1
""").call
    assert stays(call) == [("q1", "empty"), ("q2", "answered")]


def test_an_empty_queue_had_no_agents() -> None:
    call = diary("""
1366628436|1366628436.1|q1|NONE|ENTERQUEUE||+79161234503|1
1366628446|1366628436.1|q1|NONE|EXITEMPTY|1|1|10
""").call
    assert judged(call).cause is Cause.NO_AGENTS


@pytest.mark.parametrize(
    ("event", "result"),
    [
        ("JOINEMPTY", "empty"),
        ("FULL", "full"),
        ("CLOSED", "passed"),
        ("DIVERT_CA_RATIO", "passed"),
        ("DIVERT_HOLDTIME", "passed"),
    ],
)
def test_a_caller_who_is_not_let_in_was_offered_all_the_same(event: str, result: str) -> None:
    call = diary(f"1366628436|1366628436.1|q1|NONE|{event}|").call
    assert stays(call) == [("q1", result)]
    assert call.started_at == call.ended_at == call.stages[0].left_at == moment(1366628436)
    assert judged(call).lost


def test_a_caller_told_to_be_in_the_queue_and_turned_away_came_once() -> None:
    call = diary("""
1366628436|1366628436.1|q1|NONE|ENTERQUEUE||+79161234503|1
1366628437|1366628436.1|q1|NONE|JOINEMPTY|
""").call
    assert stays(call) == [("q1", "empty")]


def test_turned_away_by_one_queue_and_answered_by_the_next_is_one_answered_call() -> None:
    call = diary("""
1366628436|1366628436.1|q1|NONE|JOINEMPTY|
1366628436|1366628436.1|q2|NONE|ENTERQUEUE||1002|1
1366628439|1366628436.1|q2|Boris|CONNECT|3|1366628436.2|2
1366628449|1366628436.1|q2|Boris|COMPLETEAGENT|3|10|1
""").call
    assert stays(call) == [("q1", "empty"), ("q2", "answered")]
    assert judged(call).lost is False


def test_an_agent_who_dumps_the_caller_hung_up_short_and_the_caller_still_waits() -> None:
    call = diary("""
1795418977|1795418976.32|announced|NONE|ENTERQUEUE||+79161234505|1
1795418980|1795418976.32|announced|Анна Иванова|AGENTDUMP|
1795418986|1795418976.32|announced|Vera|CONNECT|9|1795418977.33|4
1795418996|1795418976.32|announced|Vera|COMPLETECALLER|9|10|1
""").call
    assert call.dumped == ("101",)
    assert stays(call) == [("announced", "answered")]
    told = judged(call)
    assert (told.short_hangup, told.verdicts) == (True, {"101": Verdict.ANSWERED, "103": Verdict.ANSWERED})
    assert rings(call)[0] == ("101", None, "answered")


def test_a_caller_who_leaves_after_he_was_dumped_was_dropped() -> None:
    call = diary("""
1795418977|1795418976.32|announced|NONE|ENTERQUEUE||+79161234505|1
1795418980|1795418976.32|announced|Анна Иванова|AGENTDUMP|
1795418990|1795418976.32|announced|NONE|ABANDON|1|1|13
""").call
    assert (judged(call).cause, judged(call).lost) == (Cause.DROPPED, True)


def test_a_call_abandoned_twice_is_abandoned_once() -> None:
    """A caller who leaves while the agent hears the announcement is told of by two handlers."""
    found = diary("""
1795418977|1795418976.32|announced|NONE|ENTERQUEUE||+79161234505|1
1795418980|1795418976.32|announced|Анна Иванова|ABANDON|1|1|3
1795418980|1795418976.32|announced|NONE|ABANDON|1|1|3
""")
    assert (stays(found.call), found.headless) == ([("announced", "abandoned")], 0)


def test_a_caller_without_a_common_codec_was_dropped_by_the_system() -> None:
    call = diary("""
1795418977|1795418976.32|sales|NONE|ENTERQUEUE||+79161234505|1
1795418980|1795418976.32|sales|Анна Иванова|SYSCOMPAT|
1795418980|1795418976.32|sales|NONE|ABANDON|1|1|3
""").call
    assert stays(call) == [("sales", "unreachable")]
    told = judged(call)
    assert (told.disposition, told.cause, told.ended_by) == (Disposition.NO_ANSWER, Cause.TECHNICAL, EndedBy.SYSTEM)
    assert told.verdicts == {"101": Verdict.NOT_COUNTED}


def test_the_did_is_the_line_called() -> None:
    call = diary("""
1795418977|1795418976.32|600|NONE|DID|84951234567
1795418978|1795418976.32|600|NONE|ENTERQUEUE||+79161234505|1
1795418990|1795418976.32|600|NONE|ABANDON|1|1|12
""").call
    assert (call.called, epoch(call.started_at)) == ("+74951234567", 1795418978)


def test_a_did_alone_is_no_call() -> None:
    assert diary("1795418977|1795418976.32|600|NONE|DID|84951234567").calls == []


@pytest.mark.parametrize(
    ("fields", "caller"),
    [
        ("|89161234505", "+79161234505"),
        ("|8 (916) 123-45-05|2", "+79161234505"),
        ("http://crm/1|+79161234505|2|Иванов", "+79161234505"),
        ("|anonymous|1", None),
        ("||1", None),
        ("", None),
        ("|101|1", "101"),
    ],
)
def test_who_called(fields: str, caller: str | None) -> None:
    call = diary(f"""
1795418978|1795418976.32|600|NONE|ENTERQUEUE|{fields}
1795418990|1795418976.32|600|NONE|ABANDON|1|1|12
""").call
    assert call.caller == call.first_leg.number == caller


def test_a_lost_call_opens_a_callback() -> None:
    call = diary("""
1795418977|1795418976.32|600|NONE|DID|1001
1795418978|1795418976.32|600|NONE|ENTERQUEUE||89161234505|1
1795418990|1795418976.32|600|Boris|RINGNOANSWER|12000
1795418990|1795418976.32|600|NONE|EXITWITHTIMEOUT|1|1|12
""").call
    (debt,) = settle((), call, judged(call), Policy())
    assert (debt.number, debt.line, debt.missed_calls) == ("+79161234505", "1001", ("1795418976.32",))
    assert (debt.owner, epoch(debt.opened_at)) == ("102", 1795418990)


@pytest.mark.parametrize(
    ("written", "agent"),
    [
        ("Анна Иванова", "101"),
        ("Пётр Новый", "Пётр Новый"),
        ("SIP/551", "551"),
        ("PJSIP/101", "101"),
        ("Local/104@from-queue/n", "104"),
        ("Local/id-61@agentcallback", "id-61"),
        ("Agent/1001", "1001"),
        ("hint:104@ext-local", "104"),
        ("551", "551"),
        ("PJSIP/anna", "anna"),
    ],
)
def test_agents_by_name_and_by_interface(written: str, agent: str) -> None:
    call = diary(f"1366635305|1366635200.24|q01|{written}|COMPLETEAGENT|12|6|1").call
    assert call.talks[0].agent == agent


def test_the_settings_map_every_spelling_to_the_person() -> None:
    site = Site(node="main", people={"Local/id-61@agentcallback": "anna", "SIP/551": "anna", "Анна": "anna"})
    log = """
1366635305|1366635200.24|q01|Local/id-61@agentcallback|RINGNOANSWER|5000
1366635310|1366635200.24|q01|SIP/551|RINGNOANSWER|4000
1366635315|1366635200.24|q01|Анна|CONNECT|20|1366635200.25|3
"""
    assert {offer.agent for offer in diary(log, site).call.offers} == {"anna"}


def test_an_agent_whom_the_log_does_not_name_answers_without_a_verdict() -> None:
    call = diary("""
1366635200|1366635200.24|q01|NONE|ENTERQUEUE||1002|1
1366635210|1366635200.24|q01|NONE|RINGNOANSWER|15000
1366635232|1366635200.24|q01|NONE|CONNECT|32|1366635200.25|5
1366635242|1366635200.24|q01|NONE|COMPLETEAGENT|32|10|1
""").call
    told = judged(call)
    assert (told.disposition, told.lost, told.verdicts, call.offers) == (Disposition.ANSWERED, False, {}, ())


def test_a_call_that_still_waits_as_the_log_ends_is_open() -> None:
    call = diary("1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1").call
    assert (call.ended_at, call.vanished, stays(call)) == (None, False, [("sales", "None")])
    assert judged(call).lost is False


def test_a_call_that_still_talks_as_the_log_ends_is_open() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418930|1795418925.20|sales|Boris|CONNECT|4|1795418925.21|3
""").call
    assert (call.ended_at, call.vanished, epoch(call.connected_at)) == (None, False, 1795418930)
    assert talks(call) == [("102", None, "None")]


LATER = "1795426200|NONE|NONE|NONE|CONFIGRELOAD|"
MUCH_LATER = "1795450000|NONE|NONE|NONE|CONFIGRELOAD|"
RESTART = "1795418990|NONE|NONE|NONE|QUEUESTART|"


@pytest.mark.parametrize("after", [LATER, MUCH_LATER, RESTART])
def test_a_call_whose_end_the_log_lost_is_unfinished(after: str) -> None:
    call = diary(f"1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1\n{after}").call
    assert (call.vanished, epoch(call.ended_at), stays(call)) == (True, 1795418926, [("sales", "None")])
    assert judged(call).disposition is Disposition.UNKNOWN


@pytest.mark.parametrize("after", [LATER, MUCH_LATER, RESTART])
def test_a_talk_whose_end_the_log_lost_is_an_answer_of_unknown_length(after: str) -> None:
    call = diary(f"""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418930|1795418925.20|sales|Boris|CONNECT|4|1795418925.21|3
{after}
""").call
    assert (call.vanished, talks(call)) == (True, [("102", None, "None")])
    told = judged(call)
    assert (told.disposition, told.lost, told.short_hangup, told.talk_s) == (Disposition.ANSWERED, False, False, 0)


def test_a_talk_of_two_hours_is_not_lost_in_between() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418930|1795418925.20|sales|Boris|CONNECT|4|1795418925.21|3
1795422600|NONE|NONE|NONE|CONFIGRELOAD|
1795425000|NONE|NONE|NONE|CONFIGRELOAD|
1795426130|1795418925.20|sales|Boris|COMPLETECALLER|4|7200|1
""").call
    assert talks(call) == [("102", 7200, "caller")]


def test_a_reload_of_the_log_is_no_restart() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418928|NONE|NONE|NONE|CONFIGRELOAD|
1795418930|1795418925.20|sales|NONE|ABANDON|1|1|4
""").call
    assert (call.vanished, stays(call)) == (False, [("sales", "abandoned")])


def test_inside_one_second_the_order_of_the_lines_is_the_order() -> None:
    call = diary("""
1795418926|1795418925.20|sales|NONE|ENTERQUEUE||+79161234503|1
1795418926|1795418925.20|sales|Boris|CONNECT|0|1795418925.21|0
1795418926|1795418925.20|sales|Boris|COMPLETECALLER|0|0|1
1795418926|1795418925.20|reception|NONE|ENTERQUEUE||+79161234503|1
1795418926|1795418925.20|reception|NONE|EXITEMPTY|1|1|0
""").call
    assert stays(call) == [("sales", "answered"), ("reception", "empty")]


def test_where_the_clock_was_set_the_measured_durations_hold() -> None:
    """Published rows: 600 s lie between the lines, Asterisk itself has measured 4."""
    call = diary("""
1366628400|1366628400.1|q01|NONE|ENTERQUEUE||1002|1
1366629000|1366628400.1|q01|NONE|ABANDON|1|1|4
""").call
    assert judged(call).wait_s == 4
    call = diary("""
1366632000|1366628400.1|q01|NONE|ENTERQUEUE||1002|1
1366628403|1366628400.1|q01|Agent/12|CONNECT|3|1366628400.2|3
1366628409|1366628400.1|q01|Agent/12|COMPLETECALLER|3|6|1
""").call
    assert (epoch(call.started_at), judged(call).wait_s, judged(call).talk_s) == (1366632000, 3, 6)


def test_nothing_lasts_backwards() -> None:
    call = diary("""
1366628410|1366628400.1|q01|Agent/12|CONNECT|
1366628405|1366628400.1|q01|Agent/12|COMPLETECALLER|
""").call
    assert talks(call) == [("12", 0, "caller")]


def test_a_call_belongs_to_the_hour_in_which_it_entered_the_queue() -> None:
    call = diary("""
1366628231|1366628231.1|q01|NONE|ENTERQUEUE||1002|1
1366628239|1366628231.1|q01|Agent/12|CONNECT|8|1366628231.2|4
1366628770|1366628231.1|q01|Agent/12|COMPLETEAGENT|8|531|1
""").call
    assert (call.started_at.hour, call.ended_at.hour if call.ended_at else None) == (10, 11)


def test_calls_that_overlap_do_not_mix() -> None:
    one, other = diary("""
1795434576|1795434575.62|reception|NONE|ENTERQUEUE||+79161240010|1
1795434576|1795434575.63|reception|NONE|ENTERQUEUE||+79161240009|2
1795434578|1795434575.62|reception|Анна Иванова|CONNECT|2|1795434576.65|2
1795434579|1795434575.63|reception|Boris|CONNECT|3|1795434576.64|3
1795434586|1795434575.62|reception|Анна Иванова|COMPLETEAGENT|2|8|1
1795434588|1795434575.63|reception|Boris|COMPLETEAGENT|3|9|2
""").calls
    assert (talks(one), talks(other)) == ([("101", 8, "agent")], [("102", 9, "agent")])


@pytest.mark.parametrize(
    "event",
    ["INFO|x", "CALLSTATUS|1", "WRAPUPSTART|15", "PENALTY|3", "RINGINUSE|1", "OUTCALL|1", "EVENT_OF_THE_DIALPLAN|a|b"],
)
def test_events_of_others_are_passed_over(event: str) -> None:
    found = diary(f"1795418926|1795418925.20|sales|Boris|{event}")
    assert (found.calls, found.intervals, found.bad) == ([], [], [])


def test_a_line_of_a_call_that_names_no_call_is_passed_over() -> None:
    assert diary("1795418926|NONE|sales|NONE|JOINEMPTY|").calls == []
