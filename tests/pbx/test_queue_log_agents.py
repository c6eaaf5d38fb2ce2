"""Members of queues as queue_log tells of them: pauses, logins, and lines that are missing."""

import pytest

from pbxmonitor.domain.agent import AgentState
from tests.pbx.diary import diary, stretches

PAUSED, READY, OUT = AgentState.PAUSED, AgentState.READY, AgentState.LOGGED_OUT


def test_a_pause_of_one_queue() -> None:
    found = diary("""
1795429786|NONE|sales|Анна Иванова|PAUSE|paper
1795429796|NONE|sales|Анна Иванова|UNPAUSE|
1795429800|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found) == [(PAUSED, 1795429786, 1795429796), (READY, 1795429796, 1795429800)]
    assert (found.intervals[0].reason, found.intervals[0].queues) == ("paper", ("sales",))


def test_a_pause_everywhere_is_one_interval_with_all_its_queues() -> None:
    found = diary("""
1795427629|NONE|NONE|Boris|PAUSEALL|meeting
1795427629|NONE|reception|Boris|PAUSE|meeting
1795427629|NONE|sales|Boris|PAUSE|meeting
1795427640|NONE|NONE|Boris|UNPAUSEALL|
1795427640|NONE|reception|Boris|UNPAUSE|
1795427640|NONE|sales|Boris|UNPAUSE|
""")
    (pause,) = found.intervals
    assert (pause.state, pause.reason, pause.queues, pause.partial) == (
        PAUSED,
        "meeting",
        ("reception", "sales"),
        False,
    )
    assert stretches(found, "102") == [(PAUSED, 1795427629, 1795427640)]


def test_older_versions_tell_the_reason_on_the_lines_of_the_queues() -> None:
    found = diary("""
1195427629|NONE|NONE|SIP/551|PAUSEALL|
1195427629|NONE|reception|SIP/551|PAUSE|lunch
1195427629|NONE|sales|SIP/551|PAUSE|lunch
1195427640|NONE|NONE|SIP/551|UNPAUSEALL|
""")
    (pause,) = found.intervals
    assert (pause.agent, pause.reason, pause.queues) == ("551", "lunch", ("reception", "sales"))


def test_a_pause_everywhere_that_names_no_queue() -> None:
    found = diary("""
1195427629|NONE|NONE|Agent/1001|PAUSEALL|
1195427640|NONE|NONE|Agent/1001|UNPAUSEALL|
""")
    (pause,) = found.intervals
    assert (pause.queues, pause.partial) == ((), False)
    assert stretches(found, "1001") == [(PAUSED, 1195427629, 1195427640)]


def test_a_pause_everywhere_covers_the_queues_that_he_was_added_to() -> None:
    found = diary("""
1195427600|MANAGER|q1|SIP/551|ADDMEMBER|
1195427601|MANAGER|q2|SIP/551|ADDMEMBER|
1195427629|NONE|NONE|SIP/551|PAUSEALL|lunch
1195427640|NONE|NONE|SIP/551|UNPAUSEALL|
""")
    (pause,) = [each for each in found.intervals if each.state is PAUSED]
    assert (pause.queues, pause.partial) == (("q1", "q2"), False)


def test_a_pause_in_one_of_his_queues_is_partial() -> None:
    found = diary("""
1195427600|MANAGER|q1|SIP/551|ADDMEMBER|
1195427601|MANAGER|q2|SIP/551|ADDMEMBER|
1195427629|NONE|q2|SIP/551|PAUSE|lunch
1195427640|NONE|q2|SIP/551|UNPAUSE|
""")
    (pause,) = [each for each in found.intervals if each.state is PAUSED]
    assert (pause.queues, pause.partial) == (("q2",), True)


def test_a_queue_that_he_has_left_unseen_does_not_keep_him_paused() -> None:
    """The lines after PAUSEALL name all queues that he has: the others are history."""
    found = diary("""
1195427600|MANAGER|old|SIP/551|ADDMEMBER|
1195427629|NONE|NONE|SIP/551|PAUSEALL|lunch
1195427629|NONE|new|SIP/551|PAUSE|lunch
1195427640|NONE|new|SIP/551|UNPAUSE|
1195427700|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found, "551") == [
        (READY, 1195427600, 1195427629),
        (PAUSED, 1195427629, 1195427640),
        (READY, 1195427640, 1195427700),
    ]


