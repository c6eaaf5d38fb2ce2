"""The tables of the settings about people: who they are, how they are reached, what is done about a missed client."""

from datetime import time, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pbxmonitor.domain.escalation import DEFAULT_STEPS, Duties, Step
from pbxmonitor.domain.roster import Role
from pbxmonitor.settings_values import Seconds, Share, Table, duration, working_day

OwnerRule = Literal["missed", "last_rung", "responsible", "fewest_open"]


def quiet_spans(value: object) -> tuple[tuple[time, time], ...]:
    """Spans of a day; one that goes over midnight, such as `22:00-08:00`, is two."""
    if not isinstance(value, str):
        return working_day(value)
    parts: list[str] = []
    for part in (part.strip() for part in value.replace("–", "-").split(",")):
        begin, dash, end = (word.strip() for word in part.partition("-"))
        over = dash and begin.zfill(5) > end.zfill(5)
        parts += [f"00:00-{end}", f"{begin}-24:00"] if over and end.zfill(5) != "00:00" else [part]
    return working_day(", ".join(sorted(parts, key=lambda part: part.partition("-")[0].strip().zfill(5))))


def step_moment(value: object) -> timedelta | None:
    """A span, or `norm`: when the callback's own deadline is over."""
    return None if value == "norm" else duration(value)


Quiet = Annotated[tuple[tuple[time, time], ...], BeforeValidator(quiet_spans)]


class PersonSettings(Table):
    """A person: the devices that ring for him, the mobile numbers calls are forwarded to, and how he is told.

    `channels` are tried in their order; `addresses` are by channel (chats that are linked by a code need none).
    """

    name: str = ""
    devices: tuple[str, ...] = ()
    mobiles: tuple[str, ...] = ()
    role: Role = Role.EMPLOYEE
    language: Literal["ru", "en"] | None = None
    channels: tuple[str, ...] | None = None
    addresses: dict[str, str] = Field(default_factory=dict)
    quiet_hours: Quiet | None = None
    may_call_any: bool = False


class TeamSettings(Table):
    """People who are compared with each other; a goal of their own where it is not that of the policy."""

    name: str = ""
    people: tuple[str, ...] = ()
    supervisors: tuple[str, ...] = ()
    reserve: tuple[str, ...] = ()
    max_missed_share: Share | None = None
    callback_norm: Seconds | None = None


class MessageSettings(Table):
    """What all messages have: the channels of who has none of his own, when nobody is disturbed, the site's texts."""

    channels: tuple[str, ...] = ()
    quiet_hours: Quiet = ()
    templates: str | None = None


class StepSettings(Table):
    """One step of the escalation chain; `after` is working time since the opening, or `norm`, or time since that.

    `text` is a template in place of the message's own (docs/channels.md, Texts).
    """

    after: Annotated[timedelta | None, BeforeValidator(step_moment)]
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    message: Literal["missed", "overdue", "escalated", "task"] = "escalated"
    channels: tuple[str, ...] = ()
    text: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


class CallbackSettings(Table):
    """Whose a missed client is, and what happens while nobody has reached him."""

    owner: Annotated[tuple[OwnerRule, ...], Field(min_length=1)] = ("missed",)
    responsible: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    reserve: tuple[str, ...] = ()
    snooze: Seconds = Duties().snooze
    steps: tuple[StepSettings, ...] = ()

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Steps come one after another, counted from the opening and after `norm` from the deadline."""
        least = timedelta()
        for number, step in enumerate(self.steps):
            if step.after is not None and step.after < least:
                raise ValueError(f"steps: step {number + 1} comes before the one above; order them by time")
            least = timedelta() if step.after is None else step.after
        if sum(step.after is None for step in self.steps) > 1:
            raise ValueError("steps: norm can stand once only")
        return self

    @property
    def chain(self) -> tuple[Step, ...]:
        """The steps of the domain: the site's own, else the usual ones."""
        norm = next((number for number, step in enumerate(self.steps) if step.after is None), len(self.steps))
        own = tuple(
            Step(late=number > norm, **{field: getattr(step, field) for field in StepSettings.model_fields})
            for number, step in enumerate(self.steps)
        )
        return own or DEFAULT_STEPS


class DialSettings(Table):
    """How this PBX calls a client for an employee: first his phone rings, then the client is dialled in `context`.

    `format` is how the dialplan wants numbers: e164 (+7916…), digits (7916…), national (8916…). `phones` gives who has
    several devices the one to ring. Foreign numbers are not called unless `abroad`: that is what toll fraud lives on.
    """

    context: str = "from-internal"
    format: Literal["e164", "digits", "national"] = "e164"
    prefix: Annotated[str, Field(pattern=r"^[0-9*#]*$")] = ""
    ring: Seconds = timedelta(seconds=25)
    per_hour: Annotated[int, Field(ge=1)] = 30
    abroad: bool = False
    phones: dict[str, str] = Field(default_factory=dict)
