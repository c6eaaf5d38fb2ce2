"""The numbers add up: whatever way a period is cut, rows are written or days are rolled up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxmonitor.domain.kpi import Histogram, Sums, total
from pbxmonitor.domain.policy import Team
from pbxmonitor.store import rolled, rollups, schema
from pbxmonitor.store.agent_report import numbers
from pbxmonitor.store.daily import Daily, daily
from pbxmonitor.store.reports import Period
from pbxmonitor.store.sums import by_hour, elapsed_ms, sums_of_rows
from tests.properties.histories import BEGAN, ENDED, POLICY, WHOLE, ZONE, Base, History, days, histories, moments

BASE = Base()
MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PEAK = frozenset({10, 11})
subsets_of_days = st.sets(st.sampled_from(days()))


@contextmanager
def rows_of(history: History) -> Iterator[sa.Connection]:
    connection = BASE.filled(history)
    try:
        yield connection
    finally:
        connection.rollback()
        connection.close()


def said(sums: dict[Any, Sums]) -> dict[Any, Any]:
    """The numbers themselves; a histogram with nothing in it says nothing."""
    return {key: plain(part) for key, part in sums.items() if any(plain(part).values())}


def plain(sums: Sums) -> dict[str, Any]:
    values = {field.name: getattr(sums, field.name) for field in fields(sums)}
    spent = {k: {h: ms for h, ms in hours.items() if ms} for k, hours in values["spent"].items()}
    return {**values, "spent": {key: hours for key, hours in spent.items() if hours}}


def of(connection: sa.Connection, begin: datetime, end: datetime, node: str | None = None) -> dict[Any, Sums]:
    return sums_of_rows(connection, Period(begin=begin, end=end, node=node), POLICY)


def added(*parts: dict[Any, Sums]) -> dict[Any, Sums]:
    keys = {key for part in parts for key in part}
    return {key: total(part[key] for part in parts if key in part) for key in keys}


def roll(connection: sa.Connection, some: set[date]) -> None:
    for day in some:
        for node in ("main", "other"):
            rollups.roll_up_day(connection, node, day, POLICY)


@MANY
@given(history=histories(), cut=moments)
def test_two_parts_of_a_period_are_the_period(history: History, cut: datetime) -> None:
    with rows_of(history) as connection:
        assert said(added(of(connection, BEGAN, cut), of(connection, cut, ENDED))) == said(of(connection, BEGAN, ENDED))


@MANY
@given(history=histories(), cuts=st.lists(moments, max_size=6))
def test_any_number_of_parts_are_the_period(history: History, cuts: list[datetime]) -> None:
    edges = [BEGAN, *sorted(cuts), ENDED]
    with rows_of(history) as connection:
        parts = [of(connection, *pair) for pair in pairwise(edges)]
        assert said(added(*parts)) == said(of(connection, BEGAN, ENDED))


@MANY
@given(history=histories())
def test_the_days_of_a_period_are_the_period_though_one_has_25_hours(history: History) -> None:
    spans = [POLICY.hours.day_span(day) for day in days()]
    assert (spans[0][0], spans[-1][1]) == (BEGAN, ENDED)
    assert sorted((end - begin).total_seconds() / 3600 for begin, end in spans) == [24, 24, 24, 25]
    with rows_of(history) as connection:
        assert said(added(*(of(connection, *span) for span in spans))) == said(of(connection, BEGAN, ENDED))


@MANY
@given(history=histories(), order=st.lists(st.integers(0, 99), min_size=1, max_size=20))
def test_the_order_in_which_rows_were_written_changes_nothing(history: History, order: list[int]) -> None:
    with rows_of(history) as connection:
        straight = said(of(connection, BEGAN, ENDED))
    with rows_of(history.turned(order)) as connection:
        assert said(of(connection, BEGAN, ENDED)) == straight


@MANY
@given(history=histories())
def test_the_nodes_together_are_all(history: History) -> None:
    with rows_of(history) as connection:
        one, other = (of(connection, BEGAN, ENDED, node) for node in ("main", "other"))
        assert not one.keys() & other.keys()
        assert said(one | other) == said(of(connection, BEGAN, ENDED))


@MANY
@given(history=histories(), some=subsets_of_days)
def test_a_report_from_roll_ups_is_the_report_from_rows(history: History, some: set[date]) -> None:
    with rows_of(history) as connection:
        straight = said(of(connection, BEGAN, ENDED))
        roll(connection, some)
        assert said(rolled.sums(connection, WHOLE, POLICY)) == straight


@MANY
@given(history=histories(), some=subsets_of_days, begin=moments, end=moments)
def test_roll_ups_serve_any_part_of_their_days(
    history: History, some: set[date], begin: datetime, end: datetime
) -> None:
    begin, end = sorted((begin, end))
    with rows_of(history) as connection:
        straight = said(of(connection, begin, end))
        roll(connection, some)
        assert said(rolled.sums(connection, Period(begin=begin, end=end), POLICY)) == straight


@MANY
@given(history=histories(), changed=histories(), some=subsets_of_days)
def test_a_day_touched_after_its_roll_up_is_read_from_rows(history: History, changed: History, some: set[date]) -> None:
    with rows_of(changed) as connection:
        truth = said(of(connection, BEGAN, ENDED))
        kept = {t.name: connection.execute(sa.select(t)).mappings().all() for t in (schema.agent_day, schema.call_hour)}
        assert not any(kept.values())
    with rows_of(history) as connection:
        roll(connection, some)
        for table in reversed(schema.METADATA.sorted_tables):
            if table.name not in ("rollup", "agent_day", "call_hour"):
                connection.execute(sa.delete(table))
        for name, rows in changed.parts():
            if rows:
                connection.execute(sa.insert(schema.METADATA.tables[name]), rows)
        for node in ("main", "other"):
            rollups.mark_stale(connection, node, days())
        assert said(rolled.sums(connection, WHOLE, POLICY)) == truth


@MANY
@given(history=histories(), some=subsets_of_days)
def test_the_load_from_roll_ups_is_the_load_from_rows(history: History, some: set[date]) -> None:
    with rows_of(history) as connection:
        straight = rollups.load_of_rows(connection, WHOLE, POLICY)
        roll(connection, some)
        assert rolled.load(connection, WHOLE, POLICY) == straight


@MANY
@given(history=histories(), some=subsets_of_days, begin=moments, end=moments)
def test_the_load_by_hour_is_the_load_whatever_is_rolled_up(
    history: History, some: set[date], begin: datetime, end: datetime
) -> None:
    begin, end = sorted((begin, end))
    period = Period(begin=begin, end=end)
    with rows_of(history) as connection:
        straight: dict[int, int] = {}
        for (_, _, hour, _, _), counts in rollups.load_of_rows(connection, period, POLICY).items():
            straight[hour] = straight.get(hour, 0) + counts["calls"]
        roll(connection, some)
        assert rolled.calls_by_hour(connection, period, POLICY) == straight


@MANY
@given(history=histories(), some=subsets_of_days)
def test_some_of_the_counts_are_those_of_all(history: History, some: set[date]) -> None:
    names = ("missed", "picked", "forgotten")
    with rows_of(history) as connection:
        roll(connection, some)
        whole = rolled.sums(connection, WHOLE, POLICY)
        found = rolled.sums(connection, WHOLE, POLICY, counts=names, counts_only=True)
        assert found.keys() == whole.keys()
        for key, sums in found.items():
            assert [getattr(sums, name) for name in names] == [getattr(whole[key], name) for name in names]


@MANY
@given(history=histories(), some=subsets_of_days, norm=st.booleans())
def test_the_daily_counts_add_up_to_the_period(history: History, some: set[date], norm: bool) -> None:
    team = Team(key="own", name="Own", members=frozenset(), callback_norm=timedelta(minutes=1))
    policy = replace(POLICY, teams=(team,)) if norm else POLICY
    with rows_of(history) as connection:
        roll(connection, some)
        found = daily(connection, WHOLE, policy, timedelta(days=92))
        whole = of(connection, BEGAN, ENDED)
        for key in found.keys() | whole.keys():
            told, sums = found.get(key, Daily()), whole.get(key, Sums())
            assert (sum(told.missed), sum(told.offered)) == (sums.missed, sums.offered)
            assert (sum(told.late), sum(told.owned)) == (sums.owned - sums.in_norm, sums.owned)
            assert len({*told.day}) == len(told.day)
            if norm:
                assert len(told.delays) == len(told.day)
                tries = [value for each in told.delays for value in values(each)]
                assert sorted(tries) == sorted(values(sums.delays))


def values(histogram: Histogram) -> list[int]:
    return [value for value, count in histogram.items() for _ in range(count)]


@MANY
@given(history=histories())
def test_every_verdict_of_an_ended_call_is_in_exactly_one_column(history: History) -> None:
    ended = {(row["node"], row["key"]) for row in history.rows.get("call", []) if row["ended_at"]}
    verdicts = [row for row in history.rows.get("verdict", []) if (row["node"], row["call"]) in ended]
    with rows_of(history) as connection:
        found = of(connection, BEGAN, ENDED)
    columns = sum(s.answered + s.missed + s.answered_elsewhere + s.refused + s.not_counted for s in found.values())
    assert columns == len(verdicts)


@MANY
@given(history=histories())
def test_a_lost_miss_has_exactly_one_fate(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            fates = sums.called_back + sums.returned + sums.dismissed + sums.uncallable + sums.forgotten
            assert fates == sums.lost <= sums.missed


@MANY
@given(history=histories())
def test_what_was_in_time_was_tried_and_what_was_tried_was_owed(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            assert sums.in_norm <= sum(sums.delays.values()) <= sums.owned


@MANY
@given(history=histories())
def test_every_pick_up_is_in_the_histogram_to_the_tenth(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            assert sum(sums.pickups.values()) == sums.picked <= sums.answered
            tenths = sum(value * count for value, count in sums.pickups.items())
            assert abs(tenths * 100 - sums.pickup_ms) <= 50 * sums.picked


@MANY
@given(history=histories())
def test_nobody_is_away_for_longer_than_the_period(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            away = sum(ms for hours in sums.spent.values() for ms in hours.values())
            assert 0 <= away + sums.ready_ms <= elapsed_ms(BEGAN, ENDED)
            assert 0 <= sums.ringing_ms + sums.talking_ms + sums.hold_ms <= elapsed_ms(BEGAN, ENDED)


@MANY
@given(history=histories())
def test_a_share_is_between_0_and_1_and_none_of_nothing(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            row = numbers(sums, PEAK)
            for share, whole in (("missed_share", "offered"), ("short_hangup_share", "answered")):
                assert (row[share] is None) == (row[whole] == 0)
            assert row["missed_share"] is None or 0 <= row["missed_share"] <= 1
            assert (row["pickup_mean_s"] is None) == (sums.picked == 0)


@MANY
@given(history=histories())
def test_time_in_peak_hours_is_part_of_the_time(history: History) -> None:
    with rows_of(history) as connection:
        for sums in of(connection, BEGAN, ENDED).values():
            row = numbers(sums, PEAK)
            assert all(row["peak"][state] <= row[state] for state in ("dnd_s", "paused_s", "offline_s"))
            assert sum(row["pauses"].values()) == pytest.approx(row["paused_s"])


@MANY
@given(history=histories())
def test_the_load_counts_every_ended_inbound_call_once(history: History) -> None:
    calls = [row for row in history.rows.get("call", []) if row["direction"] == "inbound" and row["ended_at"]]
    with rows_of(history) as connection:
        load = rollups.load_of_rows(connection, WHOLE, POLICY).values()
    assert sum(counts["calls"] for counts in load) == len(calls)
    assert sum(counts["lost"] for counts in load) == sum(row["lost"] for row in calls)


@given(begin=moments, end=moments)
def test_the_hours_of_a_stretch_are_the_stretch(begin: datetime, end: datetime) -> None:
    begin, end = sorted((begin, end))
    pieces = list(by_hour(begin, end, ZONE))
    assert sum(ms for _, ms in pieces) == elapsed_ms(begin, end)
    assert all(0 <= hour < 24 and 0 <= ms <= 3_600_000 for hour, ms in pieces)


@given(begin=moments, middle=moments, end=moments)
def test_working_time_of_two_parts_is_that_of_the_whole(begin: datetime, middle: datetime, end: datetime) -> None:
    begin, middle, end = sorted((begin, middle, end))
    hours = POLICY.hours
    assert hours.between(begin, middle) + hours.between(middle, end) == hours.between(begin, end)