def test_a_pause_overlapped_by_another_splits_where_the_reason_changes() -> None:
    found = diary("""
1795429786|NONE|sales|Анна Иванова|PAUSE|paper
1795429790|NONE|NONE|Анна Иванова|PAUSEALL|lunch
1795429790|NONE|reception|Анна Иванова|PAUSE|lunch
1795429790|NONE|sales|Анна Иванова|PAUSE|lunch
1795429795|NONE|sales|Анна Иванова|UNPAUSE|
1795429799|NONE|NONE|Анна Иванова|UNPAUSEALL|
""")
    told = [(each.reason, each.queues) for each in found.intervals]
    assert told == [("paper", ("sales",)), ("lunch", ("reception", "sales"))]
    assert stretches(found) == [(PAUSED, 1795429786, 1795429790), (PAUSED, 1795429790, 1795429799)]


def test_repeated_pauses_are_one_from_the_first_to_the_first_end() -> None:
    """Published case: the run from the first PAUSEALL to the first UNPAUSEALL, and one that never ends."""
    found = diary("""
1366612869|NONE|NONE|Agent/1001|UNPAUSEALL|
1366612890|NONE|NONE|Agent/1001|PAUSEALL|
1366613198|NONE|NONE|Agent/1001|UNPAUSEALL|
1366613236|NONE|NONE|Agent/1001|PAUSEALL|
1366613237|NONE|NONE|Agent/1001|PAUSEALL|
1366613238|NONE|NONE|Agent/1001|PAUSEALL|
1366613325|NONE|NONE|Agent/1001|PAUSEALL|
1366613446|NONE|NONE|Agent/1001|UNPAUSEALL|
1366613459|NONE|NONE|Agent/1001|UNPAUSEALL|
1366616470|NONE|NONE|Agent/1001|PAUSEALL|
1366620360|NONE|NONE|NONE|CONFIGRELOAD|
""")
    paused = [(begin, end) for state, begin, end in stretches(found, "1001") if state is PAUSED]
    assert paused == [(1366612890, 1366613198), (1366613236, 1366613446), (1366616470, 1366620360)]


def test_a_repeated_pause_without_a_reason_keeps_the_reason() -> None:
    found = diary("""
1366613236|NONE|NONE|Agent/1001|PAUSEALL|lunch
1366613300|NONE|NONE|Agent/1001|PAUSEALL|
1366613446|NONE|NONE|Agent/1001|UNPAUSEALL|
""")
    assert [(each.reason, each.queues) for each in found.intervals] == [("lunch", ())]


def test_a_pause_that_never_ends_lasts_to_the_logs_last_moment() -> None:
    found = diary("""
1795429786|NONE|sales|Boris|PAUSE|paper
1795429990|1.1|sales|NONE|ENTERQUEUE||1002|1
""")
    assert stretches(found, "102") == [(PAUSED, 1795429786, 1795429990)]


