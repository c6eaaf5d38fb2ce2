"""A story played on paper: nothing rings and no time passes; what comes out is the truth that it tells."""

import asyncio
import contextlib
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, cast

from tests.rig.desk import Desk
from tests.rig.plan import plan
from tests.rig.rig import Rig
from tests.rig.scenarios.story import Story
from tests.rig.truth import Truth


class _Hurry(selectors.SelectSelector):
    """Waits for nothing, and remembers how long it should have waited."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.skipped += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop in which a sleep is over at once."""

    def __init__(self) -> None:
        self._hurry = _Hurry()
        super().__init__(self._hurry)

    def time(self) -> float:
        return super().time() + self._hurry.skipped


class PaperRig:
    """Takes every order of a story and does nothing."""

    def __init__(self, version: str) -> None:
        self.version, self.plan = version, plan(version)
        self._numbers = count(1)

    def new_number(self, department: str) -> str:
        return f"+7916{department}{next(self._numbers):06d}"

    def buttons(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    def sipp(self, *_: Any, **__: Any) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def done(*_: Any, **__: Any) -> list[str]:
            return []

        return done


class PaperDesk(Desk):
    """A department in which whatever is waited for has happened."""

    async def wait_for(self, what: Callable[[], Awaitable[object]], seconds: float = 30) -> None:
        pass

    async def over(self) -> None:
        pass

    async def ended(self) -> None:
        pass


def on_paper(story: Story, version: str) -> Truth:
    """What the story says of itself in department 1 of that Asterisk."""
    desk = PaperDesk(cast(Rig, PaperRig(version)), "1")
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(cast("Coroutine[Any, Any, Truth]", story.play(desk)))
