"""The rig judges the program, so it is judged itself: these need no Asterisk."""

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.rig.cdr import Record, records
from tests.rig.differences import differences
from tests.rig.plan import INSTANCES, VERSIONS, plan
from tests.rig.process import running
from tests.rig.queue_log import visits
from tests.rig.truth import Call, compare

RECORDS = """\
"","+79161100001","1001","from-trunk","x","PJSIP/trunk-1","PJSIP/102-3","Queue","sales1","2026-11-23 07:27:30",\
"2026-11-23 07:27:30","2026-11-23 07:27:32",2,2,"NO ANSWER","DOCUMENTATION","c.1",""
"","+79161100001","1001","from-trunk","x","PJSIP/trunk-1","PJSIP/101-2","Queue","sales1","2026-11-23 07:27:30",\
"2026-11-23 07:27:30","2026-11-23 07:27:40",10,10,"ANSWERED","DOCUMENTATION","c.1",""
"","+79161100002","1001","from-trunk","x","PJSIP/trunk-4","PJSIP/103-5","Queue","sales1","2026-11-23 07:27:30",\
"","2026-11-23 07:27:35",5,5,"NO ANSWER","DOCUMENTATION","c.3",""
""".splitlines()
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


def _talk(agent: str, began: str, ended: str) -> dict[str, str]:
    day = "2026-11-23T07:27"
    return {"agent": agent, "began_at": f"{day}:{began}Z", "ended_at": f"{day}:{ended}Z", "ended_by": "agent"}


def _wrong(journal: list[dict[str, Any]]) -> list[str]:
    return differences(journal, visits(DIARY), records(RECORDS))


def _journal() -> list[dict[str, Any]]:
    common = {"direction": "inbound", "started_at": "2026-11-23T07:27:30.050Z", "transfers": []}
    answered = common | {
        "call": "c.1",
        "stages": [_stage("answered", "34.300")],
        "offers": [_offer("102", "declined", "32.100"), _offer("101", "answered", "34.300")],
        "talks": [_talk("101", "34.300", "40.700")],
    }
    abandoned = common | {
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


def test_the_phones_of_a_call_are_read_behind_its_local_channels() -> None:
    times = '"2026-11-23 07:27:30","","2026-11-23 07:27:35"'
    row = f'"","1","2","c","x","{{}}","{{}}","Dial","d",{times},5,5,"ANSWERED","D","{{}}",""'
    lines = [
        row.format("PJSIP/trunk-1", "Local/104@from-queue-01;1", "c.1"),
        row.format("Local/104@from-queue-01;2", "PJSIP/104-2", "c.2"),
        row.format("Local/104@from-queue-01;2", "PJSIP/106-3", "c.2"),
    ]
    began, ended = datetime(2026, 11, 23, 7, 27, 30, tzinfo=UTC), datetime(2026, 11, 23, 7, 27, 35, tzinfo=UTC)
    assert records(lines)["c.1"] == Record(call="c.1", began=began, ended=ended, answered=("104", "106"))


def test_a_pickup_is_the_members_answer_to_the_queue_and_the_pickers_to_the_journal_and_the_cdr() -> None:
    journal = _journal()
    journal[0]["offers"][-1]["result"] = "answered_elsewhere"
    journal[0]["talks"] = [_talk("106", "34.300", "40.700")]
    assert _wrong(journal)
    picked = [line.replace("PJSIP/101-2", "PJSIP/106-6") for line in RECORDS if "ANSWERED" in line or "101-2" in line]
    told = differences(journal, visits(DIARY), records([*RECORDS, "\n".join(picked)]))
    assert told == []


def test_rows_that_agree_with_the_queue_log_have_no_difference() -> None:
    assert _wrong(_journal()) == []


@pytest.mark.parametrize(
    ("call", "path", "lie"),
    [
        (0, ("talks", 0, "agent"), "103"),
        (0, ("talks", 0, "ended_at"), "2026-11-23T07:27:41.9Z"),
        (0, ("started_at",), "2026-11-23T07:27:28Z"),
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
    assert _wrong(journal)


def test_a_refusal_at_the_moment_of_a_colleagues_answer_may_be_unheard_by_the_queue() -> None:
    journal = _journal()
    journal[0]["offers"].append(_offer("103", "declined", "34.301"))
    assert _wrong(journal) == []
    journal[0]["offers"][-1]["ended_at"] = "2026-11-23T07:27:33.900Z"
    assert _wrong(journal)


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
    ] + [p.sipp_port(place) for p in plans for place in "1234567"]
    spans = [span for p in plans for first in (p.pbx_rtp, p.phones_rtp) for span in range(first, first + 500)]
    assert len(set(ports + spans)) == len(ports) + len(spans)
