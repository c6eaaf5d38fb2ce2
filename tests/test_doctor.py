"""The doctor beside a PBX: what we hold for open must be open there."""

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from pbxmonitor.doctor import examined
from pbxmonitor.domain.facts import LegEnded
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.settings import AmiSettings, DatabaseSettings, PbxSettings, Settings
from pbxmonitor.store.doctor import Finding
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect
from tests.pbx.fake_asterisk import FakeAsterisk, Fields, message
from tests.store.test_ledger import record_facts

TAPE = Path(__file__).parent / "scenarios" / "22" / "ringall_answered.ami"


async def half_a_call(tmp_path: Path) -> tuple[str, str]:
    """A database in which a call is going on, and the channel that it began with."""
    url = f"sqlite:///{tmp_path / 'rows.sqlite3'}"
    await upgrade(url)
    facts = list(facts_of(frames_of(TAPE), Site(node="main")))
    end = next(place for place, fact in enumerate(facts) if isinstance(fact, LegEnded))
    engine = connect(url)
    floor = await record_facts(engine, facts[:end])
    await engine.dispose()
    (call,) = floor.open_calls()
    return url, call.key


def channels(*uniqueids: str) -> Callable[[Fields], str]:
    def told(fields: Fields) -> str:
        action = f"ActionID: {fields['ActionID']}"
        items = [message("Event: CoreShowChannel", action, f"Uniqueid: {each}") for each in uniqueids]
        begin = message("Response: Success", action, "EventList: start")
        return begin + "".join(items) + message("Event: CoreShowChannelsComplete", action, "EventList: Complete")

    return told


async def asked(pbx: FakeAsterisk, url: str, *, live: bool = True) -> list[Finding]:
    ami = AmiSettings(host="127.0.0.1", port=pbx.port, username=pbx.username, secret=SecretStr(pbx.secret))
    settings = Settings(
        database=DatabaseSettings(url=SecretStr(url)), pbx={"main": PbxSettings(node="main", ami=ami)}, timezone="UTC"
    )
    return await examined(settings, None, live=live)


async def test_a_call_that_is_open_on_the_pbx_is_no_finding(tmp_path: Path) -> None:
    url, call = await half_a_call(tmp_path)
    async with FakeAsterisk() as pbx:
        pbx.scripts["CoreShowChannels"] = channels(call, "999.9")
        assert await asked(pbx, url) == []


async def test_a_call_that_the_pbx_no_longer_has_is_named(tmp_path: Path) -> None:
    url, call = await half_a_call(tmp_path)
    async with FakeAsterisk() as pbx:
        pbx.scripts["CoreShowChannels"] = channels("999.9")
        (finding,) = await asked(pbx, url)
    assert (finding.check, finding.node, finding.subject, finding.key) == ("open", "main", call, "doctor.open.gone")
    async with FakeAsterisk() as pbx:
        assert await asked(pbx, url, live=False) == []


async def test_a_pbx_that_cannot_be_asked_is_named_and_not_taken_for_empty(tmp_path: Path) -> None:
    url, _ = await half_a_call(tmp_path)
    async with FakeAsterisk() as pbx:
        pbx.scripts["CoreShowChannels"] = lambda fields: message(
            "Response: Error", f"ActionID: {fields['ActionID']}", "Message: Permission denied"
        )
        (finding,) = await asked(pbx, url)
    assert finding.key == "doctor.open.unasked"
    assert "CoreShowChannels" in str(finding.values["reason"])
