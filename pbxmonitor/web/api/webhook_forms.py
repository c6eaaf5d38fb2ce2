"""The forms of webhooks in requests and answers (docs/api.md)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EventName = Literal[
    "call.ended",
    "call.missed",
    "callback.opened",
    "callback.changed",
    "callback.closed",
    "agent.state",
    "alert.raised",
    "alert.resolved",
]
Events = Annotated[list[EventName], Field(min_length=1, max_length=20, description="What it is told of.")]
Queues = Annotated[
    list[Annotated[str, Field(max_length=80)]],
    Field(max_length=100, description="Only calls and callbacks of these queues; none: of all."),
]
Name = Annotated[str, Field(min_length=1, max_length=80, description="What people call it.")]
Url = Annotated[str, Field(max_length=2_000, description="Where it is told: https://HOST/PATH.")]


class NewWebhook(BaseModel):
    """A webhook to be."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    url: Url
    events: Events
    queues: Queues = []


class WebhookChange(BaseModel):
    """What becomes of it; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    url: Url | None = None
    events: Events | None = None
    queues: Queues | None = None
    enabled: bool | None = Field(None, description="true begins anew after it was stopped.")


class WebhookState(BaseModel):
    """A webhook and how it goes; the secret is not told again."""

    id: str
    name: str
    url: str
    events: list[EventName]
    queues: list[str]
    enabled: bool
    stopped: Literal["failing", "gone"] | None = Field(description="why we disabled it: failures of days, or 410")
    made_by: str
    made_at: str
    delivered_at: str | None = Field(description="when it last took something, to the minute")
    failing_since: str | None
    failures: int = Field(description="one after another, up to now")
    error: str | None


class WebhookSecret(WebhookState):
    """The same with the secret that its messages are signed with, shown this once."""

    secret: str


class Webhooks(BaseModel):
    """All of them."""

    webhooks: list[WebhookState]


class WebhookDelivery(BaseModel):
    """One thing that a webhook is or was to be told; `data` is that of the event."""

    id: str
    type: EventName | Literal["ping"]
    state: Literal["waiting", "sent", "failed", "expired", "cancelled", "summed"]
    created_at: str
    due_at: str
    ended_at: str | None
    attempts: int
    error: str | None
    at: str
    node: str | None
    data: dict[str, Any]


class WebhookDeliveries(BaseModel):
    """Some of them, the newest first."""

    deliveries: list[WebhookDelivery]
    next: str | None


class DeliveriesQuery(BaseModel):
    """Which page of them."""

    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)
