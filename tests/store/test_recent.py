"""What the ledger remembers spares questions and never says that a journalled fact is new."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.facts import DeviceSeen
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.recent import Recent

BEGAN = datetime(2026, 11, 2, tzinfo=UTC)
Told = tuple[str, datetime]


def moment(second: int) -> datetime:
    return BEGAN + timedelta(seconds=second)


@given(
    before=st.lists(st.integers(0, 60), max_size=10),
    later=st.lists(st.integers(0, 60), max_size=30),
    kept=st.integers(1, 8),
)
def test_a_key_that_is_journalled_is_known_or_doubted(before: list[int], later: list[int], kept: int) -> None:
    journal: list[Told] = [(f"before-{n}", moment(at)) for n, at in enumerate(before)]
    recent = Recent(max((at for _, at in journal), default=None), kept)
    for number, at in enumerate(later):
        journal.append((f"later-{number}", moment(at)))
        recent.note(journal[-1:])
        assert all(key in recent or recent.doubts(at) for key, at in journal)


def test_a_fact_of_a_new_moment_is_not_doubted() -> None:
    recent = Recent(moment(5))
    recent.note([("told", moment(7))])
    assert [recent.doubts(moment(second)) for second in (5, 6, 8)] == [True, False, False]
    assert "told" in recent
    assert "other" not in recent


def seen(second: int, *, online: bool) -> DeviceSeen:
    return DeviceSeen(
        node="main", at=moment(second), key=f"seen-{second}", agent="101", endpoint="PJSIP/101", online=online
    )


async def test_what_another_daemon_wrote_is_not_new_after_the_floor_was_restored(engine: AsyncEngine) -> None:
    ledger, other = Ledger(engine, "main", Policy()), Ledger(engine, "main", Policy())
    first, second = seen(1, online=False), seen(2, online=True)
    floor, changes = play(await ledger.floor(), await ledger.unseen([first]))
    await ledger.record(changes, floor, [first])
    floor, changes = play(await other.floor(), await other.unseen([second]))
    await other.record(changes, floor, [second])
    await ledger.floor()
    assert await ledger.unseen([first, second]) == []