def test_a_restart_ends_the_pause_of_a_configured_member_and_not_of_an_added_one() -> None:
    found = diary("""
1795429700|MANAGER|sales|Vera|ADDMEMBER|
1795429786|NONE|sales|Boris|PAUSE|paper
1795429786|NONE|sales|Vera|PAUSE|paper
1795429900|NONE|NONE|NONE|QUEUESTART|
1795429990|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found, "102") == [(PAUSED, 1795429786, 1795429900), (READY, 1795429900, 1795429990)]
    assert stretches(found, "103")[-1] == (PAUSED, 1795429786, 1795429990)


def test_members_that_come_and_go() -> None:
    found = diary("""
1795429700|MANAGER|q1|PJSIP/101|ADDMEMBER|
1795429710|MANAGER|q2|PJSIP/101|ADDMEMBER|
1795429720|MANAGER|q1|PJSIP/101|REMOVEMEMBER|
1795429730|MANAGER|q2|PJSIP/101|REMOVEMEMBER|
1795429790|MANAGER|q2|PJSIP/101|ADDMEMBER|PAUSED
1795429800|NONE|q2|Анна Иванова|UNPAUSE|
1795429810|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found) == [
        (READY, 1795429700, 1795429730),
        (OUT, 1795429730, 1795429790),
        (PAUSED, 1795429790, 1795429800),
        (READY, 1795429800, 1795429810),
    ]


@pytest.mark.parametrize(
    ("login", "logoff"),
    [
        ("AGENTLOGIN|SIP/551-0001", "AGENTLOGOFF|SIP/551-0001|900"),
        ("AGENTCALLBACKLOGIN|551@default", "AGENTCALLBACKLOGOFF|551@default|900|CommandLogoff"),
    ],
)
def test_logins_of_agents(login: str, logoff: str) -> None:
    found = diary(f"""
1366614610|1366614600.1|NONE|Agent/1001|{login}
1366614612|1366614600.1|NONE|Agent/1001|{login}
1366615510|1366614600.1|NONE|Agent/1001|{logoff}
1366615511|1366614600.1|NONE|Agent/1001|{logoff}
1366615600|1366615600.1|NONE|Agent/1001|{login}
1366615700|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found, "1001") == [
        (READY, 1366614610, 1366615510),
        (OUT, 1366615510, 1366615600),
        (READY, 1366615600, 1366615700),
    ]


def test_a_logoff_tells_of_the_login_that_the_log_does_not_have() -> None:
    found = diary("""
1366615510|1366614600.1|NONE|Agent/1001|AGENTCALLBACKLOGOFF|551@default|900|
1366615600|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found, "1001") == [(READY, 1366614610, 1366615510), (OUT, 1366615510, 1366615600)]


def test_a_logoff_ends_pauses_and_memberships() -> None:
    found = diary("""
1366614600|MANAGER|q1|Agent/1001|ADDMEMBER|
1366614610|1366614600.1|NONE|Agent/1001|AGENTLOGIN|SIP/551-0001
1366614700|NONE|NONE|Agent/1001|PAUSEALL|lunch
1366615510|1366614600.1|NONE|Agent/1001|AGENTLOGOFF|SIP/551-0001|900
1366615600|1366615600.1|NONE|Agent/1001|AGENTLOGIN|SIP/551-0001
1366615700|NONE|NONE|NONE|CONFIGRELOAD|
""")
    assert stretches(found, "1001") == [
        (READY, 1366614600, 1366614700),
        (PAUSED, 1366614700, 1366615510),
        (OUT, 1366615510, 1366615600),
        (READY, 1366615600, 1366615700),
    ]


def test_an_autopause_is_a_pause() -> None:
    found = diary("""
1795419050|1795419049.53|auto|NONE|ENTERQUEUE||+79161234511|1
1795419054|1795419049.53|auto|Boris|RINGNOANSWER|4000
1795419054|NONE|auto|Boris|PAUSE|Auto-Pause
1795419063|1795419049.53|auto|NONE|ABANDON|1|1|13
1795419067|NONE|NONE|Boris|UNPAUSEALL|
1795419067|NONE|auto|Boris|UNPAUSE|
""")
    (pause,) = found.intervals
    assert (pause.reason, stretches(found, "102")) == ("Auto-Pause", [(PAUSED, 1795419054, 1795419067)])


def test_a_member_that_nobody_is_named_for_is_passed_over() -> None:
    assert diary("1366614600|MANAGER|q1|NONE|ADDMEMBER|\n1366614700|NONE|NONE|NONE|PAUSEALL|").intervals == []
