"""The sums of each day, kept beside the rows they are made from, and which of them still hold.

A day is rolled up once it is over, and again after any write that touched it (`mark_stale`). Whoever rolls up reads the
day's token first and says "fresh" only if the token is still the same: a write that came in between wins.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.kpi import COUNTS, LOAD, Sums
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.call_days import call_day_rows, rules_of
from pbxmonitor.store.form import to_text
from pbxmonitor.store.reports import Period, last_told
from pbxmonitor.store.sums import Key, sums_of_rows
from pbxmonitor.store.types import Row, insert_new, reading, upsert, write, writing

_DAY: Final = timedelta(days=1)
Load = dict[tuple[str, date, int, str, str], dict[str, int]]


def mark_stale(connection: sa.Connection, node: str, days: Iterable[date]) -> None:
    """Say that rows of those days (of the site's zone) change in this transaction: their sums hold no more."""
    token = token_hex(8)
    mark = {"node": node, "fresh": False, "token": token, "zone": "", "rules": ""}
    rows = [mark | {"day": day} for day in sorted(set(days))]
    upsert(connection, schema.rollup, rows)


def debt_days(
    connection: sa.Connection, debts: Iterable[Callback], hours: WorkingHours, seen: Container[str] = ()
) -> Iterator[tuple[str, set[date]]]:
    """By node, the days whose sums depend on those callbacks: of their misses (but those `seen`), tries and ends."""
    for debt in debts:
        missed = _began(connection, debt.node, [key for key in debt.missed_calls if key not in seen])
        moments = (debt.opened_at, debt.closed_at, *(attempt.at for attempt in debt.attempts), *missed)
        yield debt.node, {hours.day_of(at) for at in moments if at is not None}


def _began(connection: sa.Connection, node: str, keys: Sequence[str]) -> Iterable[datetime]:
    if not keys:
        return ()
    call = schema.call.c
    return connection.execute(sa.select(call.started_at).where(call.node == node, call.key.in_(keys))).scalars()


async def roll_up(engine: AsyncEngine, policy: Policy, now: datetime) -> int:
    """Roll up every day that is over and not rolled up yet, each in a transaction of its own; how many there were."""
    stale = await reading(engine, lambda connection: stale_days(connection, policy, now))
    for node, day in stale:
        await writing(engine, partial(roll_up_day, node=node, day=day, policy=policy))
    return len(stale)


def stale_days(connection: sa.Connection, policy: Policy, now: datetime) -> list[tuple[str, date]]:
    """Days that are over, by the clock and by what each PBX has told, and have no sums that hold."""
    told, zone, rules = last_told(connection), str(policy.hours.zone), rules_of(policy)
    found: list[tuple[str, date]] = []
    for node, began_at in _first_moments(connection).items():
        last = policy.hours.day_of(min(now, told.get(node, now)))
        fresh = fresh_days(connection, node, zone, rules)
        day = policy.hours.day_of(began_at)
        while day < last:
            if day not in fresh:
                found.append((node, day))
            day += _DAY
    return found


def fresh_days(connection: sa.Connection, node: str, zone: str, rules: str | None = None) -> set[date]:
    """The days of that node whose sums hold; with `rules`, also those of the calls that are counted by them."""
    mark = schema.rollup.c
    mine = sa.select(mark.day).where(mark.node == node, mark.fresh.is_(True), mark.zone == zone)
    return set(connection.execute(mine if rules is None else mine.where(mark.rules == rules)).scalars())


def _first_moments(connection: sa.Connection) -> dict[str, datetime]:
    """When each node's first call or interval began."""
    found: dict[str, datetime] = {}
    for table, moment in ((schema.call, "started_at"), (schema.agent_interval, "began_at")):
        first = sa.select(table.c.node, sa.func.min(table.c[moment]).label("at")).group_by(table.c.node)
        for node, at in connection.execute(first):
            found[node] = min(at, found.get(node, at))
    return found


def roll_up_day(connection: sa.Connection, node: str, day: date, policy: Policy) -> None:
    """Write the sums of that day anew; they count as fresh unless the day was touched meanwhile."""
    zone, rules, mark = str(policy.hours.zone), rules_of(policy), schema.rollup.c
    new = {"node": node, "day": day, "fresh": False, "token": token_hex(8), "zone": zone, "rules": rules}
    insert_new(connection, schema.rollup, [new])
    this = sa.and_(mark.node == node, mark.day == day)
    token = connection.execute(sa.select(mark.token).where(this)).scalar_one()
    begin, end = policy.hours.day_span(day)
    period = Period(begin=begin, end=end, node=node)
    sums, load = sums_of_rows(connection, period, policy), load_of_rows(connection, period, policy)
    of_calls = call_day_rows(connection, period, day, policy)
    for table in (schema.agent_day, schema.call_hour, *of_calls):
        connection.execute(sa.delete(table).where(table.c.node == node, table.c.day == day))
    write(connection, schema.agent_day, [_day_row(key, day, part) for key, part in sums.items()])
    write(connection, schema.call_hour, [_load_row(key, counts) for key, counts in load.items()])
    for table, rows in of_calls.items():
        write(connection, table, rows)
    still = sa.and_(this, mark.token == token)
    connection.execute(sa.update(schema.rollup).where(still).values(fresh=True, zone=zone, rules=rules))


def _day_row(key: Key, day: date, sums: Sums) -> Row:
    counts = {name: getattr(sums, name) for name in COUNTS}
    return {"node": key[0], "agent": key[1], "day": day, **counts, **packed(sums)}


def _load_row(key: tuple[str, date, int, str, str], counts: Mapping[str, int]) -> Row:
    return dict(zip(("node", "day", "hour", "line", "queue"), key, strict=True)) | {
        name: counts.get(name, 0) for name in LOAD
    }


def packed(sums: Sums) -> dict[str, str]:
    """The histograms as JSON: value and count in turn, which reads back fastest."""
    spent = {state: _flat(by_hour) for state, by_hour in sums.spent.items()}
    return {"pickups": to_text(_flat(sums.pickups)), "delays": to_text(_flat(sums.delays)), "spent": to_text(spent)}


def _flat(histogram: Mapping[int, int]) -> list[int]:
    return [number for value in sorted(histogram) for number in (value, histogram[value])]


def load_of_rows(connection: sa.Connection, period: Period, policy: Policy) -> Load:
    """Inbound calls begun in the period and ended, by node, day, hour, line and first queue."""
    call, zone = schema.call.c, policy.hours.zone
    wanted = sa.select(
        *(call.node, call.started_at, call.called, call.queue),
        *(call.answered_at, call.lost, call.cause, call.wait_s),
    ).where(period.holds(schema.call, "started_at"), call.direction == Direction.INBOUND, call.ended_at.is_not(None))
    found: Load = {}
    for node, started_at, line, queue, answered_at, lost, cause, wait_s in connection.execute(wanted):
        local = started_at.astimezone(zone)
        counts = found.setdefault((node, local.date(), local.hour, line, queue or ""), dict.fromkeys(LOAD, 0))
        counts["calls"] += 1
        counts["answered"] += answered_at is not None
        counts["lost"] += lost
        counts["short_abandons"] += cause == Cause.SHORT_ABANDON
        counts["wait_ms"] += round(wait_s * 1000)
    return found
