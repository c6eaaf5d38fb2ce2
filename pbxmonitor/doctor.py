"""`pbxmonitor doctor`: what must always hold, in the rows and beside what each PBX says is open now."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, SystemClock
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.ami import Ami, LinkDown, LinkUp, Refused
from pbxmonitor.pbx.asterisk.connect import ami_login, policy_of
from pbxmonitor.settings import PbxSettings, Settings
from pbxmonitor.store.doctor import Finding, examine
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import connect, reading

PATIENCE = 15.0
# A call that has just begun or ended may stand on one side only: what is wrong is wrong still after so long.
AGAIN_S = 3.0


async def examined(settings: Settings, node: str | None, *, live: bool) -> list[Finding]:
    """Every offender among the rows; with `live`, also the calls that we hold for open and the PBX does not."""
    policy = policy_of(settings)
    database = connect(settings.database.full_url)
    try:
        found = await reading(database, lambda connection: examine(connection, policy, node))
        for pbx in _asked(settings, node) if live else ():
            found += await Beside(pbx, database, policy).findings()
        return found
    finally:
        await database.dispose()


def _asked(settings: Settings, node: str | None) -> Iterable[PbxSettings]:
    return (pbx for pbx in settings.pbx.values() if node is None or pbx.node == node)


@dataclass(frozen=True, slots=True)
class Beside:
    """The calls that our rows hold for open, beside the channels that the PBX has."""

    pbx: PbxSettings
    database: AsyncEngine
    policy: Policy
    clock: Clock = field(default_factory=SystemClock)

    async def findings(self) -> list[Finding]:
        """Calls that are open here and nowhere else; one finding when the PBX cannot be asked."""
        ami = Ami(ami_login(self.pbx), self.clock)
        found: list[Finding] = []
        try:
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
                up: asyncio.Future[LinkUp] = asyncio.get_running_loop().create_future()
                listening = tasks.create_task(_listen(ami, up))
                await up
                found = await self._compared(ami)
                listening.cancel()
        except TimeoutError:
            return [self._finding("unasked", "", reason=ami.trouble or "no answer")]
        return found

    async def _compared(self, ami: Ami) -> list[Finding]:
        try:
            gone = await self._gone(ami)
            if gone:
                await self.clock.sleep(AGAIN_S)
                gone &= await self._gone(ami)
        except (Refused, LinkDown) as trouble:
            return [self._finding("unasked", "", reason=str(trouble))]
        return [self._finding("gone", call) for call in sorted(gone)]

    async def _gone(self, ami: Ami) -> set[str]:
        """Open calls none of whose channels the PBX has."""
        answer = await ami.ask("CoreShowChannels")
        there = {item["Uniqueid"] for item in answer.events}
        floor = await Ledger(self.database, self.pbx.node, self.policy).floor()
        return {call.key for call in floor.open_calls() if not any(leg.id in there for leg in call.live())}

    def _finding(self, word: str, subject: str, **values: object) -> Finding:
        key = f"doctor.open.{word}"
        told = {"node": self.pbx.node, "call": subject, **values}
        return Finding(check="open", node=self.pbx.node, subject=subject, key=key, values=told)


async def _listen(ami: Ami, up: "asyncio.Future[LinkUp]") -> None:
    async for heard in ami.listen():
        if isinstance(heard, LinkUp) and not up.done():
            up.set_result(heard)
