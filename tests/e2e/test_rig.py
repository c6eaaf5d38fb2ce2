"""The rig judges the program, so it is judged itself: these need no Asterisk."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from tests.rig.differences import differences
from tests.rig.plan import INSTANCES, VERSIONS, plan
from tests.rig.process import running
from tests.rig.queue_log import visits
from tests.rig.truth import Call, compare

DIARY = """\
1795418850|c.1|sales1|NONE|ENTERQUEUE||+79161100001|1
1795418853|c.1|sales1|Boris|RINGNOANSWER|2000
1795418854|c.1|sales1|Анна Иванова|CONNECT|4|c.2|1
1795418860|c.1|sales1|Анна Иванова|COMPLETEAGENT|4|6|1
1795418870|c.3|sales1|NONE|ENTERQUEUE||+79161100002|1
1795418875|c.3|sales1|Vera|RINGCANCELED|5000
1795418875|c.3|sales1|NONE|ABANDON|1|1|5
""".splitlines()


def _stage(result: str, left: str) -> dict[str, str]:
    return {
        "kind": "queue",
        "name": "sales1",
        "result": result,
        "entered_at": "2026-11-23T07:27:30.100Z",
        "left_at": f"2026-11-23T07:27:{left}Z",
    }


def _offer(agent: str, result: str, ended: str) -> dict[str, str]:
    return {"agent": agent, "queue": "sales1", "result": result, "ended_at": f"2026-11-23T07:27:{ended}Z"}


def _journal() -> list[dict[str, Any]]:
    answered = {
        "call": "c.1",
        "stages": [_stage("answered", "34.300")],
        "offers": [_offer("102", "declined", "32.100"), _offer("101", "answered", "34.300")],
        "talks": [{"agent": "101", "talk_s": 6.4, "ended_by": "agent"}],
    }
    abandoned = {
        "call": "c.3",
        "stages": [_stage("abandoned", "35.500")],
        "offers": [_offer("103", "caller_gave_up", "35.500")],
        "talks": [],
    }
    return [answered, abandoned]


def test_a_queue_log_is_read_by_visit() -> None:
    answered, abandoned = visits(DIARY)
    assert (answered.result, answered.agent, answered.waited_s, answered.talked_s) == ("answered", "101", 4, 6)
    assert (answered.ended_by, answered.unanswered) == ("agent", {"102": 1})
    assert (abandoned.result, abandoned.waited_s, abandoned.cancelled) == ("abandoned", 5, {"103": 1})


def test_rows_that_agree_with_the_queue_log_have_no_difference() -> None:
    assert differences(_journal(), visits(DIARY)) == []


@pytest.mark.parametrize(
    ("call", "path", "lie"),
    [
        (0, ("talks", 0, "agent"), "103"),
        (0, ("talks", 0, "talk_s"), 7.6),
        (0, ("talks", 0, "ended_by"), "caller"),
        (0, ("offers", 0, "result"), "answered_elsewhere"),
        (0, ("stages", 0, "left_at"), "2026-11-23T07:27:37Z"),
        (1, ("stages", 0, "result"), "timeout"),
        (1, ("offers", 0, "agent"), "101"),
        (1, ("call",), "c.4"),
    ],
)
def test_every_lie_in_the_rows_is_a_difference(call: int, path: tuple[Any, ...], lie: Any) -> None:
    journal = _journal()
    *way, last = path
    place: Any = journal[call]
    for step in way:
        place = place[step]
    place[last] = lie
    assert differences(journal, visits(DIARY))


def test_a_refusal_at_the_moment_of_a_colleagues_answer_may_be_unheard_by_the_queue() -> None:
    journal = _journal()
    journal[0]["offers"].append(_offer("103", "declined", "34.301"))
    assert differences(journal, visits(DIARY)) == []
    journal[0]["offers"][-1]["ended_at"] = "2026-11-23T07:27:33.900Z"
    assert differences(journal, visits(DIARY))


def test_a_call_the_journal_lacks_or_tells_otherwise_is_a_disagreement() -> None:
    told = Call(caller="+79161100001", called="1001", wait_s=3.0, verdicts={"101": "answered"})
    row = {f.name: None for f in dataclasses.fields(Call)} | {
        "call": "c.1", "caller": "+79161100001", "called": "1001", "direction": "inbound", "disposition": "answered",
        "lost": False, "wait_s": 3.4, "started_at": "1", "verdicts": {"101": "answered"}, "stages": [], "offers": [],
        "talks": [], "transfers": [],
    }  # fmt: skip
    assert compare((told,), [row]) == []
    assert compare((told,), [])
    assert compare((told,), [row, row])
    assert compare((told,), [row | {"wait_s": 4.1}])
    assert compare((told,), [row | {"verdicts": {"101": "missed"}}])


def test_a_stale_pid_file_is_not_believed(tmp_path: Path) -> None:
    here = dataclasses.replace(plan("22"), home=tmp_path)
    pid_file = here.folder("pbx") / "run/asterisk.pid"
    pid_file.parent.mkdir(parents=True)
    for text in (str(os.getpid()), "999999999", "", "rubbish"):
        pid_file.write_text(text)
        assert running(here, "pbx") is None


def test_rigs_that_may_run_at_once_share_no_port() -> None:
    plans = [plan(version, instance) for version in VERSIONS for instance in INSTANCES]
    ports = [
        port for p in plans for port in (p.pbx_ami, p.phones_ami, p.pbx_ari, p.phones_ari, p.pbx_sip, p.phones_sip)
    ]
    spans = [span for p in plans for first in (p.pbx_rtp, p.phones_rtp) for span in range(first, first + 500)]
    assert len(set(ports + spans)) == len(ports) + len(spans)
