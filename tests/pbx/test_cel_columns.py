"""Every layout of CEL that Asterisk and its friends write, with and without a header."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.pbx.asterisk.cel import Cel, CelRow, rows_of_csv, rows_of_table
from pbxmonitor.pbx.asterisk.history import BadLine
from pbxmonitor.pbx.asterisk.naming import Site

MOSCOW = ZoneInfo("Europe/Moscow")
IDS = '"1795500260.6","1795500260.0"'
EXTRA = '{""hangupcause"":16,""hangupsource"":""PJSIP/201-00000002"",""dialstatus"":""ANSWER""}'
LEAD = '"HANGUP","2026-11-24 06:04:20.263576","Анна","201","201","","2005","2005","from-internal","PJSIP/201-00000002"'
SAMPLE = f'{LEAD},"AppDial","(Outgoing Line)","3","",{IDS},"","","","{EXTRA}"'
OLD = f'{LEAD},"AppDial","(Outgoing Line)","3","",{IDS},"","",""'
FREEPBX = f'"4711",{LEAD},"AppDial","(Outgoing Line)","3","",{IDS},"","","{EXTRA}"'
OLDER_FREEPBX = FREEPBX.replace(',"AppDial"', ',"201","2005","PJSIP/201-00000002","PJSIP/9-1","AppDial"')
TABLE = {
    "id": 7,
    "eventtype": "HANGUP",
    "eventtime": "2026-11-24 09:04:20",
    "cid_num": "201",
    "exten": "2005",
    "context": "from-internal",
    "channame": "PJSIP/201-00000002",
    "appname": "AppDial",
    "appdata": "(Outgoing Line)",
    "uniqueid": "1795500260.6",
    "linkedid": "1795500260.0",
    "peer": None,
    "extra": '{"hangupcause":16}',
}


def row(line: str) -> CelRow:
    (found,) = rows_of_csv([line])
    assert isinstance(found, CelRow), found
    return found


@pytest.mark.parametrize("line", [SAMPLE, FREEPBX, OLDER_FREEPBX], ids=["cel_custom", "freepbx", "older freepbx"])
def test_the_usual_layouts_need_no_header(line: str) -> None:
    found = row(line)
    assert (found.event, found.channel, found.cid_num) == ("HANGUP", "PJSIP/201-00000002", "201")
    assert (found.exten, found.context) == ("2005", "from-internal")
    assert (found.app, found.data) == ("AppDial", "(Outgoing Line)")
    assert (found.uniqueid, found.linkedid) == ("1795500260.6", "1795500260.0")
    assert found.extra == {"hangupcause": "16", "hangupsource": "PJSIP/201-00000002", "dialstatus": "ANSWER"}


def test_a_layout_without_the_extra_column_is_known_too() -> None:
    assert row(OLD).uniqueid == "1795500260.6"
    assert row(OLD).extra == {}


def test_a_header_is_known_by_its_names_in_any_order() -> None:
    names = "uniqueid,linkedid,EventType,eventtime,CID Num,channame"
    (found,) = rows_of_csv([names, "1795500260.6,1795500260.0,ANSWER,2026-11-24 06:04:20,201,SIP/201-1"])
    assert isinstance(found, CelRow)
    assert (found.event, found.cid_num, found.channel) == ("ANSWER", "201", "SIP/201-1")


@pytest.mark.parametrize(
    "time",
    [
        "1795500260.263576",
        "2026-11-24 06:04:20.263576+00",
        "2026-11-24T06:04:20.263576Z",
        "2026-11-24 02:04:20.263576-04",
    ],
)
def test_times_are_epoch_seconds_or_iso_with_a_zone(time: str) -> None:
    found = row(SAMPLE.replace("2026-11-24 06:04:20.263576", time))
    assert found.at.astimezone(UTC) == datetime(2026, 11, 24, 6, 4, 20, 263576, tzinfo=UTC)


def test_a_time_without_a_zone_is_local_to_the_zone_told() -> None:
    (found,) = rows_of_table([TABLE], MOSCOW)
    assert isinstance(found, CelRow)
    assert found.at == datetime(2026, 11, 24, 6, 4, 20, tzinfo=UTC)


def test_a_user_event_goes_by_its_own_name() -> None:
    (found,) = rows_of_table([TABLE | {"eventtype": "USER_DEFINED", "userdeftype": "XIVO_INCALL"}], MOSCOW)
    assert isinstance(found, CelRow)
    assert found.event == "XIVO_INCALL"


def test_extra_was_text_before_12() -> None:
    found = row(SAMPLE.replace(EXTRA, "16,SIP/201-00000002,ANSWER"))
    assert found.extra == {"hangupcause": "16", "hangupsource": "SIP/201-00000002", "dialstatus": "ANSWER"}


def test_broken_extra_tells_what_can_be_read_of_it() -> None:
    told = TABLE | {"eventtype": "BRIDGE_ENTER", "extra": '{"bridge_id":"e2cf","bridge_technology":""simple_bridge"}'}
    (found,) = rows_of_table([told], MOSCOW)
    assert isinstance(found, CelRow)
    assert found.extra == {"bridge_id": "e2cf", "bridge_technology": "simple_bridge"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("what is this", "header line"),
        (SAMPLE.replace("1795500260.0", "nothing"), "side by side"),
        (SAMPLE.replace("2026-11-24 06:04:20.263576", "yesterday"), "not a time"),
        (SAMPLE.replace("2026-11-24 06:04:20.263576", "0001-01-01 00:00:00"), "not a time"),
        (SAMPLE.replace("HANGUP", "what?"), "header line"),
        (SAMPLE[:15], "never closed"),
    ],
)
def test_a_line_that_is_no_row_says_why_and_is_kept_whole(line: str, why: str) -> None:
    (bad,) = rows_of_csv([line])
    assert isinstance(bad, BadLine)
    assert why in bad.reason
    assert (bad.number, bad.text) == (1, line)


def test_without_linkedid_a_row_ties_to_no_call() -> None:
    """The sample of cel_sqlite3_custom has no such column."""
    (bad,) = rows_of_table([{name: value for name, value in TABLE.items() if name != "linkedid"}], MOSCOW)
    assert isinstance(bad, BadLine)
    assert "linkedid" in bad.reason


def test_rows_in_another_time_zone_than_told_are_counted() -> None:
    cel = Cel(Site(node="main"), MOSCOW)
    assert list(cel.take(row(SAMPLE.replace("HANGUP", "CHAN_START").replace("260.6", "260.0")))) == []
    assert cel.misplaced == 1


@given(st.lists(st.text(max_size=60), max_size=8))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    assert all(isinstance(each, BadLine) for each in rows_of_csv(lines))


@given(st.data())
def test_no_damage_to_a_row_breaks_reading_or_telling(data: st.DataObject) -> None:
    at, cut = (data.draw(st.integers(0, len(SAMPLE))) for _ in range(2))
    cel = Cel(Site(node="main"), MOSCOW)
    found = list(rows_of_csv([SAMPLE[:at] + data.draw(st.text(max_size=5)) + SAMPLE[max(at, cut) :], SAMPLE]))
    calls = [call for each in found if isinstance(each, CelRow) for call in cel.take(each)]
    assert [*calls, *cel.finish()] == []
