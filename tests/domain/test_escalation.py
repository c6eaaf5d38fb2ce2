"""The chain of steps of a callback: what is due when, in working time, asleep and late."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.domain.callback import (
    Attempt,
    AttemptResult,
    Callback,
    State,
    dismissed,
    given_up,
    reached_by_mobile,
)
from pbxmonitor.domain.consequences import Consequence, consequences
from pbxmonitor.domain.escalation import Duties, Progress, Step, expiry_of, moment_of, steps_due
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.policy import Policy, WorkingHours

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy()
DUTIES = Duties()
DEBT = Callback(
    node="main",
    number="+79161234501",
    line="1001",
    state=State.OPEN,
    missed_calls=("1.0",),
    owner="anna",
    opened_at=AT,
    due_at=AT + 10 * MINUTE,
)
TRY = Attempt(agent="anna", call="2.0", at=AT + MINUTE, rang_s=12.0, talk_s=0.0, result=AttemptResult.NO_ANSWER)


def due(progress: Progress, after: timedelta, policy: Policy = POLICY) -> tuple[list[str], Progress]:
    steps, then = steps_due(DUTIES, DEBT, progress, policy, AT + after)
    return [",".join(step.to) for step in steps], then


def test_each_step_is_due_once_at_its_moment_and_then_the_debt_is_kept_until_it_expires() -> None:
    told: list[tuple[int, list[str]]] = []
    progress = Progress()
    for minute in range(70):
        words, progress = due(progress, minute * MINUTE)
        told += [(minute, words)] if words else []
    assert told == [
        (0, ["owner"]),
        (10, ["owner,supervisor"]),
        (20, ["reserve"]),
        (30, ["director"]),
        (60, ["crm"]),
    ]
    assert (progress.step, progress.next_at) == (5, expiry_of(DEBT, POLICY))


def test_what_fell_due_while_nobody_looked_is_due_together() -> None:
    words, progress = due(Progress(step=1), 45 * MINUTE)
    assert words == ["owner,supervisor", "reserve", "director"]
    assert progress.next_at == AT + 60 * MINUTE


def test_what_is_put_off_goes_on_and_is_looked_at_when_it_wakes() -> None:
    asleep = Progress(step=1, snoozed_until=AT + 15 * MINUTE, taken_by="anna")
    words, progress = due(asleep, 12 * MINUTE)
    assert (words, progress.next_at, progress.step) == (["owner,supervisor"], AT + 15 * MINUTE, 2)
    assert (progress.snoozed_until, progress.taken_by) == (AT + 15 * MINUTE, "anna")


def test_steps_after_the_norm_are_counted_from_the_deadline() -> None:
    debt = evolve(DEBT, due_at=AT + 60 * MINUTE)
    moments = [moment_of(step, debt, POLICY) - AT for step in DUTIES.steps]
    assert moments == [minutes * MINUTE for minutes in (0, 60, 70, 80, 110)]


def test_a_closed_one_is_never_looked_at_again() -> None:
    closed = dismissed(DEBT, AT + MINUTE)
    steps, progress = steps_due(DUTIES, closed, Progress(step=1, next_at=AT), POLICY, AT + 99 * MINUTE)
    assert (steps, progress) == ((), Progress(step=1, next_at=None))


def test_a_miss_at_night_is_due_when_work_begins() -> None:
    zone = ZoneInfo("Europe/Moscow")
    day = ((time(9), time(20)),)
    policy = Policy(hours=WorkingHours(zone=zone, week=(day,) * 6 + ((),)))
    night = datetime(2026, 11, 28, 21, 30, tzinfo=zone)  # a Saturday; work begins on Monday
    debt = evolve(DEBT, opened_at=night, due_at=policy.hours.after(night, policy.callback_norm))
    moments = [moment_of(step, debt, policy).astimezone(zone) for step in DUTIES.steps[:3]]
    assert [f"{at:%a %H:%M}" for at in moments] == ["Mon 09:00", "Mon 09:10", "Mon 09:20"]


def test_a_chain_of_ones_own_is_followed() -> None:
    duties = Duties(steps=(Step(after=5 * MINUTE, to=("vera",), message="escalated"),))
    assert steps_due(duties, DEBT, Progress(), POLICY, AT)[1].next_at == AT + 5 * MINUTE
    assert steps_due(duties, DEBT, Progress(), POLICY, AT + 5 * MINUTE)[0] == duties.steps


@pytest.mark.parametrize(
    ("after", "meaning"),
    [
        (DEBT, []),
        (evolve(DEBT, missed_calls=("1.0", "3.0")), [Consequence.CALLS_AGAIN]),
        (evolve(DEBT, attempts=(TRY,), state=State.ATTEMPTED), [Consequence.TRIED]),
        (evolve(DEBT, attempts=(TRY,), state=State.REACHED, closed_at=AT), [Consequence.SETTLED]),
        (reached_by_mobile(DEBT, "anna", AT), [Consequence.SETTLED]),
        (dismissed(DEBT, AT), [Consequence.SETTLED]),
        (given_up(DEBT, AT), [Consequence.GIVEN_UP]),
    ],
)
def test_a_change_means_this(after: Callback, meaning: list[Consequence]) -> None:
    assert list(consequences(DEBT, after)) == meaning


def test_what_is_new_was_opened_and_what_was_closed_is_reopened() -> None:
    assert consequences(None, DEBT) == (Consequence.OPENED,)
    assert consequences(dismissed(DEBT, AT), DEBT) == (Consequence.REOPENED,)
    assert consequences(dismissed(DEBT, AT), given_up(DEBT, AT)) == ()
