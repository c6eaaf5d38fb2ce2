"""The forms of alerts, digests and the audit in answers."""

from typing import Any

from pydantic import BaseModel, Field

from pbxmonitor.domain.alerting import AlertState
from pbxmonitor.domain.alerts import Kind


class AlertForm(BaseModel):
    """One trouble that a rule saw; title, who and detail in the language of the account."""

    id: str
    rule: str
    kind: Kind
    state: AlertState
    node: str
    subject: str
    agent: str | None
    since: str
    began_at: str
    ended_at: str | None
    told_at: str | None
    reminders: int
    value: float
    threshold: float
    title: str
    who: str
    detail: str


class Alerts(BaseModel):
    """A page of alerts; `next` is the cursor of the following one, null on the last."""

    alerts: list[AlertForm]
    next: str | None


class LineForm(BaseModel):
    """Who did what, or was shown whose data."""

    id: str
    at: str
    who: str
    action: str
    node: str | None
    call: str | None
    details: dict[str, Any]


class AuditLines(BaseModel):
    """A page of the audit."""

    audit: list[LineForm]
    next: str | None


class DigestForm(BaseModel):
    """A digest that was written; `state` null: nothing was to be said, or it is long ago."""

    kind: str
    person: str
    name: str
    begin: str
    made_at: str
    channel: str | None
    state: str | None
    ended_at: str | None
    error: str | None


class Digests(BaseModel):
    """A page of digests."""

    digests: list[DigestForm]
    next: str | None


class Who(BaseModel):
    """Whom the session or the token is: what it sees is what he sees."""

    account: str
    role: str
    person: str | None = Field(description="who he is among the people of the settings")
    teams: list[str] = Field(description="whose supervisor he is; none: of everybody, where he is one")
    language: str
    whole_numbers: bool = Field(description="false: phone numbers are masked")
    scopes: list[str] | None = Field(description="of a token; null: a session")


class PersonForm(BaseModel):
    """A person of the settings whom the viewer sees, by the key that answers name him with."""

    key: str
    name: str
    role: str
    team: str | None


class People(BaseModel):
    """All of them."""

    people: list[PersonForm]
