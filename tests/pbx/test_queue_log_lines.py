"""What a line of queue_log says, from the file and from every form of its realtime table; bad ones never stop it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.pbx.asterisk.queue_log import BadLine, Entry, QueueLog, agents, calls, entries_of_rows, read_lines
from tests.pbx.diary import SITE, Diary, diary, judged, talks, told

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def only(*lines: str) -> Entry | BadLine:
    (found,) = read_lines(lines)
    return found


def entry(*lines: str) -> Entry:
    found = only(*lines)
    assert isinstance(found, Entry)
    return found


def row(time: Any, event: str = "RINGNOANSWER", **data: Any) -> dict[str, Any]:
    base = {"time": time, "callid": "1.1", "queuename": "sales", "agent": "Boris", "event": event}
    return {**base, **{f"data{number}": None for number in range(1, 6)}, **data}


def at(time: Any, zone: ZoneInfo = MOSCOW) -> datetime:
    (found,) = entries_of_rows([row(time)], zone)
    assert isinstance(found, Entry)
    return found.at


def test_a_line_has_its_fields() -> None:
    assert entry("1795434302|1795434299.19|sales|Анна Иванова|CONNECT|2|1795434300.20|2\n") == Entry(
        at=datetime(2026, 11, 23, 11, 45, 2, tzinfo=UTC),
        call="1795434299.19",
        queue="sales",
        agent="Анна Иванова",
        event="CONNECT",
        data=("2", "1795434300.20", "2"),
    )


@pytest.mark.parametrize("end", ["", "|", "||", "|\r\n", "\n", "\0\0\n"])
def test_what_is_empty_at_the_end_may_be_there_or_not(end: str) -> None:
    assert entry(f"1795434302|NONE|NONE|Boris|UNPAUSEALL{end}").data == ()


def test_a_byte_order_mark_and_empty_lines_are_nothing() -> None:
    read = list(read_lines(["\ufeff1795434302|NONE|NONE|NONE|QUEUESTART|\n", "\n", "  \r\n", "\0\0\0"]))
    assert [each.event for each in read if isinstance(each, Entry)] == ["QUEUESTART"]
    assert len(read) == 1


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1795521600", NOON),
        ("1795521600.123456", NOON + timedelta(microseconds=123456)),
        ("2026-11-24 12:00:00", NOON),
        ("2026-11-24 15:00:00.500+03", NOON + timedelta(seconds=0.5)),
        ("2026-11-24T12:00:00Z", NOON),
    ],
)
def test_times_of_a_file(written: str, moment: datetime) -> None:
    assert entry(f"{written}|1.1|sales|NONE|ENTERQUEUE|").at == moment


def test_a_date_in_a_file_is_of_the_zone_that_the_file_is_read_in() -> None:
    (found,) = read_lines(["2026-11-24 15:00:00|1.1|sales|NONE|ENTERQUEUE|"], MOSCOW)
    assert isinstance(found, Entry)
    assert found.at == NOON


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1795434302", "not a line of queue_log"),
        ("1795434302|1.1|sales|NON", "not a line of queue_log"),
        ('"","79161234501","1001","from-trunk"', "not a line of queue_log"),
        ("soon|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("-1|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("nan|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("99999999999|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("0001-01-01 00:00:00|1.1|sales|NONE|ENTERQUEUE||1", "not a time"),
        ("1795434302|1.1|sales|Иванова|Анна|CONNECT|2", "not an event"),
        ("1795434302|1.1|sales|NONE||1", "not an event"),
        ("1795434302|1.1|sales|NONE|12|1", "not an event"),
    ],
)
def test_a_line_of_another_kind_is_told_with_its_reason(line: str, reason: str) -> None:
    (good, bad, last) = read_lines(["1795434302|1.1|sales|NONE|ENTERQUEUE|", line, "1795434303|1.1|sales|NONE|FULL|"])
    assert isinstance(good, Entry)
    assert isinstance(last, Entry)
    assert isinstance(bad, BadLine)
    assert (bad.number, bad.text) == (2, line)
    assert bad.reason.startswith(reason)
    assert "\n" not in bad.reason


def test_bytes_that_are_no_text_go_through_unharmed() -> None:
    name = "Анна".encode("cp1251").decode("utf-8", "surrogateescape")
    assert diary(f"1366635305|1366635200.24|q01|{name}|COMPLETEAGENT|12|6|1").call.talks[0].agent == name


@given(st.lists(st.text(alphabet="0123456789|.ABENRSTZ-: \0\n", max_size=60)))
def test_no_line_breaks_the_reader(lines: list[str]) -> None:
    log = QueueLog(SITE)
    for each in read_lines(lines):
        if isinstance(each, Entry):
            log.take(each)
    log.finish()


_EVENTS = st.sampled_from(sorted({*calls.RULES, *agents.RULES, "QUEUESTART"}))
_WORDS = st.sampled_from(["", "0", "5", "15000", "999999999", "x", "LINK", "+79161234501", "1795434302.1"])
_LINES = st.builds(
    "{}|{}|{}|{}|{}|{}".format,
    st.integers(1795434302, 1795480000),
    st.sampled_from(["1.1", "1.2", "NONE"]),
    st.sampled_from(["q1", "q2", "NONE"]),
    st.sampled_from(["Boris", "PJSIP/101", "NONE"]),
    _EVENTS,
    st.lists(_WORDS, max_size=6).map("|".join),
)


@given(st.lists(_LINES, max_size=40))
def test_whatever_the_order_of_lines_nothing_lasts_backwards(lines: list[str]) -> None:
    found = diary("\n".join(lines))
    assert found.bad == []
    for call in found.calls:
        assert call.started_at == call.stages[0].entered_at
        assert call.ended_at is None or call.ended_at >= call.stages[-1].entered_at
        assert all(stage.left_at is None or stage.left_at >= stage.entered_at for stage in call.stages)
        assert all(talk.ended_at is None or talk.ended_at >= talk.began_at for talk in call.talks)
        assert all(offer.ended_at is None or offer.ended_at >= offer.began_at for offer in call.offers)
        assert judged(call).verdicts.keys() <= {"101", "102"}
    for one in found.intervals:
        assert one.ended_at is not None
        assert one.began_at < one.ended_at
        assert "" not in one.queues


@given(st.lists(_LINES, max_size=40))
def test_intervals_of_one_agent_do_not_overlap(lines: list[str]) -> None:
    found = diary("\n".join(sorted(lines)))
    for agent in ("101", "102"):
        mine = [each for each in found.intervals if each.agent == agent]
        assert all(one.ended_at and one.ended_at <= other.began_at for one, other in pairwise(mine))


def both(found: Diary) -> tuple[Any, ...]:
    return found.calls, found.intervals


STAY: list[tuple[str, ...]] = [
    ("1795434300", "c.19", "sales", "NONE", "ENTERQUEUE", "", "+79161240001", "1"),
    ("1795434302", "c.19", "sales", "Boris", "CONNECT", "2", "c.20", "2"),
    ("1795434306", "c.19", "sales", "Boris", "ATTENDEDTRANSFER", "LINK", "Local/1;1", "Local/1;2", "2", "4", "1"),
    ("1795434307", "NONE", "NONE", "Boris", "PAUSEALL", ""),
    ("1795434309", "NONE", "NONE", "Boris", "UNPAUSEALL"),
]


def adaptive(fields: tuple[str, ...]) -> Mapping[str, Any]:
    """As Asterisk fills data1 … data5: the fifth takes the rest."""
    names = ("time", "callid", "queuename", "agent", "event")
    data = [*fields[5:9], "|".join(fields[9:])]
    time = datetime.fromtimestamp(int(fields[0]), MOSCOW).strftime("%Y-%m-%d %H:%M:%S.%f")
    head = dict(zip(names, (time, *fields[1:5]), strict=True))
    return head | {f"data{number}": value for number, value in enumerate([*data, *[""] * 5][:5], 1)}


def single(fields: tuple[str, ...]) -> Mapping[str, Any]:
    """The old form: everything in one column, times as epoch."""
    names = ("time", "callid", "queuename", "agent", "event")
    return dict(zip(names, fields[:5], strict=True)) | {"data": "|".join(fields[5:])}


@pytest.mark.parametrize("form", [adaptive, single])
def test_the_table_says_what_the_file_says(form: Any) -> None:
    file = diary("\n".join("|".join(fields) for fields in STAY))
    table = told(entries_of_rows([form(fields) for fields in STAY], MOSCOW))
    assert both(table) == both(file)
    assert table.bad == []
    assert talks(table.call) == [("102", 4, "transfer")]
    assert len(table.intervals) == 1


def test_the_fifth_column_holds_what_did_not_fit() -> None:
    rows = [
        row("1366635200", "ENTERQUEUE", data2="1002"),
        row("1366635242", "ATTENDEDTRANSFER", data1="LINK", data2="SIP/a-1", data3="SIP/b-2", data4="12", data5="10|1"),
    ]
    assert talks(told(entries_of_rows(rows, UTC)).call) == [("102", 10, "transfer")]


def test_columns_that_hold_several_values_are_split() -> None:
    rows = [row("1366635242", "COMPLETEAGENT", data1="12", data2="10|1")]
    assert talks(told(entries_of_rows(rows, UTC)).call) == [("102", 10, "agent")]


def test_the_single_column_counts_when_the_five_are_empty() -> None:
    (found,) = entries_of_rows([row("1366635242", data1="", data="5000")], UTC)
    assert isinstance(found, Entry)
    assert found.data == ("5000",)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-24 15:00:00",
        "2026-11-24 15:00:00.000000",
        "2026-11-24 12:00:00+00",
        datetime(2026, 11, 24, 15, 0),  # noqa: DTZ001
        datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        datetime(2026, 11, 24, 8, 0, tzinfo=timezone(timedelta(hours=-4))),
        1795521600,
        1795521600.0,
        "1795521600",
    ],
)
def test_times_of_a_table_are_the_sites_unless_they_say_more(time: Any) -> None:
    assert at(time) == NOON


def test_in_the_doubled_hour_of_autumn_the_order_of_the_rows_tells_which_it_is() -> None:
    local = ["01:59:00", "02:30:00", "02:59:58", "02:00:05", "02:30:00", "03:00:00"]
    found = [
        each.at
        for each in entries_of_rows([row(f"2026-10-25 {time}") for time in local], BERLIN)
        if type(each) is Entry
    ]
    assert [each.strftime("%H:%M") for each in found] == ["23:59", "00:30", "00:59", "01:00", "01:30", "02:00"]


@pytest.mark.parametrize("missing", ["time", "event"])
def test_a_row_without_what_it_needs_is_told(missing: str) -> None:
    (found,) = entries_of_rows([row("1366635242") | {missing: None}], UTC)
    assert isinstance(found, BadLine)
    assert found.number == 1


def test_a_padded_column_is_as_good() -> None:
    rows = [row("1366635242", "COMPLETEAGENT       ", agent="Boris    ", data1="12  ", data2="10  ")]
    assert talks(told(entries_of_rows(rows, UTC)).call) == [("102", 10, "agent")]


def test_an_empty_wait_is_unknown() -> None:
    rows = [row("1366635242", "ENTERQUEUE"), row("1366635250", "ABANDON", data1="1", data2="1", data3="")]
    (call,) = told(entries_of_rows(rows, UTC)).calls
    assert call.ended_at == datetime.fromtimestamp(1366635250, UTC)
