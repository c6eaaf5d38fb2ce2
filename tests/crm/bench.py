"""Each CRM with a server that is like it: what the contract test needs to tell it things and to look at what it has."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from pbxmonitor.clock import Clock, ManualClock
from pbxmonitor.crm import (
    CallbackClosed,
    CallbackOpened,
    CallEnded,
    Crm,
    Later,
    Outcome,
)
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.plugins import load
from tests.crm import fake_amocrm, fake_bitrix24, fake_rest
from tests.crm.server import Reply, Request, Server

T = TypeVar("T")
NOW = datetime(2026, 11, 23, 7, 45, tzinfo=UTC)
NUMBER = "+79161234501"
USERS = {"101": 15, "102": "16", "103": 17}


class Killed(Exception):  # noqa: N818
    """The process dies here."""


class Notebook:
    """A memory that survives the process; it can die before the next but so many writes."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.writes = 0
        self.dies_at: int | None = None

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str) -> None:
        self.writes += 1
        if self.writes == self.dies_at:
            raise Killed
        self.kept[key] = value


@dataclass(frozen=True, order=True)
class Told:
    """A call as the CRM has it: on whom, how long, how it ended in the CRM's own code."""

    user: str
    seconds: int
    code: str


class Bench:
    """A server, and the CRM that is told things; `crm()` is the CRM of a process just started."""

    kind: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]]
    busy: ClassVar[Reply]
    codes: ClassVar[dict[Outcome, str]]

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.runs_on: Clock = self.clock
        self.memory = Notebook()
        self.timeout = 10.0
        self.reasons: list[str] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.server = await self._open.enter_async_context(Server(self.handle, self.busy))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self._open.aclose()
        if kind is None:
            assert self.violations == []

    def crm(self, **more: Any) -> Crm:
        part: Any = load("pbxmonitor.crm")[self.kind]
        settings = {"users": USERS, "default_user": 1, "timeout": self.timeout, **self.settings(), **more}
        crm: Crm = part(part.Settings(**settings), self.runs_on, self.memory)
        self._open.push_async_callback(crm.aclose)
        return crm

    async def until_told(self, tell: Callable[[Crm], Awaitable[T]]) -> T:
        """What an outbox does: again and again, each time as a new process, waiting as long as it was asked to."""
        for _ in range(40):
            try:
                return await tell(self.crm())
            except Later as later:
                self.reasons.append(later.reason)
                self.clock.advance(later.after_s)
            except Killed:
                pass
        raise AssertionError(f"not told after {self.reasons}")

    @property
    def violations(self) -> list[str]:
        raise NotImplementedError

    def handle(self, request: Request) -> Reply:
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def calls(self) -> list[Told]:
        raise NotImplementedError

    def beginnings(self) -> list[tuple[str, str]]:
        """When each call began, in the CRM's own way, and its code."""
        raise NotImplementedError

    def tasks(self) -> list[tuple[str, bool]]:
        """Whose each is, and whether it is done."""
        raise NotImplementedError

    def clients(self) -> int:
        """How many cards there are."""
        raise NotImplementedError

    def lock_out(self) -> None:
        """The CRM refuses from here on."""
        raise NotImplementedError


class Bitrix24Bench(Bench):
    kind = "bitrix24"
    secrets = (fake_bitrix24.CODE,)
    busy = fake_bitrix24.BUSY
    codes: ClassVar = {
        Outcome.ANSWERED: "200",
        Outcome.MISSED: "304",
        Outcome.NO_ANSWER: "304",
        Outcome.BUSY: "486",
        Outcome.DECLINED: "603",
        Outcome.CANCELLED: "603-S",
        Outcome.UNREACHABLE: "480",
    }

    def __init__(self, **portal: Any) -> None:
        super().__init__()
        self.portal = fake_bitrix24.Portal(self.clock, **portal)

    @property
    def violations(self) -> list[str]:
        return self.portal.violations

    def handle(self, request: Request) -> Reply:
        return self.portal.handle(request)

    def settings(self) -> dict[str, Any]:
        return {"webhook": f"{self.server.url}/rest/1/{fake_bitrix24.CODE}/"}

    def application(self) -> dict[str, Any]:
        return {
            "webhook": None,
            "portal": self.server.url,
            **fake_bitrix24.CLIENT,
            "refresh_token": "refresh-token-number-0",
            "oauth_url": f"{self.server.url}/oauth/token/",
        }

    def calls(self) -> list[Told]:
        return sorted(Told(str(row["USER_ID"]), row["DURATION"], row["STATUS_CODE"]) for row in self.portal.statistics)

    def beginnings(self) -> list[tuple[str, str]]:
        return sorted((row["CALL_START_DATE"], row["STATUS_CODE"]) for row in self.portal.statistics)

    def tasks(self) -> list[tuple[str, bool]]:
        return [(str(task["RESPONSIBLE_ID"]), task["STATUS"] == 5) for task in self.portal.tasks.values()]

    def clients(self) -> int:
        return sum(map(len, self.portal.clients.values()))

    def lock_out(self) -> None:
        self.server.handle = _refuse(403, {"error": "ACCESS_DENIED", "error_description": "Access denied"})


