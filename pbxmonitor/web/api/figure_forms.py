"""The forms of the site's figures in answers; what each number means stands in docs/metrics.md."""

from pydantic import BaseModel, Field


class Within(BaseModel):
    """The time that an answer is about."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")


class FunnelStep(BaseModel):
    """A step of the funnel: who reached it, who was lost there."""

    step: str
    reached: int
    reached_share: float | None
    lost: int
    lost_share: float | None
    wait_mean_s: float | None


class Blamed(BaseModel):
    """An agent and how many lost calls."""

    agent: str
    calls: int


class Stop(BaseModel):
    """A stop of the journey, by its place in it (0: a menu before the first)."""

    node: str
    step: int
    kind: str
    name: str | None
    entered: int
    answered: int
    dropped: int
    passed: int
    lost: int
    other: int
    lost_share: float | None
    wait_mean_s: float | None
    wait_max_s: float | None
    rang_last: list[Blamed]
    missed_most: list[Blamed]


class Stages(Within):
    """Where calls get stuck."""

    calls: int
    after_hours: int
    short_abandoned: int
    answered: int
    lost: int
    funnel: list[FunnelStep]
    steps: list[Stop]
    causes: dict[str, int]


class ServiceLevel(BaseModel):
    """Answered within so many seconds."""

    within_s: float
    answered: int
    of_answered: float | None
    of_all: float | None


class Waited(BaseModel):
    """Waits, service levels and talks."""

    answered: int
    short_abandoned: int
    answered_share: float | None
    wait_mean_s: float | None
    wait_max_s: float | None
    answered_wait_mean_s: float | None
    answered_wait_max_s: float | None
    service_levels: list[ServiceLevel]
    talk_mean_s: float | None
    agents: int
    occupancy: float | None


class QueueFigures(Waited):
    """One queue: how its visits ended, a column each."""

    node: str
    queue: str
    received: int
    abandoned: int
    timeout: int
    full: int
    empty: int
    key: int
    transferred: int
    other: int
    abandoned_wait_mean_s: float | None
    abandoned_wait_max_s: float | None


class QueuesTotal(Waited):
    """All calls that entered a queue, each once."""

    calls: int
    visits: int
    lost: int
    lost_wait_mean_s: float | None
    lost_wait_max_s: float | None


class Queues(Within):
    """Each queue, and all of them."""

    queues: list[QueueFigures]
    total: QueuesTotal


class Counted(BaseModel):
    """Inbound calls; the share lost is of all but those who left at once."""

    calls: int
    answered: int
    lost: int
    short_abandoned: int
    lost_share: float | None


class HourFigures(Counted):
    """An hour of the week, Monday 0:00 first, and the mean of one such hour."""

    weekday: int
    hour: int
    hours: float
    calls_mean: float | None
    lost_mean: float | None


class Hours(Within):
    """All 168 of them."""

    hours: list[HourFigures]


class LineFigures(Counted):
    """A line (the DID first called)."""

    node: str
    line: str | None


class Lines(Within):
    """The busiest first."""

    lines: list[LineFigures]


class RegionFigures(Counted):
    """A region of the callers; `region` is the same in every language."""

    region: str
    kind: str
    name: str | None
    country: str | None
    country_name: str | None


class Regions(Within):
    """The busiest first."""

    regions: list[RegionFigures]


class CostlyHour(BaseModel):
    """Somebody was away for long in an hour in which calls were lost."""

    node: str
    agent: str
    day: str
    hour: int
    state: str
    reason: str | None
    away_s: float
    calls: int
    lost: int


class MeanHour(BaseModel):
    """An hour of somebody's mean day."""

    hour: int
    dnd_s: float = 0.0
    paused_s: float = 0.0
    offline_s: float = 0.0
    calls: float
    lost: float


class MeanDay(BaseModel):
    """Somebody's mean day, over so many days at work."""

    node: str
    agent: str
    days: int
    hours: list[MeanHour]


class Away(Within):
    """Who was away while calls were lost."""

    hours: list[CostlyHour]
    agents: list[MeanDay]
