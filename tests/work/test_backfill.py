"""Gaps are filled from what the PBX keeps itself, once, and who hears of lost links hears of it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.alerts import Kind, rule_of
from pbxmonitor.importing import take_in
from pbxmonitor.settings import Settings
from pbxmonitor.store import schema
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.notices import unpacked
from pbxmonitor.work.backfill import SETTLES, Backfill, Span, Unreadable
from pbxmonitor.work.callbacks import OverdueCallbacks
from tests.work.shop import CLIENT, DUTIES, MINUTE, NOW, POLICY, ROSTER, owed, rows

LOST, BACK = NOW, NOW + 10 * MINUTE
RULES = (rule_of(Kind.LINK_LOST, name="link", to=("chief",)),)


class Diary:
    """Stands for what a PBX keeps: what it is asked, and what it answers."""

    def __init__(self, *answers: int | str) -> None:
        self.asked: list[tuple[str, str, str, Span]] = []
        self._answers = list(answers)

    def __call__(self, node: str, fmt: str, place: str, span: Span) -> int:
        self.asked.append((node, fmt, place, span))
        answer = self._answers.pop(0)
        if isinstance(answer, str):
            raise Unreadable(answer)
        return answer


async def lost_for_ten_minutes(engine: AsyncEngine) -> None:
    await Ledger(engine, "main", POLICY).gap(LOST, BACK, "lost")


def backfill(engine: AsyncEngine, diary: Any, clock: ManualClock, sources: Sequence[tuple[str, str]]) -> Backfill:
    return Backfill(database=engine, sources={"main": sources}, take_in=diary, rules=RULES, roster=ROSTER, clock=clock)


async def test_a_gap_is_looked_into_once_when_the_diaries_are_written(engine: AsyncEngine) -> None:
    await lost_for_ten_minutes(engine)
    diary, clock = Diary(2, 3), ManualClock(BACK + SETTLES - timedelta(seconds=1))
    work = backfill(engine, diary, clock, (("cdr-csv", "/cdr"), ("queue_log", "/log")))
    assert await work.sweep() == 0
    clock.advance(1)
    assert await work.sweep() == 1
    assert await work.sweep() == 0
    assert [asked[:3] for asked in diary.asked] == [("main", "cdr-csv", "/cdr"), ("main", "queue_log", "/log")]
    begin, end = diary.asked[0][3]
    assert begin < LOST < BACK < end
    (gap,) = await rows(engine, schema.gap)
    assert (gap.repaired_at, gap.calls) == (clock.now(), 5)


async def test_who_hears_of_lost_links_hears_what_was_found(engine: AsyncEngine) -> None:
    await lost_for_ten_minutes(engine)
    work = backfill(engine, Diary(5), ManualClock(BACK + SETTLES), (("queue_log", "/log"),))
    await work.sweep()
    (told,) = await rows(engine, schema.delivery)
    assert (told.template, told.recipient, told.channel) == ("alert_resolved", "chief", "email")
    words = unpacked(json.loads(told.details))
    assert words["detail"] == "Из журналов АТС взято 5 звонков, пропущенных среди них нет."
    assert words["lasted"] == 10 * MINUTE


async def test_a_gap_without_calls_is_repaired_in_silence(engine: AsyncEngine) -> None:
    await lost_for_ten_minutes(engine)
    assert await backfill(engine, Diary(0), ManualClock(BACK + SETTLES), (("queue_log", "/log"),)).sweep() == 1
    assert await rows(engine, schema.delivery) == []


async def test_a_diary_that_cannot_be_read_is_said_once_and_asked_again(engine: AsyncEngine) -> None:
    await lost_for_ten_minutes(engine)
    work = backfill(engine, Diary("no such file", "no such file", 1), ManualClock(BACK + SETTLES), (("cdr-csv", "/c"),))
    with capture_logs() as lines:
        assert [await work.sweep() for _ in range(3)] == [0, 0, 1]
    assert [line["reason"] for line in lines if line["event"] == "gap_not_repaired"] == ["no such file"]


async def test_a_gap_of_a_pbx_that_keeps_nothing_for_us_stays(engine: AsyncEngine) -> None:
    await lost_for_ten_minutes(engine)
    assert await backfill(engine, Diary(), ManualClock(BACK + SETTLES), ()).sweep() == 0
    (gap,) = await rows(engine, schema.gap)
    assert gap.repaired_at is None


async def test_a_client_missed_in_the_gap_is_found_in_queue_log_and_his_owner_told(
    engine: AsyncEngine, url: str, tmp_path: Path
) -> None:
    await lost_for_ten_minutes(engine)
    at = int(LOST.timestamp())
    log = tmp_path / "queue_log"
    lines = [(-7200, "old"), (60, "gap"), (3600, "live")]
    log.write_text("".join(missed(at + after, f"{name}.1") for after, name in lines))
    settings = Settings(
        database={"url": url, "spool": str(tmp_path)},  # type: ignore[arg-type]
        pbx={"main": {"node": "main", "ami": {"secret": "x"}, "history": {"queue_log": str(log)}}},  # type: ignore[dict-item]
    )
    clock = ManualClock(BACK + SETTLES)
    work = backfill(engine, partial(take_in, settings), clock, settings.pbx["main"].history.sources)
    assert await work.sweep() == 1
    (call,) = await rows(engine, schema.call)
    assert (call.key, call.caller, call.lost, call.colour) == ("gap.1", CLIENT, True, "red")
    (told,) = await rows(engine, schema.delivery)
    assert "из них 1 пропущенный" in told.details
    await OverdueCallbacks(database=engine, duties=DUTIES, policy=POLICY, clock=clock).sweep()
    assert ("overdue", "101", "telegram", "waiting") in await owed(engine)


def missed(at: int, call: str) -> str:
    return (
        f"{at}|{call}|sales|NONE|ENTERQUEUE||{CLIENT}|1\n"
        f"{at + 15}|{call}|sales|101|RINGNOANSWER|15000\n"
        f"{at + 20}|{call}|sales|NONE|ABANDON|1|1|20\n"
    )
