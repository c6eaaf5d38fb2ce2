"""Bitrix24: calls in its telephony, callbacks as tasks, strangers as leads or contacts.

In https://apidocs.bitrix24.com/api-reference/: crm/duplicates/crm-duplicate-find-by-comm.html,
crm/leads/crm-lead-add.html, crm/contacts/crm-contact-add.html, tasks/fields.html, tasks/tasks-task-add.html,
…-list.html, …-get.html, …-complete.html, tasks/comment-item/task-comment-item-add.html
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
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
    Memory,
    Reference,
)
from pbxmonitor.crm.bitrix24_calls import Begun, Telephony, begun
from pbxmonitor.crm.bitrix24_rest import BURST, PER_SECOND, Portal, SaidNo, renewed
from pbxmonitor.crm.link import Link
from pbxmonitor.crm.oauth import Pair, Tokens
from pbxmonitor.crm.once import Once
from pbxmonitor.crm.pace import Pace
from pbxmonitor.crm.phones import spellings
from pbxmonitor.crm.values import UserNumber, is_address
from pbxmonitor.crm.words import CLOSING, closing, task_title
from pbxmonitor.domain.call import Direction
from pbxmonitor.settings_sources import secret_from_file
from pbxmonitor.texts import tr

log = structlog.get_logger()
# With so many leads of one number the search does not look at contacts and companies.
CROWD = 20
PAGE = 50
# Status of a task: waiting for control, completed.
DONE = frozenset({"4", "5"})
NORMAL, HIGH = "1", "2"
KINDS = {"CONTACT": "C", "COMPANY": "CO", "LEAD": "L"}
SECRETS = ("webhook", "client_secret", "refresh_token")


class Task(BaseModel):
    """A task, as far as we look at it."""

    id: int
    status: str | int = ""
    xml_id: str | None = Field(default=None, alias="xmlId")


class Added(BaseModel):
    """A task that was added."""

    task: Task


class Got(BaseModel):
    """A task that was asked for, if there is one that we may see."""

    task: Task | None = None


class Tasks(BaseModel):
    """A page of tasks."""

    tasks: list[Task] = []


class Bitrix24:
    """One portal, asked through an incoming webhook or as a local application."""

    kind = "bitrix24"

    class Settings(CrmSettings):
        """A webhook's whole address, or the portal's with an application's secrets."""

        users: dict[str, UserNumber] = Field(default_factory=dict)
        default_user: UserNumber
        webhook: SecretStr | None = None
        webhook_file: Path | None = None
        portal: str | None = None
        client_id: str = ""
        client_secret: SecretStr | None = None
        client_secret_file: Path | None = None
        refresh_token: SecretStr | None = None
        refresh_token_file: Path | None = None
        oauth_url: str = "https://oauth.bitrix24.tech/oauth/token/"
        unknown: Literal["lead", "contact", "nothing"] = "lead"
        source: str = "CALL"

        @model_validator(mode="before")
        @classmethod
        def _read_secrets(cls, values: Any) -> Any:
            for key in SECRETS:
                values = secret_from_file(values, key)
            return values

        @model_validator(mode="after")
        def _check_access(self) -> Self:
            application = (self.portal, self.client_id, self.client_secret, self.refresh_token)
            if bool(self.webhook) == any(application) or (any(application) and not all(application)):
                raise ValueError("needs webhook, or portal with client_id, client_secret and refresh_token")
            address = self.webhook.get_secret_value() if self.webhook else f"{self.portal}/rest/0/0"
            if not is_address(address) or not is_address(self.oauth_url) or "/rest/" not in urlsplit(address).path:
                raise ValueError("webhook must be https://PORTAL/rest/USER/CODE/, portal https://PORTAL")
            return self

        @property
        def home(self) -> str:
            """The portal's address for people."""
            parts = urlsplit(self.webhook.get_secret_value() if self.webhook else self.portal or "")
            return f"{parts.scheme}://{parts.netloc}"

    def __init__(self, settings: Settings, clock: Clock, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory
        self._once = Once(clock, memory)
        secrets = tuple(value.get_secret_value() for key in SECRETS if (value := getattr(settings, key)))
        codes = tuple(secret.rstrip("/").rpartition("/")[2] for secret in secrets)
        secure = settings.home.startswith("https") or (not settings.webhook and settings.oauth_url.startswith("https"))
        self._link = Link("Bitrix24", settings, secure=secure, secrets=secrets + codes)
        self._portal = Portal(self._link, *self._access(clock))
        self._calls = Telephony(self._portal, memory)

    def _access(self, clock: Clock) -> tuple[str, Pace, Tokens | None]:
        settings, pace = self._settings, Pace(clock, PER_SECOND, BURST)
        if settings.webhook:
            return settings.webhook.get_secret_value(), pace, None
        given = settings.refresh_token.get_secret_value() if settings.refresh_token else ""
        return f"{settings.home}/rest", pace, Tokens(self._memory, given, self._renew, self._link.hide)

    async def _renew(self, refresh: str | None) -> Pair:
        settings = self._settings
        given = settings.refresh_token.get_secret_value() if settings.refresh_token else ""
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        return await renewed(self._link, settings.oauth_url, settings.client_id, secret, refresh or given)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    async def report(self, call: CallEnded) -> Reference | None:
        """Register the call and finish it, each once, bound to the client; a stranger who called is made one."""
        if not self._settings.calls:
            return None

        async def begin() -> Begun:
            user = self._settings.user(call.agent, call.user)
            client = await self._client(call.number, user, make=call.direction is Direction.INBOUND)
            return begun(call, int(user), client)

        async with self._once.alone(call.number):
            told = await self._calls.told(call.id)
            return Reference(id=told or await self._calls.tell(call.id, call.number, begin))

    async def open_task(self, callback: CallbackOpened) -> Reference | None:
        """A task of the owner's, bound to the client, with our id in its external one."""
        if not self._settings.tasks:
            return None
        async with self._once.alone(callback.number):
            task = await self._once.make(
                f"task:{callback.id}",
                lambda since: self._task_since(since, _xml_id(callback.id)),
                lambda: self._add_task(callback),
            )
        return Reference(id=task, url=f"{self._settings.home}/company/personal/user/0/tasks/task/view/{task}/")

    async def _add_task(self, callback: CallbackOpened) -> str:
        user = self._settings.user(callback.owner, callback.user)
        client = await self._client(callback.number, user, make=True)
        fields = {
            "TITLE": task_title(callback),
            "DESCRIPTION": callback.text,
            "DEADLINE": callback.due_at.isoformat(timespec="seconds"),
            "RESPONSIBLE_ID": int(user),
            "PRIORITY": HIGH if callback.missed > 1 else NORMAL,
            "XML_ID": _xml_id(callback.id),
            **({"UF_CRM_TASK": [f"{KINDS[client.kind.upper()]}_{client.id}"]} if client else {}),
        }
        added = await self._portal.call("tasks.task.add", Added, fields=fields)
        return str(added.task.id)

    async def _task_since(self, since: datetime, xml_id: str) -> str | None:
        """A task made since then with that external id; the list is filtered by what the documentation filters by."""
        last = 0
        while True:
            asked = {">ID": last, ">=CREATED_DATE": since.isoformat(timespec="seconds")}
            page = await self._portal.call(
                "tasks.task.list", Tasks, filter=asked, order={"ID": "asc"}, select=["ID", "XML_ID"]
            )
            mine = next((str(task.id) for task in page.tasks if task.xml_id == xml_id), None)
            if mine is not None or len(page.tasks) < PAGE:
                return mine
            last = page.tasks[-1].id

    async def close_task(self, callback: CallbackClosed, reference: Reference | None) -> None:
        """Complete the task unless somebody has, and say once who reached the client."""
        task = reference.id if reference else await self._once.made(f"task:{callback.id}")
        if task is None or callback.state not in CLOSING:
            return
        found = (await self._portal.call("tasks.task.get", Got, taskId=int(task), select=["ID", "STATUS"])).task
        if found is None:
            log.warning("crm_task_is_gone", crm=self.kind, task=task)
            return
        if str(found.status) not in DONE:
            await self._portal.call("tasks.task.complete", object, taskId=int(task))
        if await self._memory.get(f"comment:{callback.id}") is None:
            await self._comment(task, closing(callback))
            await self._memory.put(f"comment:{callback.id}", task)

    async def _comment(self, task: str, text: str) -> None:
        """A comment to the task; a portal that takes none has its task completed all the same."""
        try:
            await self._portal.call("task.commentitem.add", int, TASKID=int(task), FIELDS={"POST_MESSAGE": text})
        except SaidNo as no:
            log.warning("crm_comment_refused", crm=self.kind, task=task, reason=no.reason)

    async def contact(self, number: str) -> Found | None:
        """The contact with that number, else the company, else the lead."""
        found = await self._find(number)
        if found is None:
            return None
        fields = await self._portal.call(f"crm.{found.kind}.get", dict[str, Any], id=int(found.id))
        words = (fields.get(key) for key in ("TITLE", "NAME", "LAST_NAME"))
        name = " ".join(word for word in words if isinstance(word, str) and word)
        url = f"{self._settings.home}/crm/{found.kind}/details/{found.id}/"
        return Found(kind=found.kind, id=found.id, name=name or None, url=url)

    async def _client(self, number: str, user: str, *, make: bool) -> Found | None:
        found = await self._find(number)
        kind = self._settings.unknown
        if found is not None or not make or kind == "nothing":
            return found
        name = {"TITLE": tr("crm.lead", number=number)} if kind == "lead" else {"NAME": tr("crm.client", number=number)}
        fields = {
            **name,
            "PHONE": [{"VALUE": number, "VALUE_TYPE": "WORK"}],
            "ASSIGNED_BY_ID": int(user),
            "SOURCE_ID": self._settings.source,
            "OPENED": "Y",
        }
        made = await self._portal.call(f"crm.{kind}.add", int, fields=fields)
        return Found(kind=kind, id=str(made))

    async def _find(self, number: str) -> Found | None:
        found = await self._named(number)
        if len(found.get("LEAD", ())) >= CROWD:
            found = {**found, **await self._named(number, entity_type="CONTACT")}
        return next((Found(kind=kind.lower(), id=str(found[kind][0])) for kind in KINDS if found.get(kind)), None)

    async def _named(self, number: str, **only: str) -> dict[str, list[int]]:
        values = list(spellings(number))
        return await self._portal.call(
            "crm.duplicate.findbycomm", dict[str, list[int]], type="PHONE", values=values, **only
        )


def _xml_id(callback: str) -> str:
    return f"pbxmonitor-{callback}"
