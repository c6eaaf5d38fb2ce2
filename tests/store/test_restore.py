"""A call read back from its rows is judged, owed and coloured as the one that was lived."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, attempt_of, client_of, settle
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import schema
from pbxmonitor.store.restore import restored
from pbxmonitor.store.rows import call_row, part_rows
from pbxmonitor.store.types import reading
from tests.store.test_ledger import TAPES, record_facts

POLICY = Policy()


async def lived_and_restored(engine: AsyncEngine, tape: Path) -> list[tuple[Call, Call]]:
    floor = await record_facts(engine, list(facts_of(frames_of(tape), Site(node="main"))))
    ended = {c.key: c for c in floor.calls.values() if c.ended_at is not None and c.merged_into is None}
    wanted = sa.select(schema.call).where(schema.call.c.ended_at.is_not(None)).order_by(schema.call.c.key)
    calls = await reading(engine, lambda connection: restored(connection, connection.execute(wanted).all()))
    assert [call.key for call in calls] == sorted(ended)
    return [(ended[call.key], call) for call in calls]


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
async def test_a_restored_call_is_judged_as_the_one_that_was_lived(engine: AsyncEngine, tape: Path) -> None:
    for lived, back in await lived_and_restored(engine, tape):
        now = lived.ended_at or lived.started_at
        was, again = judge(lived, POLICY, now), judge(back, POLICY, now)
        assert call_row(back, again, None) == call_row(lived, was, None)
        assert list(part_rows(back, again, POLICY)) == list(part_rows(lived, was, POLICY))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
async def test_restored_calls_leave_the_same_callbacks(engine: AsyncEngine, tape: Path) -> None:
    pairs = sorted(await lived_and_restored(engine, tape), key=lambda pair: str(pair[0].ended_at))
    assert [client_of(lived) for lived, _ in pairs] == [client_of(back) for _, back in pairs]
    assert settled([lived for lived, _ in pairs]) == settled([back for _, back in pairs])


def settled(calls: list[Call]) -> list[Callback]:
    debts: dict[str, Callback] = {}
    for call in calls:
        judged = judge(call, POLICY, call.ended_at or call.started_at)
        for debt in settle(debts.values(), call, judged, POLICY):
            debts[debt.missed_calls[0]] = debt
        assert attempt_of(call, judged, POLICY) is None or call.legs
    return list(debts.values())
