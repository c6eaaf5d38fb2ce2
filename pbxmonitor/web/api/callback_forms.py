"""The forms of callbacks in answers, and of the report on them."""

from pydantic import BaseModel, Field

from pbxmonitor.domain.callback import State
from pbxmonitor.web.api.call_forms import AttemptForm
from pbxmonitor.web.board import Column


class DeedForm(BaseModel):
    """What a person did with a callback; what stands beside it depends on what was done."""

    at: str
    who: str
    action: str
    reason: str | None = None
    call: str | None = None
    owner: str | None = None


class CallbackForm(BaseModel):
    """A client who is or was to be called back."""

    id: str = Field(description="NODE/CALL of the call that opened it")
    node: str
    call: str
    number: str
    line: str
    queue: str | None
    state: State
    column: Column
    missed: int = Field(description="how often he was missed")
    missed_calls: list[str]
    owner: str | None
    taken_by: str | None
    taken_at: str | None
    opened_at: str
    due_at: str
    snoozed_until: str | None
    step: int = Field(description="steps of the chain that were taken")
    attempts: list[AttemptForm]
    closed_at: str | None
    closed_by_call: str | None
    rescuer: str | None
    dismissed_by: str | None
    reason: str | None
    history: list[DeedForm]


class Callbacks(BaseModel):
    """A page of callbacks; `next` is the cursor of the following one, null on the last."""

    callbacks: list[CallbackForm]
    next: str | None


class CallbackFigures(BaseModel):
    """Callbacks opened in the time, each in one of in_norm, late, returned, dismissed, waiting, lost."""

    opened: int
    in_norm: int
    late: int
    returned: int
    dismissed: int
    waiting: int
    lost: int
    in_norm_share: float | None
    tried_median_s: int | None = Field(description="working time until the first try")
    tried_p90_s: int | None
    reached: int
    reached_median_s: int | None
    reached_p90_s: int | None
    states: dict[State, int]


class OwnerFigures(CallbackFigures):
    """Those of one owner; null: nobody's."""

    node: str | None = Field(description="* for a person of the settings on every PBX")
    agent: str | None


class TeamFigures(CallbackFigures):
    """Those of one team's people; null: of nobody in a team."""

    team: str | None


class CallbackReport(BaseModel):
    """What became of the callbacks of that time."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    owners: list[OwnerFigures]
    teams: list[TeamFigures]
    steps: dict[str, int] = Field(description="by the steps taken until then, clients who were talked to")
    total: CallbackFigures
