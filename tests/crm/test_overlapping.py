"""Overlapping calls of one number are as many calls in the CRM, each finished once with its own outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxmonitor.crm import CallEnded, Crm, Later, Outcome
from pbxmonitor.domain.call import Direction
from tests.crm.bench import BENCHES, NOW, USERS, Bench, Bitrix24Bench, Killed, Told, call, opened
from tests.crm.server import QUICK

HARD = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS: dict[str, Callable[[], Bench]] = {**BENCHES, "bitrix24, an old portal": lambda: Bitrix24Bench(old=True)}


@st.composite
def calls(draw: st.DrawFn) -> CallEnded:
    """A call of the one number, somewhere in the last minutes."""
    outcome = draw(st.sampled_from(Outcome))
    began = draw(st.integers(0, 120))
    talk_s = draw(st.integers(1, 60)) if outcome is Outcome.ANSWERED else 0
    return call(
        f"179541{draw(st.integers(0, 10**6))}.{began}",
        agent=draw(st.sampled_from(["101", "102"])),
        direction=draw(st.sampled_from([Direction.INBOUND, Direction.OUTBOUND])),
        outcome=outcome,
        began_at=NOW - timedelta(seconds=180 + began),
        talk_s=float(talk_s),
    )


def expected(bench: Bench, told: list[CallEnded]) -> list[Told]:
    return sorted(Told(str(USERS[each.agent or ""]), round(each.talk_s), bench.codes[each.outcome]) for each in told)


async def outbox(bench: Bench, tells: list[Callable[[Crm], Awaitable[Any]]]) -> None:
    """One process tells all at once; a crash kills it whole, and the next one goes on with what is not told."""
    for _ in range(60):
        crm = bench.crm()
        results = await asyncio.gather(*(tell(crm) for tell in tells), return_exceptions=True)
        for result in results:
            if isinstance(result, Later):
                bench.clock.advance(result.after_s)
            elif isinstance(result, BaseException) and not isinstance(result, Killed):
                raise result
        tells = [tell for tell, result in zip(tells, results, strict=True) if isinstance(result, BaseException)]
        if not tells:
            return
    raise AssertionError("never told")


@pytest.mark.parametrize("kind", KINDS)
@given(
    told=st.lists(calls(), min_size=2, max_size=4, unique_by=lambda each: each.id),
    faults=st.lists(st.one_of(st.none(), st.none(), st.sampled_from(QUICK)), max_size=14),
    dies_at=st.one_of(st.none(), st.integers(1, 20)),
)
@HARD
def test_however_they_overlap_and_whatever_fails(
    kind: str, told: list[CallEnded], faults: list[Any], dies_at: int | None
) -> None:
    async def play() -> None:
        async with KINDS[kind]() as bench:
            await bench.crm().open_task(
                opened()
            )  # the client is known: a call to a stranger has no card to be shown in
            bench.server.faults.extend(faults)
            bench.memory.dies_at = bench.memory.writes + dies_at if dies_at else None
            await outbox(bench, [lambda crm, each=each: crm.report(each) for each in told])  # type: ignore[misc]
            assert bench.calls() == expected(bench, told)
            assert bench.beginnings() == sorted((each.began_at.isoformat(), bench.codes[each.outcome]) for each in told)
            bench.server.faults.clear()
            await outbox(bench, [lambda crm, each=each: crm.report(each) for each in told])  # type: ignore[misc]
            assert bench.calls() == expected(bench, told)
            if isinstance(bench, Bitrix24Bench):
                assert bench.portal.open_calls == {}

    asyncio.run(play())
