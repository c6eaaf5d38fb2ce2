"""One Asterisk followed: its AMI stream as facts, a snapshot after every connection, ARI's presence beside it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from pbxmonitor.clock import Clock
from pbxmonitor.domain.facts import DeviceSeen, Fact
from pbxmonitor.pbx import Silence, Sink
from pbxmonitor.pbx.asterisk.ami import Ami, LinkDown, LinkLost, LinkUp
from pbxmonitor.pbx.asterisk.ari_events import AriEvents
from pbxmonitor.pbx.asterisk.ari_presence import AriEvent, AriUp, endpoint_seen
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.snapshot import QUESTIONS, SnapshotReader
from pbxmonitor.pbx.asterisk.translate import Translator, moment

log = structlog.get_logger()
# Asked again in mid-connection, because a `queue reload` sends no event for what vanished. Channels are not:
# their events are sent in full, and a list can overtake a Hangup.
REPEATED = ("QueueStatus", "DeviceStateList", "PresenceStateList")


@dataclass(kw_only=True)
class AsteriskNode:
    """The Pbx that an Asterisk is; `resync_every` in seconds."""

    site: Site
    ami: Ami
    clock: Clock
    ari: AriEvents | None = None
    resync_every: float = 60.0
    _asked: int = field(default=0, init=False)
    _next_resync: float = field(default=0.0, init=False)
    _lost_at: datetime | None = field(default=None, init=False)
    _lost_why: str = field(default="", init=False)
    _deaf_since: datetime | None = field(default=None, init=False)
    _translate: Translator = field(init=False)
    _lists: SnapshotReader = field(init=False)

    def __post_init__(self) -> None:
        self._translate, self._lists = Translator(self.site), SnapshotReader(self.site)

    @property
    def node(self) -> str:
        return self.site.node

    @property
    def lost_at(self) -> datetime | None:
        """Since when nobody listens to this PBX; None while the link stands."""
        return self._lost_at or self._deaf_since

    @property
    def heard_at(self) -> datetime | None:
        """When the last frame came, by the PBX's clock; None before the first one."""
        return moment(self._translate.now) if self._translate.now else None

    def name_by(self, site: Site) -> None:
        """Name by that site from the next frame on, and ask the PBX at once who is a member of what; the link stays."""
        self.site = self._translate.site = self._lists.site = site
        if self.lost_at is None:
            with suppress(LinkDown):  # it has just gone: everything is asked when it is back
                self._ask(REPEATED)

    async def follow(self, sink: Sink) -> None:
        """Hand over facts until cancelled; AMI is the source, ARI adds endpoints that AMI does not report."""
        self._deaf_since = self.clock.now()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_ami(sink))
            if self.ari is not None:
                tasks.create_task(self._follow_presence(self.ari, sink))
            else:
                log.info("ari_absent", node=self.node, lacking="endpoint presence, click to call, recordings")

    async def _follow_ami(self, sink: Sink) -> None:
        async for heard in self.ami.listen():
            if isinstance(heard, LinkLost):
                self._lost_at, self._lost_why = self._lost_at or heard.heard_at, heard.reason
            elif isinstance(heard, LinkUp):
                self._translate, self._lists = Translator(self.site), SnapshotReader(self.site)
                await self._begin(heard.at, sink)
            else:
                facts = _facts(heard, self._translate, self._lists)
                if facts:
                    await sink(facts)
                self._resync()

    async def _begin(self, at: datetime, sink: Sink) -> None:
        if self._lost_at is not None:
            await sink(Silence(lost_at=self._lost_at, restored_at=at, reason=self._lost_why))
            self._lost_at = None
        self._deaf_since = None
        self._ask(QUESTIONS)

    def _resync(self) -> None:
        if self.clock.monotonic() >= self._next_resync:
            self._ask(REPEATED)

    def _ask(self, questions: Sequence[str]) -> None:
        self._asked += 1
        self._next_resync = self.clock.monotonic() + self.resync_every
        for question in questions:
            self.ami.send(question, f"snapshot-{self._asked}-{question}")

    async def _follow_presence(self, ari: AriEvents, sink: Sink) -> None:
        async for heard in ari.events():
            if isinstance(heard, AriUp):
                seen = [self._seen(each.endpoint, each.online, heard.at) for each in heard.presence]
            elif isinstance(heard, AriEvent) and (one := endpoint_seen(heard)) is not None:
                seen = [self._seen(one.endpoint, one.online, one.at or self.clock.now())]
            else:
                continue
            if facts := tuple(fact for fact in seen if fact is not None):
                await sink(facts)

    def _seen(self, endpoint: str, online: bool | None, at: datetime) -> DeviceSeen | None:
        """An endpoint's presence as ARI tells it; None of what is no agent's, or not known."""
        agent = self.site.agent(endpoint)
        if agent is None or online is None or endpoint in self.site.trunks:
            return None
        key = f"{at.timestamp()!r}/ari/{endpoint}/{online}"
        return DeviceSeen(node=self.node, at=at, key=key, agent=agent, endpoint=endpoint, online=online)


def _facts(frames: Sequence[Frame], translate: Translator, lists: SnapshotReader) -> tuple[Fact, ...]:
    found: list[Fact] = []
    for frame in frames:
        fact = translate(frame) or lists.take(frame, moment(translate.now))
        if fact is not None:
            found.append(fact)
    return tuple(found)
