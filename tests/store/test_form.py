"""Facts and floors go through JSON and come back the same."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Ended, Floor
from pbxmonitor.domain.play import play
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store.form import (
    KINDS,
    body_of,
    fact_from_json,
    fact_of,
    fact_to_json,
    floor_from_text,
    floor_to_text,
)

TAPES = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.ami"))
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CONCRETE = sorted(KINDS)


@st.composite
def told(draw: st.DrawFn, kind: type[f.Fact]) -> f.Fact:
    fact: f.Fact = draw(st.builds(kind, at=MOMENTS))
    return fact


st.register_type_strategy(datetime, MOMENTS)


@pytest.mark.parametrize("kind", CONCRETE)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_fact_of_every_kind_comes_back_the_same(kind: str, data: st.DataObject) -> None:
    fact = data.draw(told(KINDS[kind]))
    assert fact_from_json(json.loads(json.dumps(fact_to_json(fact)))) == fact
    assert fact_of(kind, fact.node, fact.at, fact.key, body_of(fact)) == fact


def test_a_fact_written_before_a_field_was_added_takes_its_default() -> None:
    fact = f.MemberAdded(node="main", at=datetime(2026, 1, 1, tzinfo=UTC), key="1", agent="101", queue="sales")
    form = fact_to_json(fact)
    del form["wrapup"], form["reason"]
    assert fact_from_json(form) == fact


@pytest.mark.parametrize("missing", ["queue", "at"])
def test_a_fact_without_a_needed_field_is_refused(missing: str) -> None:
    fact = f.MemberAdded(node="main", at=datetime(2026, 1, 1, tzinfo=UTC), key="1", agent="101", queue="sales")
    form = fact_to_json(fact)
    del form[missing]
    with pytest.raises(KeyError):
        fact_from_json(form)


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_a_real_floor_comes_back_the_same_at_every_tenth_fact(tape: Path) -> None:
    floor = Floor(node="main")
    for number, fact in enumerate(facts_of(frames_of(tape), Site(node="main"))):
        floor, _ = play(floor, [fact])
        if number % 10 == 0:
            assert floor_from_text(floor_to_text(floor)) == floor
    assert floor_from_text(floor_to_text(floor)) == floor


def test_a_minute_in_which_a_hundred_thousand_calls_ended_comes_back() -> None:
    stack: Ended | None = None
    for number in range(100_000):
        stack = Ended(str(number), stack)
    assert stack is not None
    back = floor_from_text(floor_to_text(Floor(node="main", ended=((1, stack),))))
    assert names(back.ended[0][1]) == names(stack)


def names(stack: Any) -> list[str]:
    found = []
    while stack is not None:
        found.append(stack.call)
        stack = stack.before
    return found
