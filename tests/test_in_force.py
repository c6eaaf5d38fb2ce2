"""Settings that change while the daemon runs: the next fact is judged by them, no link is lost, and no event."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import app
from pbxmonitor.clock import SystemClock
from pbxmonitor.in_force import DoesNotFit, InForce, arranged_of, fits
from pbxmonitor.settings import Settings
from pbxmonitor.settings_fixed import SITE
from pbxmonitor.simulator.clinic import Day, lists, recorded
from pbxmonitor.simulator.clinic.script import Inbound, Ring, RingEnd
from pbxmonitor.simulator.pbx import Login, SimulatedPbx, simulated_pbx
from pbxmonitor.simulator.shift import Shift
from pbxmonitor.store import schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.stored_settings import Wish, change
from pbxmonitor.store.types import connect, reading, writing

LOGIN = Login(username="clinic", secret="of-the-simulated-pbx")
SECONDS = 30


@dataclass
class Town:
    """A daemon beside a simulated PBX, and the rows that it writes."""

    pbx: SimulatedPbx
    database: AsyncEngine
    settings: Settings
    playings: int = 0

    def file(self, **more: Any) -> Settings:
        """A settings file of that database."""
        values: dict[str, Any] = {"database": {"url": self.settings.database.full_url}, **more}
        return Settings(**values)

    async def rows(self, table: sa.Table) -> list[Any]:
        return list(await reading(self.database, lambda connection: connection.execute(sa.select(table)).all()))

    async def until(self, true: Callable[[], Awaitable[Any]]) -> Any:
        """Wait until the rows say so."""
        async with asyncio.timeout(SECONDS):
            while not (found := await true()):  # noqa: ASYNC110 - the rows tell nobody
                await asyncio.sleep(0.05)
        return found

    async def keep(self, section: str, key: str, value: Any) -> None:
        """Somebody else, at another daemon, changes a setting."""
        wish = Wish(section=section, key=key, value=value)
        now = SystemClock().now()
        await writing(self.database, lambda c: change(c, wish, "boss", now, fits=fits(self.settings)))

    async def call(self, number: str, rings_s: float, *, during: Callable[[], Awaitable[None]] | None = None) -> None:
        """A client whom 106 lets ring for so long; `during` happens once the phone rings."""
        ring = Ring(agent="106", after_s=0.1, lasts_s=rings_s, end=RingEnd.GAVE_UP)
        client = Inbound(at=40_000.0, number=number, line="74951200305", wait_s=rings_s + 0.1, rings=(ring,))
        events = recorded(Day(date=date(2026, 11, 24), inbound=(client,))).events
        self.playings += 1
        shift = Shift(began=events[0][0], start=self.pbx.clock.now().timestamp(), playing=self.playings)
        for at, raw in events:
            await self.pbx.clock.sleep(max(shift.moment(at) - self.pbx.clock.now().timestamp(), 0))
            told = shift(raw)
            self.pbx.board.take(told)
            await self.pbx.ami.tell(told)
            if during is not None and b"Event: AgentCalled" in told:
                await during()
                during = None
        await self.until(lambda: self._ended(number))

    async def _ended(self, number: str) -> bool:
        return any(row.caller == number and row.ended_at for row in await self.rows(schema.call))

    async def verdict(self, number: str) -> tuple[str, str]:
        """Who was judged how over that client's call."""
        (call,) = [row.key for row in await self.rows(schema.call) if row.caller == number]
        (found,) = [(row.agent, row.verdict) for row in await self.rows(schema.verdict) if row.call == call]
        return found

    async def owner_of_phone(self, agent: str) -> bool:
        found = {row.endpoint: row.agent for row in await self.rows(schema.agent_device)}
        return found.get("PJSIP/106") == agent


