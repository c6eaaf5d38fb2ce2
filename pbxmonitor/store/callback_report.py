"""The callbacks opened in a period: how soon they were tried and reached, what became of them (docs/metrics.md)."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.callback import State
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.agent_report import Question
from pbxmonitor.store.digests import Asked, Fate, fate_of
from pbxmonitor.store.sums import Key

_C, _A = schema.callback.c, schema.callback_attempt.c
_SAVED: Final = (State.REACHED, State.CLIENT_RETURNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One callback: whose it is (None: nobody's), its fate, and after how much working time it was tried and reached.

    `step` is how many steps of the chain were taken until the client was talked to, None where he was not.
    """

    owner: Key | None
    team: str | None
    state: State
    fate: Fate
    tried_s: int | None = None
    reached_s: int | None = None
    step: int | None = None


@dataclass(slots=True, kw_only=True)
class _Pile:
    """Some of the debts, counted."""

    fates: Counter[Fate] = field(default_factory=Counter)
    states: Counter[State] = field(default_factory=Counter)
    tried: Counter[int] = field(default_factory=Counter)
    reached: Counter[int] = field(default_factory=Counter)

    def add(self, debt: Debt) -> None:
        self.fates[debt.fate] += 1
        self.states[debt.state] += 1
        self.tried.update([] if debt.tried_s is None else [debt.tried_s])
        self.reached.update([] if debt.reached_s is None else [debt.reached_s])


def callbacks(connection: sa.Connection, asked: Asked) -> Json:
    """`{"owners": […], "teams": […], "steps": {…}, "total": {…}}`; seconds of working time, shares of 0..1.

    `agent` null is what nobody owns, `team` null who is in none; `steps` counts by the step of the chain the clients
    who were talked to. The median and the 90th percentile are null where nobody was tried, or reached.
    """
    debts = list(_debts(connection, asked))
    owners, teams = _piled(debts, attrgetter("owner")), _piled(debts, attrgetter("team"))
    steps = Counter(debt.step for debt in debts if debt.step is not None)
    return {
        "owners": [_names_of(key) | _numbers(pile) for key, pile in sorted(owners.items(), key=_nobody_last)],
        "teams": [{"team": team} | _numbers(pile) for team, pile in sorted(teams.items(), key=_nobody_last)],
        "steps": dict(sorted(steps.items())),
        "total": _numbers(_piled(debts, lambda _: None).get(None, _Pile())),
    }


def _debts(connection: sa.Connection, asked: Asked) -> Iterable[Debt]:
    # The call that reached the client began when he was reached; of a mobile there is only when that was said.
    closing = sa.and_(_A.node == _C.node, _A.callback == _C.call, _A.call == _C.closed_by_call)
    wanted: sa.Select[Any] = sa.select(
        *(_C.node, _C.owner, _C.state, _C.step, _C.opened_at, _C.due_at, _C.tried_at),
        sa.func.coalesce(_A.at, _C.closed_at).label("reached_at"),
    ).outerjoin(schema.callback_attempt, closing)
    question = Question(period=asked.period, policy=asked.policy, people=asked.people)
    single, hours = len(rolled.nodes(connection, asked.period)) == 1, asked.policy.hours
    for row in connection.execute(wanted.where(asked.period.holds(schema.callback, "opened_at"))):
        if not asked.holds(row.owner):
            continue
        key = (row.node, row.owner) if row.owner is not None else None
        team = asked.policy.team_of(row.owner or "")
        reached = row.reached_at if row.state == State.REACHED else None
        yield Debt(
            owner=key if key is None or single else question.key(key),
            team=team.name if team is not None else None,
            state=State(row.state),
            fate=fate_of(row, asked),
            tried_s=_seconds(hours.between(row.opened_at, row.tried_at)) if row.tried_at is not None else None,
            reached_s=_seconds(hours.between(row.opened_at, reached)) if reached is not None else None,
            step=row.step if row.state in _SAVED else None,
        )


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())


def _piled(debts: Iterable[Debt], by: Callable[[Debt], Hashable]) -> dict[Any, _Pile]:
    found: dict[Any, _Pile] = {}
    for debt in debts:
        found.setdefault(by(debt), _Pile()).add(debt)
    return found


def _nobody_last(item: tuple[Any, _Pile]) -> tuple[bool, Any]:
    return item[0] is None, item[0] or ""


def _names_of(key: Key | None) -> Json:
    return {"node": key[0], "agent": key[1]} if key is not None else {"node": None, "agent": None}


def _numbers(pile: _Pile) -> Json:
    opened = pile.fates.total()
    return {
        "opened": opened,
        **{fate.value: pile.fates[fate] for fate in Fate},
        "in_norm_share": kpi.share(pile.fates[Fate.IN_NORM], opened),
        "tried_median_s": kpi.quantile(pile.tried, 0.5),
        "tried_p90_s": kpi.quantile(pile.tried, 0.9),
        "reached": pile.states[State.REACHED],
        "reached_median_s": kpi.quantile(pile.reached, 0.5),
        "reached_p90_s": kpi.quantile(pile.reached, 0.9),
        "states": {state.value: pile.states[state] for state in State},
    }
