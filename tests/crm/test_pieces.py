"""What the CRMs share: the pace, the spellings of a number, what a CRM must trust."""

from base64 import b64encode
from pathlib import Path

import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.crm import CrmSettings, Later, Refused
from pbxmonitor.crm.link import Link
from pbxmonitor.crm.oauth import Pair
from pbxmonitor.crm.pace import Pace
from pbxmonitor.crm.phones import same, spellings, telling
from tests.crm.bench import NOW
from tests.crm.server import Reply, Server


async def test_a_burst_goes_at_once_and_the_rest_at_the_pace() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock, per_second=2, burst=3)
    moments = []
    for _ in range(7):
        await pace.turn()
        moments.append(clock.monotonic())
    assert moments == [0, 0, 0, 0.5, 1, 1.5, 2]
    clock.advance(60)
    for _ in range(3):
        await pace.turn()
    assert clock.monotonic() == 62


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("+79161234501", ("+79161234501", "79161234501", "89161234501")),
        ("+442071838750", ("+442071838750", "442071838750")),
        ("+375291234567", ("+375291234567", "375291234567")),
    ],
)
def test_a_number_is_looked_for_as_people_write_it(number: str, written: tuple[str, ...]) -> None:
    assert spellings(number) == written
    assert all(same(number, each) for each in written)


@pytest.mark.parametrize("number", ["", "anonymous", "+12", "٣٤٥٦٧٨"])
def test_who_has_no_number_is_not_looked_for(number: str) -> None:
    for spell in (spellings, telling):
        with pytest.raises(Refused, match="without the client's number"):
            spell(number)


@pytest.mark.parametrize(
    ("one", "other"), [("+79161234501", "+79161234502"), ("", ""), ("1234", "1234"), ("abc", "abc")]
)
def test_other_digits_are_another_client_and_none_are_nobody(one: str, other: str) -> None:
    assert not same(one, other)


def test_a_pair_of_tokens_does_not_show_them() -> None:
    assert repr(Pair(access="secret-one", refresh="secret-two")) == "Pair()"


@pytest.mark.parametrize(
    ("text", "problem"), [(None, "No such file"), ("nonsense", "must be a file of certificates: there is none in it")]
)
def test_a_ca_file_that_is_none_says_so(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "ca.pem"
    if text:
        file.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=problem):
        CrmSettings(default_user="1", ca_file=file)


@pytest.mark.parametrize("proxy", ["10.0.0.1:3128", "ftp://10.0.0.1", "http://:3128", "http://a:99999"])
def test_a_proxy_that_is_none_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ValueError, match="must be http://HOST:PORT or socks5://HOST:PORT") as wrong:
        CrmSettings.model_validate({"default_user": "1", "proxy": proxy})
    assert proxy not in str(wrong.value)


def test_an_answer_is_waited_for_at_all() -> None:
    with pytest.raises(ValueError, match="must be longer than nothing"):
        CrmSettings.model_validate({"default_user": "1", "timeout": 0})


async def test_a_proxy_is_asked_and_its_password_is_not_told() -> None:
    async with Server(lambda _request: Reply(status=407), Reply()) as server:
        proxy = server.url.replace("://", "://user:p4ssw0rd@")
        link = Link("CRM", CrmSettings.model_validate({"default_user": "1", "proxy": proxy}), secure=True)
        with pytest.raises(Later) as late:
            await link.exchange("GET", "https://crm.example.org/")
        await link.aclose()
    (asked,) = server.seen
    assert (asked.method, asked.target) == ("CONNECT", "crm.example.org:443")
    assert asked.headers["proxy-authorization"] == "Basic " + b64encode(b"user:p4ssw0rd").decode()
    assert "p4ssw0rd" not in late.value.reason


async def test_an_address_that_cannot_be_asked_is_refused() -> None:
    link = Link("CRM", CrmSettings(default_user="1"), secure=False)
    with pytest.raises(Refused, match="the settings give no address that can be asked"):
        await link.exchange("GET", "crm.example.org")
    await link.aclose()
