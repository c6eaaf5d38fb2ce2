"""The chain of steps that a callback goes through while nobody has reached the client: data, not code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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

    `to` are words of the roster, or `crm` for a task in every CRM; without `channels`, each person's own are used.
    """

    after: timedelta | None
    to: tuple[str, ...]
    message: str
    channels: tuple[str, ...] = ()


DEFAULT_STEPS: Final = (
    Step(after=timedelta(), to=("owner",), message="missed"),
    Step(after=None, to=("owner", "supervisor"), message="overdue"),
    Step(after=timedelta(minutes=20), to=("reserve",), message="escalated"),
    Step(after=timedelta(minutes=30), to=("director",), message="escalated"),
    Step(after=timedelta(minutes=60), to=(CRM,), message="task"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """Whose a missed client is and who is told: rules for the owner, the chain, the people, the CRMs.

    `owner_rules` are tried in order: missed, last_rung, responsible, fewest_open. `responsible` is by queue.
    `tasks` and `calls` are the CRMs that are given tasks and told of calls.
    """

    roster: Roster = field(default_factory=Roster)
    steps: tuple[Step, ...] = DEFAULT_STEPS
    owner_rules: tuple[str, ...] = ("missed",)
    responsible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    snooze: timedelta = timedelta(minutes=15)
    tasks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a callback has come: steps taken, who took it, until when it sleeps."""

    step: int = 0
    taken_by: str | None = None
    snoozed_until: datetime | None = None


def moment_of(step: Step, debt: Callback, policy: Policy) -> datetime:
    """When that step is due: working time after the callback was opened; for the norm itself, its deadline."""
    if step.after is None:
        return debt.due_at
    return policy.hours.after(debt.opened_at, step.after)


def expiry_of(debt: Callback, policy: Policy) -> datetime:
    """When the debt is given up."""
    return debt.opened_at + policy.callback_keep


def steps_due(
    duties: Duties, debt: Callback, progress: Progress, policy: Policy, now: datetime
) -> tuple[tuple[Step, ...], Progress, datetime | None]:
    """The steps to take now, how far the callback has come with them, and when to look again (None: never).

    While it sleeps nothing is taken; what fell due meanwhile is, when it wakes.
    """
    if debt.closed:
        return (), progress, None
    if progress.snoozed_until is not None and progress.snoozed_until > now:
        return (), progress, min(progress.snoozed_until, expiry_of(debt, policy))
    taken: list[Step] = []
    number = progress.step
    while number < len(duties.steps):
        at = moment_of(duties.steps[number], debt, policy)
        if at > now:
            return tuple(taken), _come(progress, number), min(at, expiry_of(debt, policy))
        taken.append(duties.steps[number])
        number += 1
    return tuple(taken), _come(progress, number), expiry_of(debt, policy)


def _come(progress: Progress, step: int) -> Progress:
    return Progress(step=step, taken_by=progress.taken_by)
