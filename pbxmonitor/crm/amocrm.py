"""amoCRM: calls in the client's card, callbacks as tasks, strangers as contacts or leads.

In https://www.amocrm.ru/developers/content/crm_platform/: contacts-api, companies-api, leads-api, tasks-api.
"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, Field, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.crm import (
    CallbackClosed,
    CallbackOpened,
    CallEnded,
    CrmSettings,
    Found,
    Later,
    Memory,
    Reference,
)
from pbxmonitor.crm.amocrm_calls import CARDS, Calls
from pbxmonitor.crm.amocrm_rest import PER_SECOND, Account, Page, Row, SaidNo, renewed
from pbxmonitor.crm.link import DOWN, Link
from pbxmonitor.crm.oauth import Pair, Tokens
from pbxmonitor.crm.once import Once
from pbxmonitor.crm.pace import Pace
from pbxmonitor.crm.phones import same, telling
from pbxmonitor.crm.values import UserNumber, is_address
from pbxmonitor.crm.words import CLOSING, closing, task_title
from pbxmonitor.domain.call import Direction
from pbxmonitor.settings_sources import secret_from_file
from pbxmonitor.texts import tr

log = structlog.get_logger()
T = TypeVar("T")
SECRETS = ("token", "client_secret", "refresh_token", "code")
CALL_TASK = 1
# How long the search may take to know a contact that was just made.
UNSEARCHED = timedelta(minutes=30)
NOWHERE = "-"


class Lead(BaseModel):
    """A lead made together with its contact."""

    id: int
    contact_id: int


class AmoCrm:
    """One account, asked with a long-lived token or as an integration."""

    kind = "amocrm"

    class Settings(CrmSettings):
        """The account's address, and a long-lived token or an integration's secrets."""

        users: dict[str, UserNumber] = Field(default_factory=dict)
        default_user: UserNumber
        url: str
        token: SecretStr | None = None
        token_file: Path | None = None
        client_id: str = ""
        client_secret: SecretStr | None = None
        client_secret_file: Path | None = None
        redirect_uri: str = ""
        code: SecretStr | None = None
        code_file: Path | None = None
        refresh_token: SecretStr | None = None
        refresh_token_file: Path | None = None
        unknown: Literal["contact", "lead", "nothing"] = "contact"
        pipeline: int | None = None
        status: int | None = None
        task_type: int = CALL_TASK

        @model_validator(mode="before")
        @classmethod
        def _read_secrets(cls, values: Any) -> Any:
            for key in SECRETS:
                values = secret_from_file(values, key)
            return values

        @model_validator(mode="after")
        def _check(self) -> Self:
            if not is_address(self.url) or urlsplit(self.url).path.strip("/"):
                raise ValueError("url must be https://ACCOUNT.amocrm.ru")
            integration = (self.client_id, self.client_secret, self.redirect_uri, self.code or self.refresh_token)
            if bool(self.token) == any(integration) or (any(integration) and not all(integration)):
                needed = "client_id, client_secret, redirect_uri and code or refresh_token"
                raise ValueError(f"needs token (a long-lived one), or {needed}")
            if (self.pipeline or self.status) and self.unknown != "lead":
                raise ValueError('set unknown = "lead" for pipeline and status to mean anything')
            return self

        def secret(self, key: str) -> str:
            """A secret's text; empty when there is none."""
            value = getattr(self, key)
            return value.get_secret_value() if value else ""

    def __init__(self, settings: Settings, clock: Clock, memory: Memory) -> None:
        self._settings = settings
        self._clock = clock
        self._memory = memory
        self._once = Once(clock, memory)
        secrets = tuple(settings.secret(key) for key in SECRETS)
        self._link = Link("amoCRM", settings, secure=settings.url.startswith("https"), secrets=secrets)
        given = settings.secret("refresh_token") or settings.secret("code")
        tokens = None if settings.token else Tokens(memory, given, self._renew, self._link.hide)
        self._pace = Pace(clock, PER_SECOND)
        self._account = Account(self._link, settings.url, self._pace, settings.secret("token"), tokens)
        self._calls = Calls(self._account)

    async def _renew(self, refresh: str | None) -> Pair:
        settings = self._settings
        refresh = refresh or settings.secret("refresh_token")
        if refresh:
            grant = {"grant_type": "refresh_token", "refresh_token": refresh}
        else:
            grant = {"grant_type": "authorization_code", "code": settings.secret("code")}
        integration = {
            "client_id": settings.client_id,
            "client_secret": settings.secret("client_secret"),
            "redirect_uri": settings.redirect_uri,
        }
        await self._pace.turn()
        return await renewed(self._link, settings.url, {**integration, **grant})

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    async def report(self, call: CallEnded) -> Reference | None:
        """Show the call in the card that amoCRM chooses; None when nobody has the number and nobody is to be made."""
        if not self._settings.calls:
            return None
        async with self._once.alone(call.number):
            shown = await self._once.make(
                f"call:{call.id}", lambda since: self._calls.since(since, call), lambda: self._show(call)
            )
        if shown == NOWHERE:
            return None
        cards, card, _ = shown.split("/")
        return Reference(id=shown, url=self._page(cards, card))

    async def _show(self, call: CallEnded) -> str:
        user = int(self._settings.user(call.agent, call.user))
        client = await self._client(call.number, user, make=call.direction is Direction.INBOUND)
        return await self._calls.show(call, user, client) or NOWHERE

    async def open_task(self, callback: CallbackOpened) -> Reference | None:
        """A task of the owner's in the client's card; our id, shortened, ends its text: there is no other place."""
        if not self._settings.tasks:
            return None
        async with self._once.alone(callback.number):
            task = await self._once.make(
                f"task:{callback.id}",
                lambda since: self._task_since(since, callback.id),
                lambda: self._add_task(callback),
            )
        return Reference(id=task, url=f"{self._settings.url.rstrip('/')}/todo/list/")

    async def _add_task(self, callback: CallbackOpened) -> str:
        user = int(self._settings.user(callback.owner, callback.user))
        client = await self._client(callback.number, user, make=True)
        task = {
            "text": f"{task_title(callback)}. {callback.text} {_mark(callback.id)}",
            "complete_till": int(callback.due_at.timestamp()),
            "task_type_id": self._settings.task_type,
            "responsible_user_id": user,
            **({"entity_id": int(client.id), "entity_type": CARDS[client.kind]} if client else {}),
        }
        page = await self._account.ask("POST", "/api/v4/tasks", Page, [task])
        return str(self._certain("task", page.first("tasks") if page else None).id)

    async def _task_since(self, since: datetime, callback: str) -> str | None:
        asked = {"filter[updated_at][from]": int(since.timestamp())}
        mark = _mark(callback)
        found = await self._account.find(
            "/api/v4/tasks", "tasks", lambda task: (task.text or "").endswith(mark), **asked
        )
        return str(found.id) if found else None

    async def close_task(self, callback: CallbackClosed, reference: Reference | None) -> None:
        """Complete the task with who reached the client as its result, unless somebody has completed it."""
        made = reference.id if reference else await self._once.made(f"task:{callback.id}")
        if made is None or callback.state not in CLOSING:
            return
        path = f"/api/v4/tasks/{made}"
        try:
            task = await self._account.ask("GET", path, Row)
        except SaidNo as no:
            if no.status != 404:
                raise
            task = None
        if task is None:
            log.warning("crm_task_is_gone", crm=self.kind, task=made)
        elif not task.is_completed:
            result = {"is_completed": True, "result": {"text": closing(callback)}}
            await self._account.ask("PATCH", path, object, result)

    async def contact(self, number: str) -> Found | None:
        """The contact with that number, else the company."""
        return await self._find(number)

    async def _client(self, number: str, user: int, *, make: bool) -> Found | None:
        found = await self._find(number) or await self._just_made(number)
        if found is not None or not make or self._settings.unknown == "nothing":
            return found
        made = await self._make(number, user)
        await self._memory.put(f"client:{number}", f"{made} {self._clock.now().isoformat()}")
        return Found(kind="contact", id=str(made))

    async def _find(self, number: str) -> Found | None:
        """`query` searches all fields, and parts of them: the phones are compared here."""
        for kind in ("contact", "company"):
            cards = CARDS[kind]
            found = await self._account.find(
                f"/api/v4/{cards}", cards, lambda card: _has(card, number), query=telling(number)
            )
            if found is not None:
                return Found(kind=kind, id=str(found.id), name=found.name, url=self._page(cards, found.id))
        return None

    async def _just_made(self, number: str) -> Found | None:
        made, _, moment = (await self._memory.get(f"client:{number}") or "").partition(" ")
        if not made or self._clock.now() - datetime.fromisoformat(moment) > UNSEARCHED:
            return None
        return Found(kind="contact", id=made)

    async def _make(self, number: str, user: int) -> int:
        """The new contact's id. A lead comes with its contact in one request: neither is made without the other."""
        phone = {"field_code": "PHONE", "values": [{"value": number, "enum_code": "WORK"}]}
        contact = {
            "name": tr("crm.client", number=number),
            "responsible_user_id": user,
            "custom_fields_values": [phone],
        }
        if self._settings.unknown == "contact":
            page = await self._account.ask("POST", "/api/v4/contacts", Page, [contact])
            return self._certain("contact", page.first("contacts") if page else None).id
        where = {"pipeline_id": self._settings.pipeline, "status_id": self._settings.status}
        lead = {
            "name": tr("crm.lead", number=number),
            "responsible_user_id": user,
            **{key: value for key, value in where.items() if value is not None},
            "_embedded": {"contacts": [contact]},
        }
        leads = await self._account.ask("POST", "/api/v4/leads/complex", list[Lead], [lead])
        return self._certain("lead", next(iter(leads or ()), None)).contact_id

    def _page(self, cards: str, card: object) -> str:
        return f"{self._settings.url.rstrip('/')}/{cards}/detail/{card}"

    def _certain(self, what: str, made: T | None) -> T:
        if made is None:
            raise Later(f"{self._link.name} says that the {what} is made and not which", DOWN)
        return made


def _has(card: Row, number: str) -> bool:
    phones = (field for field in card.custom_fields_values or () if field.field_code == "PHONE")
    return any(same(number, str(value.get("value"))) for field in phones for value in field.values)


def _mark(callback: str) -> str:
    """Our id, made short and unlike a phone number for those who read it."""
    return f"#{hashlib.sha256(callback.encode()).hexdigest()[:8]}"
