"""What happens to ten clients of one site, all at once: who misses them, who calls them back, who is told of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.rig.daemon import Daemon
from tests.rig.desk import until
from tests.rig.rig import Rig, start
from tests.rig.town import Town, town
from tests.rig.truth import Row
from tests.rig.wire import Refused

# Longer than the slowest of the prompt callbacks takes, so that only who is forgotten is ever overdue.
NORM_S = 24
STEPS = 4
PATIENCE_S = 60
AGENTS = ("101", "201", "301", "401", "402", "501", "504", "601", "604")
# Who needs no code: the settings know the chat. Anna's is tests.notify.fake_telegram.ANNA.
CHATS = {"401": 7001002005, "604": 7001002004}

SITE = f"""
alerts = []
[policy]
callback_norm = "{NORM_S} s"
min_attempt_ring = "4 s"
[callbacks]
reserve = ["screen"]
[[callbacks.steps]]
after = 0
to = ["owner"]
message = "missed"
[[callbacks.steps]]
after = 0
to = ["crm"]
message = "task"
[[callbacks.steps]]
after = "norm"
to = ["owner", "supervisor"]
message = "overdue"
[[callbacks.steps]]
after = "4 s"
to = ["reserve"]
message = "escalated"
channels = ["smsc", "webhook"]
[teams.front]
people = ["101"]
reserve = ["oleg"]
[people]
101 = {{ name = "Анна", language = "ru", channels = ["telegram", "email"] }}
201 = {{ name = "Борис", channels = ["email"], addresses = {{ email = "boris@clinic.example" }} }}
301 = {{ name = "Вера", language = "ru", channels = ["sms_ru"], addresses = {{ sms_ru = "+79995550301" }} }}
401 = {{ name = "Галина", language = "ru", channels = ["telegram"], addresses = {{ telegram = "{CHATS["401"]}" }} }}
402 = {{ name = "Дмитрий", channels = ["email"], addresses = {{ email = "dmitry@clinic.example" }} }}
501 = {{ name = "Елена", channels = ["webhook"], addresses = {{ webhook = "@hook@" }} }}
504 = {{ name = "Жанна", channels = ["email"], addresses = {{ email = "zhanna@clinic.example" }} }}
601 = {{ name = "Зоя", language = "ru", channels = ["smsc"], addresses = {{ smsc = "+79995550601" }} }}
604 = {{ name = "Игорь", channels = ["telegram"], addresses = {{ telegram = "{CHATS["604"]}" }} }}
lena = {{ name = "Лена", role = "supervisor", channels = ["email"], addresses = {{ email = "lena@clinic.example" }} }}
oleg = {{ name = "Олег", language = "ru", channels = ["smsc"], addresses = {{ smsc = "+79995550001" }} }}
screen = {{ name = "Табло", language = "ru", channels = ["webhook"], addresses = {{ webhook = "@hook@" }} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a story is to be looked at by: the client's number, and what was seen while it was staged."""

    number: str | None
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The PBX, the daemon beside it and the town around it."""

    rig: Rig
    daemon: Daemon
    town: Town

    async def misses(self, line: str, stay: float = 7) -> tuple[str, Row]:
        """A client nobody has heard of calls, and gives up; his number and his callback once it is open."""
        number = self.rig.new_number(line[0])
        await self.rig.call(line, number, stay)
        return number, await self.debt(number, "state = 'open'")

    async def debt(self, number: str, so: str) -> Row:
        """The callback of that number when it is so."""
        return await self.row(f"SELECT * FROM callback WHERE number = ? AND {so}", number)

    async def row(self, question: str, *values: str) -> Row:
        """The first row that the database answers with, when there is one."""
        found: list[Row] = []

        async def there() -> bool:
            found[:] = self.daemon.rows(question, *values)
            return bool(found)

        await until(there, PATIENCE_S, f"{question} {values}")
        return found[0]

    async def message(self, text: str) -> int:
        """The bot's message with that in it, when it is there: its id."""
        found: list[int] = []

        async def there() -> bool:
            found[:] = [name for name, sent in self.town.bots_messages().items() if text in sent["text"]]
            return bool(found)

        await until(there, PATIENCE_S, f"the bot to say {text!r}")
        return found[0]


Play = Callable[[Scene], Awaitable[Told]]


def pretty(number: str) -> str:
    """A number of ours as people write it: +7 916 310-00-01."""
    return f"{number[:2]} {number[2:5]} {number[5:8]}-{number[8:10]}-{number[10:]}"


async def direct_miss(scene: Scene) -> Told:
    """Anna, whose chat is linked by a code, misses a direct call and takes it by the button; then nobody calls."""
    said = await scene.daemon.told("notify", "link", "101")
    code = re.search(r"Code for 101: (\S+)\.", said)
    assert code, said
    scene.town.write(f"/start {code[1]}")
    await scene.message("сюда будут приходить пропущенные звонки")
    number, debt = await scene.misses("1005")
    message = await scene.message(pretty(number))
    scene.town.press(message, f"take:{debt['node']}/{debt['call']}")
    await scene.debt(number, "taken_by IS NOT NULL")
    return Told(number=number, seen={"link": said, "code": code[1], "message": message})


async def queue_miss(scene: Scene) -> Told:
    """The first member of a queue lets it ring, the second has no time to; nobody calls back."""
    number, _ = await scene.misses("2002", stay=8)
    return Told(number=number)


async def repeat(scene: Scene) -> Told:
    """Missed, and missed again: one callback with two calls."""
    number, _ = await scene.misses("3005")
    await scene.rig.call("3005", number, 7)
    await scene.debt(number, "priority = 2")
    return Told(number=number)


async def colleague(scene: Scene) -> Told:
    """A colleague of who missed dials the client as 8XXXXXXXXXX and talks to him."""
    number, _ = await scene.misses("4005")
    await scene.rig.behave(number, "answer:1:6")
    await scene.rig.dial("402", "8" + number.removeprefix("+7"))
    await scene.debt(number, "state = 'reached'")
    return Told(number=number)


async def failed_then_reached(scene: Scene) -> Told:
    """The client does not answer for 6 s, and then he does."""
    number, debt = await scene.misses("5005")
    await scene.rig.behave(number, "ring")
    await scene.rig.dial("501", number, patience=6)
    await scene.debt(number, "state = 'attempted'")
    between = scene.daemon.rows("SELECT colour FROM call WHERE node = ? AND key = ?", debt["node"], debt["call"])
    await scene.rig.behave(number, "answer:1:6")
    await scene.rig.dial("501", number)
    await scene.debt(number, "state = 'reached'")
    return Told(number=number, seen={"between": between[0]["colour"]})


async def fake(scene: Scene) -> Told:
    """Who missed dials and hangs up after 2 s: no callback."""
    number, debt = await scene.misses("6005")
    await scene.rig.behave(number, "ring")
    await scene.rig.dial("601", number, patience=2)
    await scene.row("SELECT * FROM callback_attempt WHERE callback = ?", debt["call"])
    return Told(number=number)


async def client_again(scene: Scene) -> Told:
    """The client calls again and is talked to."""
    number, _ = await scene.misses("5010")
    await scene.rig.behave("504", "answer:1:6")
    await scene.rig.call("5010", number)
    await scene.debt(number, "state = 'client_returned'")
    return Told(number=number)


async def anonymous(scene: Scene) -> Told:
    """Somebody without a number gives up."""
    await scene.rig.call("2010", "anonymous", 7, name="Anonymous")
    await scene.row("SELECT * FROM call WHERE called = '2010' AND ended_at IS NOT NULL")
    return Told(number=None)


async def internal_miss(scene: Scene) -> Told:
    """A colleague does not answer a colleague."""
    await scene.rig.dial("102", "103", patience=7)
    await scene.row("SELECT * FROM call WHERE caller = '102' AND ended_at IS NOT NULL")
    return Told(number=None)


async def click(scene: Scene) -> Told:
    """Who missed has the program call: his phone rings first, and then the client's."""
    number, debt = await scene.misses("6010")
    await scene.rig.behave("604", "answer:3:15")
    await scene.rig.behave(number, "answer:2:6")
    rings = asyncio.create_task(until(lambda: scene.rig.ringing("604"), PATIENCE_S, "phone 604 to ring"))
    said = await scene.daemon.told("callback", "call", f"{debt['node']}/{debt['call']}", "--by", "604")
    await rings
    await scene.debt(number, "state = 'reached'")
    return Told(number=number, seen={"said": said})


STORIES: Mapping[str, Play] = {
    play.__name__: play
    for play in (
        direct_miss,
        queue_miss,
        repeat,
        colleague,
        failed_then_reached,
        fake,
        client_again,
        anonymous,
        internal_miss,
        click,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was staged on one version, what the program wrote of it, and the town that was told."""

    told: Mapping[str, Told]
    broken: Mapping[str, Exception]
    callbacks: Sequence[Row]
    journal: Sequence[Row]
    deliveries: Sequence[Row]
    town: Town

    def of(self, story: str) -> Told:
        """That story, if it could be staged."""
        if story in self.broken:
            raise self.broken[story]
        return self.told[story]


async def live(version: str, folder: Path) -> Day:
    """Stage every story at once on a fresh rig, and wait until nobody is owed anything. Raises NotHere."""
    async with town(AGENTS) as outside, start(version) as rig:
        settings = SITE.replace("@hook@", outside.hook) + outside.settings
        async with Daemon(rig, folder, settings) as daemon:
            begin = datetime.now(UTC) - timedelta(seconds=2)
            told, broken = await _stage(Scene(rig=rig, daemon=daemon, town=outside))
            with suppress(TimeoutError):  # each test says what its own client lacks
                await until(lambda: _all_told(daemon), PATIENCE_S, "everybody to be told what he is owed")
            end = begin + timedelta(days=1)
            return Day(
                told=told,
                broken=broken,
                callbacks=await daemon.report("callbacks", begin, end),
                journal=await daemon.report("journal", begin, end),
                deliveries=daemon.rows("SELECT * FROM delivery ORDER BY due_at"),
                town=outside,
            )


async def _stage(scene: Scene) -> tuple[dict[str, Told], dict[str, Exception]]:
    """Every story at the same time: each has clients, phones and a line of its own."""
    told: dict[str, Told] = {}
    broken: dict[str, Exception] = {}

    async def stage(name: str, play: Play) -> None:
        try:
            told[name] = await play(scene)
        except (AssertionError, OSError, RuntimeError, TimeoutError, Refused) as error:
            broken[name] = error

    async with asyncio.TaskGroup() as stories:
        for name, play in STORIES.items():
            stories.create_task(stage(name, play))
    return told, broken


async def _all_told(daemon: Daemon) -> bool:
    """Whether every call is over, every open callback has gone through the chain, and nothing waits to go out."""
    waits = """
        SELECT 1 FROM call WHERE ended_at IS NULL
        UNION ALL SELECT 1 FROM callback WHERE closed_at IS NULL AND step < CAST(? AS INTEGER)
        UNION ALL SELECT 1 FROM delivery WHERE state = 'waiting'"""
    return not daemon.rows(waits, str(STEPS))
