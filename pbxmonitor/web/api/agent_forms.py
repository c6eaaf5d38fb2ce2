"""The forms of employees' numbers in answers; what each number means stands in docs/metrics.md."""

from pydantic import BaseModel, Field

from pbxmonitor.domain.kpi import Standing
from pbxmonitor.web.api.figure_forms import MeanHour


class Compared(BaseModel):
    """The period before."""

    offered: int
    missed: int
    missed_share: float | None
    pickup_mean_s: float | None
    short_hangups: int
    forgotten: int


class MissedGoal(BaseModel):
    """At most so large a share missed; met, and lately since when."""

    limit: float
    met: bool | None
    lately: bool | None
    since: str | None


class CallbackGoal(BaseModel):
    """At least so large a share called back within the norm."""

    norm_s: float
    least: float
    in_norm_share: float | None
    met: bool | None
    lately: bool | None
    since: str | None


class Goals(BaseModel):
    """What the manager set."""

    missed_share: MissedGoal
    callback: CallbackGoal


class PeakTime(BaseModel):
    """Seconds away in the peak hours."""

    dnd_s: float
    paused_s: float
    offline_s: float


class AgentRow(BaseModel):
    """One employee; counts of inbound calls, seconds, shares of 0..1, null where there is nothing to say."""

    node: str = Field(description="* for a person of the settings on every PBX")
    agent: str
    name: str
    team: str | None
    offered: int
    answered: int
    missed: int
    missed_share: float | None
    answered_elsewhere: int
    refused: int
    not_counted: int
    pickup_mean_s: float | None
    pickup_median_s: float | None
    pickup_p90_s: float | None
    talk_s: float
    short_hangups: int
    short_hangup_share: float | None
    caller_hangups: int
    outbound: int
    outbound_answered: int
    outbound_s: float
    lost: int
    called_back: int
    returned: int
    dismissed: int
    uncallable: int
    forgotten: int
    forgotten_share: float | None
    owned: int
    in_norm: int
    callback_median_s: int | None
    callbacks_made: int
    reached: int
    fakes: int
    dnd_s: float
    paused_s: float
    offline_s: float
    partly_paused_s: float
    pauses: dict[str, float] = Field(description="seconds by reason")
    peak: PeakTime
    ready_s: float
    occupancy: float | None
    norm: float | None = Field(description="the share that the others of the team miss")
    difference: float | None
    interval: list[float] | None = Field(description="between which shares the true one lies (95 %)")
    standing: Standing
    rank: int | None
    ranked: int
    flags: list[str]
    goals: Goals
    before: Compared | None


class Agents(BaseModel):
    """All those whom the viewer sees."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    agents: list[AgentRow]


class TeamBeside(BaseModel):
    """What the others of his team do: shares of all of them together, means for one of them."""

    missed_share: float | None
    short_hangup_share: float | None
    forgotten_share: float | None
    offered: float | None
    short_hangups: float | None
    forgotten: float | None
    dnd_s: float | None
    paused_s: float | None
    offline_s: float | None
    talk_s: float | None
    callbacks_made: float | None
    pickup_mean_s: float | None


class DayForm(BaseModel):
    """A day of the site."""

    day: str
    missed: int
    offered: int


class CellForm(BaseModel):
    """An hour of the week, Monday is 0."""

    weekday: int
    hour: int
    missed: int
    offered: int


class CauseForm(BaseModel):
    """Why clients whom he missed were lost."""

    cause: str
    calls: int


class LoadHour(BaseModel):
    """All inbound calls of that hour of the day."""

    hour: int
    calls: int


class PersonReport(BaseModel):
    """One employee: his row, beside his team, by day, by hour of the week, why clients were lost, his time away."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    agent: str
    name: str
    numbers: AgentRow | None
    team: TeamBeside
    days: list[DayForm]
    hours: list[CellForm]
    causes: list[CauseForm]
    away: list[MeanHour]
    load: list[LoadHour]


class IntervalForm(BaseModel):
    """A stretch of pause, DND or offline; open while `ended_at` is null."""

    agent: str
    state: str
    reason: str | None
    note: str | None
    queues: list[str] = Field(description="of a pause: where he was paused")
    began_at: str
    ended_at: str | None


class Intervals(BaseModel):
    """Those that touch the time, in the order they began; `told_until`: until when open ones are known to last."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    told_until: str
    intervals: list[IntervalForm]
