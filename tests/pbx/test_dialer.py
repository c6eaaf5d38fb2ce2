"""Click to call: what is asked of Asterisk, and what is never dialled."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from pbxmonitor.pbx.asterisk.ari import Ari
from pbxmonitor.pbx.asterisk.dialer import AsteriskDialer, CannotDial, NotCallable, PhoneAway
from pbxmonitor.settings_people import DialSettings
from tests.pbx.fake_ari import CHANNEL, FakeAri, Said, login_to

CLIENT = "+79161234501"


async def dial(
    pbx: FakeAri, endpoint: str = "PJSIP/101", number: str = CLIENT, name: str = "Перезвон", **how: Any
) -> None:
    abroad = how.pop("abroad", False)
    async with Ari(login_to(pbx)) as ari:
        dialer = AsteriskDialer(ari, DialSettings(**how), "RU", abroad=abroad)
        await dialer.dial(endpoint, number, call_id="pbxmonitor-17", caller_name=name)


async def dialled(number: str = CLIENT, **how: Any) -> str:
    """The extension that the dialplan is asked for."""
    async with FakeAri() as pbx:
        pbx.say("POST", "/channels", Said.json(CHANNEL))
        await dial(pbx, number=number, **how)
    (asked,) = pbx.asked
    return parse_qs(asked.query)["extension"][0]


async def test_the_employees_phone_rings_and_the_dialplan_dials_the_client_in_a_call_of_known_name() -> None:
    async with FakeAri() as pbx:
        pbx.say("POST", "/channels", Said.json(CHANNEL))
        await dial(pbx, ring=timedelta(seconds=20))
    (asked,) = pbx.asked
    assert {name: value[0] for name, value in parse_qs(asked.query).items()} == {
        "endpoint": "PJSIP/101",
        "context": "from-internal",
        "extension": CLIENT,
        "priority": "1",
        "timeout": "20",
        "channelId": "pbxmonitor-17",
    }


async def test_the_phone_shows_the_client_and_the_client_is_not_shown_his_own_number() -> None:
    async with FakeAri() as pbx:
        pbx.say("POST", "/channels", Said.json(CHANNEL))
        await dial(pbx, name='ЗАО "Ромашка"\r\nX: <1>')
    (asked,) = pbx.asked
    shown = {"CONNECTEDLINE(num,i)": CLIENT, "CONNECTEDLINE(name,i)": "ЗАО РомашкаX: 1"}
    assert json.loads(asked.body)["variables"] == shown
    assert "callerId" not in asked.query


@pytest.mark.parametrize(
    ("how", "extension"),
    [
        ({}, "+79161234501"),
        ({"format": "digits"}, "79161234501"),
        ({"format": "national"}, "89161234501"),
        ({"format": "national", "prefix": "9"}, "989161234501"),
        ({"format": "national", "abroad": True, "number": "+4915123456789"}, "8104915123456789"),
        ({"format": "digits", "prefix": "00", "abroad": True, "number": "+4915123456789"}, "004915123456789"),
    ],
)
async def test_the_number_is_written_as_the_dialplan_wants_it(how: dict[str, Any], extension: str) -> None:
    assert await dialled(**how) == extension


@pytest.mark.parametrize(
    "number",
    [
        "112",
        "+7112",
        "+7103",
        "101",
        "89161234501",
        "+7916",
        "+7 916 123-45-01",
        "+79161234501,30",
        "+79161234501&PJSIP/trunk",
        "+٧٩١٦١٢٣٤٥٠١",
        "*72+79161234501",
        "",
        "+9991234567",
        "+71111111111",
        "+78091234567",
        "+88213123456",
        "+4915123456789",
    ],
)
async def test_what_is_no_ordinary_number_of_this_country_is_never_dialled(number: str) -> None:
    async with FakeAri() as pbx:
        with pytest.raises(NotCallable):
            await dial(pbx, number=number)
    assert pbx.asked == []


async def test_numbers_that_cost_extra_are_not_dialled_abroad_either() -> None:
    async with FakeAri() as pbx:
        with pytest.raises(NotCallable, match="cost extra"):
            await dial(pbx, number="+449098790879", abroad=True)
    assert pbx.asked == []


@pytest.mark.parametrize("endpoint", ["Local/101@from-internal", "PJSIP/101&PJSIP/102", "101", "PJSIP/+7916@trunk", ""])
async def test_only_one_phone_is_rung(endpoint: str) -> None:
    async with FakeAri() as pbx:
        with pytest.raises(PhoneAway, match="not a phone such as PJSIP/101"):
            await dial(pbx, endpoint)
    assert pbx.asked == []


async def test_a_phone_that_is_not_registered_is_named() -> None:
    async with FakeAri() as pbx:
        pbx.say("POST", "/channels", Said.json({"message": "Allocation failed"}, 500))
        with pytest.raises(PhoneAway, match=r"^Asterisk cannot ring PJSIP/101: is there such a phone, and is it reg"):
            await dial(pbx)


async def test_missing_rights_are_said_in_one_line_without_the_number() -> None:
    async with FakeAri() as pbx:
        pbx.say("POST", "/channels", Said.json({"message": f"{CLIENT} forbidden"}, 403))
        with pytest.raises(CannotDial) as refused:
            await dial(pbx)
    assert "set read_only = no for 'pbxmonitor' in ari.conf" in refused.value.reason
    assert CLIENT not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not refused.value.perhaps


async def test_nobody_knows_about_a_call_when_asterisk_does_not_answer() -> None:
    async with FakeAri() as pbx:
        gone = pbx.url, login_to(pbx)
    async with Ari(gone[1]) as ari:
        with pytest.raises(CannotDial) as lost:
            await AsteriskDialer(ari, DialSettings(), "RU").dial("PJSIP/101", CLIENT, call_id="1", caller_name="")
    assert lost.value.perhaps
