"""Every layout of CDR that Asterisk and its friends write, with and without a header."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.pbx.asterisk.cdr import Cdr, CdrRow, rows_of_csv, rows_of_table
from pbxmonitor.pbx.asterisk.history import BadLine
from pbxmonitor.pbx.asterisk.naming import Site

MOSCOW = ZoneInfo("Europe/Moscow")
HEAD = '"","+79161234567","1002","from-trunk","""Пётр"" <+79161234567>"'
MIDDLE = '"PJSIP/trunk-00000001","PJSIP/101-00000002","Queue","sales,tT,,,30"'
TIMES = '"2026-11-23 10:00:00","2026-11-23 10:00:00","2026-11-23 10:00:12",12,12'
PLAIN = f'{HEAD},{MIDDLE},{TIMES},"ANSWERED","DOCUMENTATION"'
CUSTOM = (
    '"""Пётр"" <+79161234567>","+79161234567","1002","from-trunk",'
    f'{MIDDLE},{TIMES},"ANSWERED","3","","1795428000.1","",42'
)
FREEPBX = {
    "calldate": "2026-11-23 13:00:00",
    "clid": '"Пётр" <+79161234567>',
    "src": "+79161234567",
    "dst": "600",
    "dcontext": "ext-queues",
    "channel": "PJSIP/trunk-00000001",
    "dstchannel": "PJSIP/101-00000002",
    "lastapp": "Queue",
    "lastdata": "600,t,,,30",
    "duration": 12,
    "billsec": 10,
    "disposition": "ANSWERED",
    "amaflags": 3,
    "accountcode": "",
    "uniqueid": "1795428000.1",
    "userfield": "",
    "did": "74951234567",
    "recordingfile": "",
    "cnum": "+79161234567",
    "cnam": "Пётр",
    "outbound_cnum": "",
    "outbound_cnam": "",
    "dst_cnam": "",
    "linkedid": "1795428000.1",
    "peeraccount": "",
    "sequence": 1,
}


def row(line: str) -> CdrRow:
    (found,) = rows_of_csv([line])
    assert isinstance(found, CdrRow), found
    return found


@pytest.mark.parametrize(
    ("tail", "uniqueid", "linkedid"),
    [
        ("", "", ""),
        (',"1795428000.1"', "1795428000.1", ""),
        (',"a user field"', "", ""),
        (',"1795428000.1","a user field"', "1795428000.1", ""),
        (',"","1795428000.9",7', "", "1795428000.9"),
        (',"1795428000.1","","1795428000.9",7', "1795428000.1", "1795428000.9"),
        (',"1795428000.1","field","","1795428000.9",7', "1795428000.1", "1795428000.9"),
    ],
)
def test_cdr_csv_has_16_to_21_columns(tail: str, uniqueid: str, linkedid: str) -> None:
    found = row(PLAIN + tail)
    assert (found.src, found.dst, found.context) == ("+79161234567", "1002", "from-trunk")
    assert (found.channel, found.dstchannel) == ("PJSIP/trunk-00000001", "PJSIP/101-00000002")
    assert (found.uniqueid, found.linkedid) == (uniqueid, linkedid)


def test_cdr_custom_has_19_columns_in_another_order() -> None:
    found = row(CUSTOM)
    assert (found.src, found.dst, found.context) == ("+79161234567", "1002", "from-trunk")
    assert (found.uniqueid, found.disposition, found.duration) == ("1795428000.1", "ANSWERED", 12.0)


def test_lengths_may_have_fractions() -> None:
    assert row(CUSTOM.replace(",12,12,", ",12.345,10.250,")).duration == 12.345


def test_a_header_is_known_by_its_names_in_any_order() -> None:
    names = "uniqueid,channel,dstchannel,disposition,start,end,src,dst,dcontext,lastapp,lastdata,linkedid"
    line = (
        "1795428000.1,SIP/7-1,SIP/8-1,BUSY,2026-11-23 10:00:00,2026-11-23 10:00:01,7,8,inside,Dial,SIP/8,1795428000.1"
    )
    (found,) = rows_of_csv([names, line])
    assert isinstance(found, CdrRow)
    assert (found.src, found.disposition, found.linkedid) == ("7", "BUSY", "1795428000.1")


def test_freepbx_has_no_answer_and_no_end_but_lengths() -> None:
    (found,) = rows_of_table([FREEPBX], MOSCOW)
    assert isinstance(found, CdrRow)
    assert found.start == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert found.answer == datetime(2026, 11, 23, 10, 0, 2, tzinfo=UTC)
    assert found.end == datetime(2026, 11, 23, 10, 0, 12, tzinfo=UTC)
    assert found.did == "74951234567"


