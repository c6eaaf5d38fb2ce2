"""The chain of steps that a callback goes through while nobody has reached the client: data, not code."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Roster

# A message is worth sending so long after its moment; the owner's "call back" only until the deadline.
WORTH: Final = timedelta(hours=1)
CRM: Final = "crm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens `after` so much working time (None: the callback's norm): who is told what, through which channels.

    The time is counted from the callback's opening, of one that is `late` from its deadline. `to` are words of the
    roster, or `crm` for a task in every CRM; without `channels`, each person's own are used. `text`, a template, takes
    the place of the message's own.
    """

    after: timedelta | None
    late: bool = False
    to: tuple[str, ...]
    message: str
    channels: tuple[str, ...] = ()
    text: str | None = None


DEFAULT_STEPS: Final = (
    Step(after=timedelta(), to=("owner",), message="missed"),
    Step(after=None, to=("owner", "supervisor"), message="overdue"),
    Step(after=timedelta(minutes=10), late=True, to=("reserve",), message="escalated"),
    Step(after=timedelta(minutes=20), late=True, to=("director",), message="escalated"),
    Step(after=timedelta(minutes=50), late=True, to=(CRM,), message="task"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What is done about a missed client: the chain, the people, and the CRMs given tasks and told of calls."""

    roster: Roster = field(default_factory=Roster)
    steps: tuple[Step, ...] = DEFAULT_STEPS
    snooze: timedelta = timedelta(minutes=15)
    tasks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a callback has come: steps taken, when to look again, until when it sleeps, who took or dismissed it."""

    step: int = 0
    next_at: datetime | None = None
    snoozed_until: datetime | None = None
    taken_by: str | None = None
    taken_at: datetime | None = None
    dismissed_by: str | None = None
    reason: str | None = None


def moment_of(step: Step, debt: Callback, policy: Policy) -> datetime:
    """When that step is due: working time after the callback was opened, or after its deadline."""
    if step.after is None:
        return debt.due_at
    return policy.hours.after(debt.due_at if step.late else debt.opened_at, step.after)


def expiry_of(debt: Callback, policy: Policy, missed_at: datetime | None = None) -> datetime:
    """When the debt is given up: so long after the last missed call, where that is known."""
    return max(debt.opened_at, missed_at or debt.opened_at) + policy.callback_keep


def steps_due(
    duties: Duties,
    debt: Callback,
    progress: Progress,
    policy: Policy,
    now: datetime,
    missed_at: datetime | None = None,
) -> tuple[tuple[Step, ...], Progress]:
    """The steps to take now, and how far the callback has come with them.

    A callback that was put off goes through the chain as any other: only its owner is not told until he is reminded.
    """
    if debt.closed:
        return (), replace(progress, next_at=None, snoozed_until=None)
    number = progress.step
    while number < len(duties.steps) and moment_of(duties.steps[number], debt, policy) <= now:
        number += 1
    ahead = [expiry_of(debt, policy, missed_at)]
    if number < len(duties.steps):
        ahead.append(moment_of(duties.steps[number], debt, policy))
    if progress.snoozed_until is not None and progress.snoozed_until > now:
        ahead.append(progress.snoozed_until)
    return duties.steps[progress.step : number], replace(progress, step=number, next_at=min(ahead))
