"""A small site for the tests of the work: people, a chain, calls by themselves, and what is owed of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.store import schema
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import reading
from tests.domain.story import CLIENT, Story

__all__ = ["CLIENT", "DUTIES", "MINUTE", "NOW", "POLICY", "ROSTER", "Shop", "callback", "owed", "rows"]
NODE = "main"
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PEOPLE = (
    Person(key="101", name="Анна", channels=("telegram", "sms")),
    Person(key="102", name="Борис", channels=("telegram",), language="en"),
    Person(key="lena", name="Лена", role=Role.SUPERVISOR, channels=("email",)),
    Person(key="chief", name="Шеф", role=Role.DIRECTOR, channels=("email",)),
)
ROSTER = Roster(people={each.key: each for each in PEOPLE}, reserve=("102",))
DUTIES = Duties(roster=ROSTER, tasks=("bitrix24",), calls=("bitrix24",))
POLICY = Policy()


class Shop:
    """Calls told as a story, recorded as a daemon records them; time is the story's."""

    def __init__(
        self,
        engine: AsyncEngine,
        duties: Duties = DUTIES,
        policy: Policy = POLICY,
        **more: Any,
    ) -> None:
        self.story = Story(policy, at=NOW)
        self.engine = engine
        self.duties = duties
        self.policy = policy
        self._floor = Floor(node=NODE)
        self._ledger = Ledger(engine, NODE, policy, duties=duties, **more)
        self._told = 0

    @property
    def now(self) -> datetime:
        return self.story.now

    async def recorded(self) -> None:
        """What was told since is in the rows."""
        facts = await self._ledger.unseen(self.story.facts[self._told :])
        self._told = len(self.story.facts)
        floor, changes = play(self._floor, facts)
        await self._ledger.record(changes, floor, facts)
        self._floor = floor

    async def misses(self, client: str = CLIENT, agent: str = "101", line: str = "1001") -> str:
        """A client calls the queue, that agent's phone rings out, the client gives up; the call's key."""
        story = self.story.calls_in(client, line).waits_in("sales").rings(agent).after(12)
        key = story.caller_leaves().key
        await self.recorded()
        return key

    async def calls_back(self, agent: str, client: str = CLIENT, talks: float = 30, rings: float = 4) -> str:
        """That agent calls the client, who answers when `talks` is not 0; the call's key."""
        story = self.story.dials(agent, client).is_put_through_to(client).rings_outside(client).after(rings)
        if talks:
            story.answers(client).after(talks).hangs_up(client)
        else:
            story.caller_leaves()
        await self.recorded()
        return story.key

    async def answers(self, agent: str, client: str = CLIENT, talks: float = 30, line: str = "1001") -> str:
        """The client calls and is talked to."""
        story = self.story.calls_in(client, line).waits_in("sales").rings(agent).after(2)
        key = story.answers(agent).after(talks).caller_leaves().key
        await self.recorded()
        return key


async def rows(engine: AsyncEngine, table: sa.Table, **where: Any) -> list[Any]:
    """The rows of a table with those values."""
    mine = [table.c[name] == value for name, value in where.items()]
    found = await reading(engine, lambda connection: connection.execute(sa.select(table).where(*mine)).all())
    return list(found)


async def callback(engine: AsyncEngine) -> Any:
    """The one callback there is."""
    (row,) = await rows(engine, schema.callback)
    return row


async def owed(engine: AsyncEngine) -> list[tuple[str, str | None, str, str]]:
    """What is owed: template, to whom, by which channel, and what became of it."""
    found = await rows(engine, schema.delivery)
    told = [row for row in found if row.template != "crm_call"]
    return [(row.template, row.recipient, row.channel, row.state) for row in sorted(told, key=_in_order)]


def _in_order(row: Any) -> tuple[datetime, str, str]:
    return row.created_at, row.template, row.recipient or ""