def test_freepbx_exported_without_a_header_is_known_too() -> None:
    line = ",".join(f'"{value}"' if value != "" else "\\N" for value in FREEPBX.values() if value != FREEPBX["clid"])
    line = line.replace('"2026-11-23 13:00:00",', '"2026-11-23 13:00:00","x <1>",')
    found = row(line)
    assert (found.did, found.linkedid, found.uniqueid) == ("74951234567", "1795428000.1", "1795428000.1")


def test_nobody_answered_where_freepbx_bills_nothing() -> None:
    (found,) = rows_of_table([FREEPBX | {"disposition": "NO ANSWER", "billsec": 0}], MOSCOW)
    assert isinstance(found, CdrRow)
    assert found.answer is None


def test_a_disposition_may_be_its_number() -> None:
    (found,) = rows_of_table([FREEPBX | {"disposition": 8}], MOSCOW)
    assert isinstance(found, CdrRow)
    assert found.answered


def test_the_doubled_hour_of_autumn_is_told_apart_by_the_uniqueid() -> None:
    """In Berlin 02:30 comes twice on 25 October 2026; the channel was made in the second one."""
    berlin = ZoneInfo("Europe/Berlin")
    second = int(datetime(2026, 10, 25, 1, 30, tzinfo=UTC).timestamp())
    twice = FREEPBX | {"calldate": "2026-10-25 02:30:00", "uniqueid": f"{second}.7"}
    first = twice | {"uniqueid": f"{second - 3600}.7"}
    starts = [found.start for found in rows_of_table([first, twice], berlin) if isinstance(found, CdrRow)]
    assert starts == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]


def test_rows_in_another_time_zone_than_told_are_counted() -> None:
    cdr = Cdr(Site(node="main"), MOSCOW)
    for found in rows_of_csv([f'{PLAIN},"1795428000.1"']):
        assert isinstance(found, CdrRow)
        assert list(cdr.take(found)) == []
    assert len(list(cdr.finish())) == 1
    assert cdr.misplaced == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("what is this", "header line"),
        (PLAIN.replace("ANSWERED", "PERHAPS"), "header line"),
        (PLAIN.replace("2026-11-23 10:00:12", "0000-00-00 00:00:00"), "not a time"),
        (PLAIN.replace("2026-11-23 10:00:12", "2026-11-23 09:00:00"), "ends before"),
        (PLAIN.replace("PJSIP/trunk-00000001", ""), "no channel"),
        (PLAIN[:60], "never closed"),
    ],
)
def test_a_line_that_is_no_record_says_why_and_is_kept_whole(line: str, why: str) -> None:
    (bad,) = rows_of_csv([line])
    assert isinstance(bad, BadLine)
    assert why in bad.reason
    assert (bad.number, bad.text) == (1, line)


def test_a_record_cut_by_a_crash_does_not_take_the_next_one_along() -> None:
    found = list(rows_of_csv([PLAIN, PLAIN[:70], PLAIN]))
    assert [type(each) for each in found] == [CdrRow, BadLine, CdrRow]
    assert [each.number for each in found] == [1, 2, 3]


def test_a_field_may_hold_a_line_break() -> None:
    broken = PLAIN.replace("sales,tT,,,30", "sales\nsecond line")
    (found,) = rows_of_csv(broken.splitlines())
    assert isinstance(found, CdrRow)
    assert found.data == "sales\nsecond line"


def test_a_byte_order_mark_carriage_returns_and_empty_lines_do_not_matter() -> None:
    found = list(rows_of_csv(["\ufeff" + PLAIN + "\r\n", "\r\n", "\n", PLAIN + "\r\n"]))
    assert [type(each) for each in found] == [CdrRow, CdrRow]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    assert all(isinstance(each, BadLine) for each in rows_of_csv(lines))


@given(st.data())
def test_no_damage_to_a_record_breaks_reading_or_telling(data: st.DataObject) -> None:
    at, cut = (data.draw(st.integers(0, len(PLAIN))) for _ in range(2))
    cdr = Cdr(Site(node="main"), UTC)
    for each in rows_of_csv([PLAIN[:at] + data.draw(st.text(max_size=5)) + PLAIN[max(at, cut) :], PLAIN]):
        if isinstance(each, CdrRow):
            assert list(cdr.take(each)) == []
    assert len(list(cdr.finish())) >= 1
