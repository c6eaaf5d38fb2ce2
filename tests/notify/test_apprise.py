"""Through Apprise's own service for JSON, to a server on loopback."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Image, Later, Refused
from pbxmonitor.notify.apprise import Apprise
from tests.notify.loopback import NOW, PNG, SUBJECT, TEXT, Said, Web, message, serving

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving(Said(200, b"ok")) as server:
        yield server


def channel(web: Web, **more: Any) -> Apprise:
    address = f"json://anna:se-cret-word@127.0.0.1:{web.port}/notify?rto=2&cto=2"
    return Apprise(Apprise.Settings(**{"urls": {"team": address}, "timeout": 5, **more}), ManualClock(NOW))


async def test_the_message_reaches_the_service_that_the_name_stands_for(web: Web) -> None:
    await channel(web).send(message("team"))
    (asked,) = web.asked
    told = asked.json()
    assert (asked.method, asked.path) == ("POST", "/notify")
    assert (told["title"], told["message"], told["attachments"]) == (SUBJECT, TEXT, [])
    assert asked.headers["authorization"].startswith("Basic ")


async def test_charts_go_with_it(web: Web) -> None:
    await channel(web).send(message("team", images=(Image(name="hours.png", png=PNG, alt="Часы"),)))
    (file,) = web.asked[0].json()["attachments"]
    assert (file["filename"], file["mimetype"]) == ("hours.png", "image/png")
    assert base64.b64decode(file["base64"]) == PNG


async def test_two_at_once_are_two(web: Web) -> None:
    apprise = channel(web)
    await asyncio.gather(*(apprise.send(message("team", id=f"d-{number}")) for number in range(2)))
    assert len(web.asked) == 2


async def test_a_name_that_is_not_in_the_settings_is_refused(web: Web) -> None:
    with pytest.raises(Refused, match="no such name; give one of team"):
        await channel(web).send(message("json://127.0.0.1/"))
    assert web.asked == []


async def test_an_address_that_apprise_cannot_read_is_refused_by_its_name(web: Web) -> None:
    apprise = channel(web, urls={"team": "nosuch://se-cret-word@host"})
    with pytest.raises(Refused, match="Apprise cannot read the address of team") as refused:
        await apprise.send(message("team"))
    assert "se-cret-word" not in repr(refused.value)


@pytest.mark.parametrize(
    ("status", "error"), [(403, Refused), (404, Refused), (429, Later), (500, Later), (409, Later)]
)
async def test_the_status_that_its_service_was_answered_with_tells(
    status: int, error: type[Refused] | type[Later]
) -> None:
    async with serving(Said(status, b"no")) as web:
        with pytest.raises(error, match=f"Apprise: team answered {status}"):
            await channel(web).send(message("team"))


def test_it_is_not_imported_before_it_is_needed() -> None:
    code = "import sys; from pbxmonitor.plugins import load; load('pbxmonitor.notify'); print('apprise' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", [{}, {"urls": {}}, {"urls": "json://x"}])
def test_it_needs_a_table_of_addresses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Apprise.Settings(**wrong)
