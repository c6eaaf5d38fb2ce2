"""Cases that the tests of another product publish, with the figures that they expect of these rows (times in UTC)."""

from collections import Counter
from datetime import timedelta

from pbxmonitor.domain.agent import AgentState
from tests.pbx.diary import Diary, diary, judged, moment

# 2012-07-01 00:00:00 UTC
MIDNIGHT = 1341100800


def rows(text: str) -> Diary:
    """Lines that begin with a time of day, as the log has them."""
    told = []
    for line in text.strip().splitlines():
        time, _, rest = line.strip().partition("|")
        hours, minutes, seconds = time.split(":")
        told.append(f"{MIDNIGHT + int(hours) * 3600 + int(minutes) * 60 + float(seconds):.6f}|{rest}")
    return diary("\n".join(told))


def by_hour(found: Diary, queue: str, result: str) -> Counter[int]:
    """Stays of that queue with that end, by the hour in which they began."""
    stages = (stage for call in found.calls for stage in call.stages)
    return Counter(each.entered_at.hour for each in stages if (each.name, str(each.result)) == (queue, result))


def logged_in(found: Diary, agent: str) -> dict[int, int]:
    """Whole seconds by hour."""
    spent: Counter[int] = Counter()
    for each in found.intervals:
        if each.agent == agent and each.state is not AgentState.LOGGED_OUT:
            for hour in range(24):
                begin, end = (moment(MIDNIGHT + (hour + step) * 3600) for step in (0, 1))
                assert each.ended_at is not None
                inside = min(each.ended_at, end) - max(each.began_at, begin)
                spent[hour] += max(inside, timedelta()) // timedelta(milliseconds=1)
    return {hour: (ms + 2) // 1000 for hour, ms in spent.items() if ms}


def test_abandoned_calls_belong_to_the_hour_of_their_enterqueue() -> None:
    found = rows("""
08:00:00|r1|q01|NONE|ENTERQUEUE||1002|1
08:00:00.000001|r6|q01|NONE|ENTERQUEUE||1002|1
08:00:00.000001|r3|q02|NONE|ENTERQUEUE||1002|1
08:10:00|r1|q01|NONE|ABANDON|1|1|4
08:11:00|r6|q01|NONE|ABANDON|1|1|5
08:11:00|r3|q02|NONE|ABANDON|1|1|3
08:59:59.999999|r2|q01|NONE|ENTERQUEUE||1002|1
09:00:00|r4|q01|NONE|ENTERQUEUE||1002|1
09:10:00|r4|q01|NONE|ABANDON|1|1|4
09:59:59.999999|r2|q01|NONE|ABANDON|1|1|2
09:59:59.999999|r5|q01|NONE|ENTERQUEUE||1002|1
10:59:59.999999|r5|q01|NONE|ABANDON|1|1|2
""")
    assert by_hour(found, "q01", "abandoned") == {8: 3, 9: 2}
    assert by_hour(found, "q02", "abandoned") == {8: 1}
    waits = {call.key: judged(call).wait_s for call in found.calls}
    assert waits == {"r1": 4, "r6": 5, "r3": 3, "r2": 2, "r4": 4, "r5": 2}


def test_callers_who_were_not_let_in_are_counted_where_they_knocked() -> None:
    found = rows("""
08:00:00|r1|q01|NONE|FULL|
08:00:00.000001|r2|q02|NONE|FULL|
08:59:59.999999|r3|q01|NONE|JOINEMPTY|
09:00:00|r4|q01|NONE|FULL|
09:59:59.999999|r5|q01|NONE|CLOSED|
""")
    assert by_hour(found, "q01", "full") == {8: 1, 9: 1}
    assert by_hour(found, "q01", "empty") == {8: 1}
    assert by_hour(found, "q01", "passed") == {9: 1}


def test_an_answer_in_a_queue_that_was_not_entered_counts_there_and_only_there() -> None:
    found = rows("""
11:01:00.935905|c24|q00|NONE|ENTERQUEUE||1002|1
11:05:00.769756|c24|q01|Agent/1001|COMPLETEAGENT|12|6|1
""")
    assert by_hour(found, "q01", "answered") == {11: 1}
    assert by_hour(found, "q00", "None") == {11: 1}


def test_two_queues_over_the_border_of_an_hour() -> None:
    found = rows("""
09:53:09.948|c|q01|NONE|ENTERQUEUE||1002|1
09:53:12.68|c|q01|Agent/1240|CONNECT|3|x.1|2
10:02:30.22|c|q01|Agent/1240|COMPLETECALLER|3|558|1
10:02:30.57|c|q02|NONE|ENTERQUEUE||1002|1
10:02:30.69|c|q02|Agent/1255|RINGNOANSWER|0
10:02:32.77|c|q02|Agent/1246|CONNECT|2|x.2|2
10:04:19.49|c|q02|Agent/1246|COMPLETECALLER|2|107|1
""")
    assert (by_hour(found, "q01", "answered"), by_hour(found, "q02", "answered")) == ({9: 1}, {10: 1})
    assert [(talk.agent, talk.began_at.hour) for talk in found.call.talks] == [("1240", 9), ("1246", 10)]


def test_a_call_abandoned_in_the_second_queue_is_not_abandoned_in_the_first() -> None:
    found = rows("""
11:59:52.99|c|queue2|NONE|ENTERQUEUE||1002|1
12:00:02|c|queue2|Agent/1|CONNECT|10|x.1|9
12:00:10.80|c|queue2|Agent/1|COMPLETECALLER|10|8|1
12:00:10.88|c|queue1|NONE|ENTERQUEUE||1002|1
12:00:25.9|c|queue1|Agent/2|RINGNOANSWER|15000
12:00:29.2|c|queue1|NONE|ABANDON|1|1|19
""")
    assert (by_hour(found, "queue1", "abandoned"), by_hour(found, "queue2", "answered")) == ({12: 1}, {11: 1})
    assert sum(by_hour(found, "queue2", "abandoned").values()) == 0


def test_an_abandon_without_enterqueue_is_none() -> None:
    found = rows("""
12:00:10|c1|q01|NONE|ENTERQUEUE||1002|1
12:00:11|c1|q01|NONE|ABANDON|1|1|1
12:00:12|c2|q01|NONE|ABANDON|1|1|1
""")
    assert by_hour(found, "q01", "abandoned") == {12: 1}


def test_an_empty_queue_left_twice_with_an_answer_in_between() -> None:
    found = rows("""
12:35:36.1|c|q1|NONE|ENTERQUEUE||1002|1
12:35:36.2|c|q1|NONE|LEAVEEMPTY|
12:35:36.4|c|q2|NONE|ENTERQUEUE||1002|1
12:36:00|c|q2|Agent/1|RINGNOANSWER|20000
12:36:10|c|q2|Agent/2|CONNECT|34|x.1|9
12:39:02|c|q2|Agent/2|BLINDTRANSFER|600|default|34|172|1
12:39:33.1|c|q1|NONE|ENTERQUEUE||1002|1
12:39:33.2|c|q1|NONE|LEAVEEMPTY|
12:39:33.4|c|q2|NONE|ENTERQUEUE||1002|1
12:41:57|c|q2|Agent/2|CONNECT|144|x.2|9
12:48:53|c|q2|Agent/2|COMPLETECALLER|144|416|1
""")
    assert (by_hour(found, "q1", "empty"), by_hour(found, "q2", "answered")) == ({12: 2}, {12: 2})
    assert len(found.calls) == 1


def test_talking_time_over_every_kind_of_end() -> None:
    found = rows("""
09:00:30|1|q1|Agent/1|COMPLETEAGENT|4|10|1
09:01:10|2|q1|Agent/1|COMPLETECALLER|4|10|1
09:02:10|3|q1|Agent/1|TRANSFER|1001|default|0|10
09:03:10|4|q1|Agent/1|BLINDTRANSFER|1001|default|0|10
09:04:10|5|q1|Agent/1|ATTENDEDTRANSFER|BRIDGE|foobar|0|10
09:05:10|6|q1|Agent/1|ATTENDEDTRANSFER|LINK|SIP/a-1|SIP/b-2|0|10|1
""")
    assert by_hour(found, "q1", "answered") == {9: 6}
    assert sum(judged(call).talk_s for call in found.calls) == 60
    assert {judged(call).answered_by for call in found.calls} == {"1"}


def test_logins_of_both_kinds_by_hour() -> None:
    found = rows("""
09:01:00|NONE|NONE|Agent/1|AGENTCALLBACKLOGIN|1001@default
09:01:06|NONE|NONE|Agent/1|AGENTCALLBACKLOGOFF|1001@default|6|
09:02:00|x.1|NONE|Agent/1|AGENTLOGIN|SIP/a-1
09:02:30|x.1|NONE|Agent/1|AGENTLOGOFF|SIP/a-1|30
09:50:00|NONE|NONE|Agent/1|AGENTCALLBACKLOGIN|1001@default
12:00:00|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert logged_in(found, "1") == {9: 636, 10: 3600, 11: 3600}


def test_a_login_over_the_border_of_an_hour() -> None:
    found = rows("""
08:50:00.999999|NONE|NONE|Agent/1|AGENTCALLBACKLOGIN|1001@default
09:01:06|NONE|NONE|Agent/1|AGENTCALLBACKLOGOFF|1001@default|665|
09:02:00|x.1|NONE|Agent/1|AGENTLOGIN|SIP/a-1
09:02:30|x.1|NONE|Agent/1|AGENTLOGOFF|SIP/a-1|30
""")
    assert logged_in(found, "1") == {8: 599, 9: 96}


def test_a_logoff_without_its_login_is_worth_its_seconds() -> None:
    found = rows("06:30:00.000001|NONE|NONE|Agent/1|AGENTCALLBACKLOGOFF|1001@default|23400|")
    assert logged_in(found, "1") == dict.fromkeys(range(6), 3600) | {6: 1800}


def test_connects_imply_no_login() -> None:
    found = rows("""
09:01:00|c|q1|NONE|ENTERQUEUE||1002|1
09:01:04|c|q1|Agent/1|CONNECT|4|x.1|4
""")
    assert found.intervals == []