class AmoCrmBench(Bench):
    kind = "amocrm"
    secrets = (fake_amocrm.LONG_LIVED,)
    busy = fake_amocrm.BUSY
    codes: ClassVar = {
        Outcome.ANSWERED: "4",
        Outcome.MISSED: "6",
        Outcome.NO_ANSWER: "6",
        Outcome.BUSY: "7",
        Outcome.DECLINED: "3",
        Outcome.CANCELLED: "6",
        Outcome.UNREACHABLE: "3",
    }

    def __init__(self, **account: Any) -> None:
        super().__init__()
        self.account = fake_amocrm.Account(self.clock, **account)

    @property
    def violations(self) -> list[str]:
        return self.account.violations

    def handle(self, request: Request) -> Reply:
        return self.account.handle(request)

    def settings(self) -> dict[str, Any]:
        return {"url": self.server.url, "token": fake_amocrm.LONG_LIVED}

    def integration(self, **first: str) -> dict[str, Any]:
        return {"token": None, **fake_amocrm.INTEGRATION, **(first or {"refresh_token": "refresh-token-number-0"})}

    def calls(self) -> list[Told]:
        rows = [(note["created_by"], note["params"]) for note in self.account.notes]
        return sorted(Told(str(user), call["duration"], str(call["call_status"])) for user, call in rows)

    def beginnings(self) -> list[tuple[str, str]]:
        rows = [(note["created_at"], note["params"]["call_status"]) for note in self.account.notes]
        return sorted((datetime.fromtimestamp(began, UTC).isoformat(), str(code)) for began, code in rows)

    def tasks(self) -> list[tuple[str, bool]]:
        return [(str(task["responsible_user_id"]), task["is_completed"]) for task in self.account.tasks.values()]

    def clients(self) -> int:
        return sum(map(len, self.account.cards.values()))

    def lock_out(self) -> None:
        self.server.handle = _refuse(401, {"status": 401, "detail": "Unauthorized"})


class RestBench(Bench):
    kind = "rest"
    secrets = (fake_rest.API_KEY, fake_rest.SECRET)
    busy = fake_rest.BUSY
    codes: ClassVar = {outcome: outcome.value for outcome in Outcome}

    def __init__(self) -> None:
        super().__init__()
        self.system = fake_rest.System(self.clock)

    @property
    def violations(self) -> list[str]:
        return self.system.violations

    def handle(self, request: Request) -> Reply:
        return self.system.handle(request)

    def settings(self) -> dict[str, Any]:
        return {
            "default_user": "1",
            "users": {agent: str(user) for agent, user in USERS.items()},
            "report_url": f"{self.server.url}/calls/{{id}}?line={{line}}",
            "open_url": f"{self.server.url}/tasks",
            "close_url": f"{self.server.url}/tasks/{{reference}}/close",
            "contact_url": f"{self.server.url}/clients/{{number}}",
            "headers": {"X-Api-Key": fake_rest.API_KEY},
            "secret": fake_rest.SECRET,
        }

    def _made(self, event: str) -> Iterator[dict[str, Any]]:
        return (body for body in self.system.made.values() if body["event"] == event)

    def calls(self) -> list[Told]:
        return sorted(Told(body["user"], round(body["talk_s"]), body["outcome"]) for body in self._made("call"))

    def beginnings(self) -> list[tuple[str, str]]:
        return sorted((body["began_at"], body["outcome"]) for body in self._made("call"))

    def tasks(self) -> list[tuple[str, bool]]:
        closed = {body["callback"] for body in self._made("close")}
        return [(body["user"], body["callback"] in closed) for body in self._made("open")]

    def clients(self) -> int:
        return len(self.system.clients)

    def lock_out(self) -> None:
        self.system.refuses = Reply(status=403, body={"detail": "not for you"})


def _refuse(status: int, body: dict[str, Any]) -> Callable[[Request], Reply]:
    return lambda _request: Reply(status=status, body=body)


BENCHES: dict[str, type[Bench]] = {bench.kind: bench for bench in (Bitrix24Bench, AmoCrmBench, RestBench)}


def call(key: str = "1795415470.0", **more: Any) -> CallEnded:
    """A call missed by 101 a minute ago, or what is said instead."""
    told: dict[str, Any] = {
        "id": f"main:{key}",
        "direction": Direction.INBOUND,
        "number": NUMBER,
        "line": "+78121112233",
        "agent": "101",
        "began_at": NOW - timedelta(minutes=1),
        "answered_at": None,
        "ended_at": NOW - timedelta(seconds=30),
        "talk_s": 0.0,
        "outcome": Outcome.MISSED,
        **more,
    }
    return CallEnded(**told)


def answered(key: str = "1795415470.7", talk_s: float = 42.3, **more: Any) -> CallEnded:
    """A call that 102 answered."""
    given = {"agent": "102", "answered_at": NOW - timedelta(seconds=50), **more}
    return call(key, outcome=Outcome.ANSWERED, talk_s=talk_s, **given)


def opened(**more: Any) -> CallbackOpened:
    """The debt of that miss."""
    told: dict[str, Any] = {
        "id": "57",
        "number": NUMBER,
        "line": "+78121112233",
        "owner": "101",
        "due_at": NOW + timedelta(minutes=10),
        "missed": 1,
        "text": "Очередь «Продажи», звонил в 10:44",
        **more,
    }
    return CallbackOpened(**told)


def closed(state: State = State.REACHED, **more: Any) -> CallbackClosed:
    """The debt settled by 102."""
    told: dict[str, Any] = {"rescuer": "Анна", "at": NOW + timedelta(minutes=4), "call": "main:1795415999.1", **more}
    return CallbackClosed(id="57", state=state, **told)