@asynccontextmanager
async def town(folder: Path, **more: Any) -> AsyncIterator[Town]:
    async with simulated_pbx(SystemClock(), LOGIN) as pbx:
        pbx.board.begin(lists())
        ami = {"port": pbx.ami.port, "username": LOGIN.username, "secret": LOGIN.secret}
        database = {"url": f"sqlite:///{folder / 'rows.sqlite3'}", "spool": str(folder / "spool")}
        values: dict[str, Any] = {"timezone": "Europe/Moscow", "database": database, "pbx": {"main": {"ami": ami}}}
        settings = Settings(**values | more)
        await upgrade(settings.database.full_url)
        engine, stop = connect(settings.database.full_url), asyncio.Event()
        here = Town(pbx, engine, settings)
        try:
            async with asyncio.timeout(3 * SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(app.run(settings, stop=stop))
                try:
                    await here.until(lambda: here.owner_of_phone("106"))
                    yield here
                finally:
                    stop.set()
        finally:
            await engine.dispose()


FIRST, SECOND, THIRD = "+79161234501", "+79161234502", "+79161234503"


async def test_the_next_call_is_judged_by_the_new_policy_and_the_link_stays(tmp_path: Path) -> None:
    async with town(tmp_path, policy={"min_ring": "0.2 s", "short_abandon": "0.1 s"}) as here:
        await here.call(FIRST, 0.6)
        await here.keep("policy", SITE, {"callback_norm": "33 min"})
        await here.keep("people", "maria", {"name": "Мария", "devices": ["PJSIP/106"]})
        await here.until(lambda: here.owner_of_phone("maria"))
        await here.call(SECOND, 0.6)
        assert await here.verdict(FIRST) == ("106", "missed")
        assert await here.verdict(SECOND) == ("maria", "missed")
        norms = {row.number: row.due_at - row.opened_at for row in await here.rows(schema.callback)}
        assert norms == {FIRST: timedelta(minutes=10), SECOND: timedelta(minutes=33)}
        assert await here.rows(schema.gap) == []


async def test_who_is_in_a_call_gets_another_name_when_it_is_over(tmp_path: Path) -> None:
    async with town(tmp_path, policy={"min_ring": "0.2 s"}) as here:

        async def renamed() -> None:
            await here.keep("people", "maria", {"devices": ["PJSIP/106"]})

        await here.call(FIRST, app.LOOK_S + 2, during=renamed)
        assert await here.verdict(FIRST) == ("106", "missed")
        await here.until(lambda: here.owner_of_phone("maria"))
        await here.call(SECOND, 0.6)
        assert await here.verdict(SECOND) == ("maria", "missed")
        ghosts = [
            row.state for row in await here.rows(schema.agent_interval) if row.agent == "106" and not row.ended_at
        ]
        assert set(ghosts) <= {"logged_out", "offline"}


async def test_what_does_not_fit_any_more_is_told_and_stops_nobody(tmp_path: Path, empty: Town) -> None:
    await empty.keep("people", "maria", {"devices": ["PJSIP/106"]})
    await empty.keep("policy", SITE, {"min_ring": "4 s"})
    file = empty.file(people={"boris": {"devices": ["PJSIP/106"]}})
    in_force = InForce(file, empty.database)
    assert await in_force.look()
    assert set(in_force.now.people) == {"boris"}
    assert in_force.now.policy.min_ring == timedelta(seconds=4)
    assert not await in_force.look()
    left = (await arranged_of(file, empty.database)).effective.left_out
    assert [each.name for each in left] == [("people", "maria")]


@pytest.mark.parametrize(
    ("section", "key", "value", "why"),
    [
        ("people", "thief", {"devices": ["pjsip/106"]}, "cannot belong to both"),
        ("policy", SITE, {"min_ring": "soon"}, "must be seconds"),
        ("people", "lena", {"addresses": {"hook": "https://hook.example/key"}}, "secret"),
        ("crm_users", "bitrix24", {"maria": "the second"}, "users.maria"),
        ("crm_users", "pigeon", {"maria": 1}, "there is no CRM pigeon"),
        ("teams", "desk", {"supervisors": ["nobody"]}, "there is no person nobody"),
        ("callbacks", SITE, {"steps": []}, "unknown key"),
    ],
)
async def test_what_does_not_fit_is_not_kept(empty: Town, section: str, key: str, value: Any, why: str) -> None:
    await empty.keep("people", "maria", {"devices": ["PJSIP/106"]})
    with pytest.raises(DoesNotFit, match=why):
        await empty.keep(section, key, value)
    assert [(row.section, row.key) for row in await empty.rows(schema.setting)] == [("people", "maria")]


async def test_what_is_wrong_with_the_file_itself_does_not_leave_out_what_is_kept(empty: Town) -> None:
    await empty.keep("people", "maria", {})
    wrong = empty.file(notify={"pigeon": {"kind": "pigeon"}})
    assert set((await arranged_of(wrong, empty.database)).settings.people) == {"maria"}


async def test_over_a_database_that_is_away_the_settings_stay_as_they_are(tmp_path: Path, empty: Town) -> None:
    in_force = InForce(empty.settings, connect(f"sqlite:///{tmp_path / 'nowhere' / 'rows.sqlite3'}"))
    assert not await in_force.looked()
    assert in_force.now is empty.settings


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Town]:
    """Rows without a daemon."""
    notify = {"hook": {"kind": "webhook", "secret": "hook-secret-of-32-letters-and-more"}}
    crm = {"bitrix24": {"webhook": "https://portal.example/rest/1/crm-code/", "default_user": 1}}
    url = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    values: dict[str, Any] = {"database": {"url": url}, "notify": notify, "crm": crm}
    settings = Settings(**values)
    await upgrade(url)
    engine = connect(url)
    async with simulated_pbx(SystemClock(), LOGIN) as nobody_calls:
        yield Town(nobody_calls, engine, settings)
    await engine.dispose()
