"""Reports from settings: the configured database, and people by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pbxmonitor import reporting
from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.settings import Settings
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_people_are_called_by_their_names_and_strangers_by_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/rows.sqlite3"
    values: dict[str, Any] = {"database": {"url": url}, "people": {"anna": {"name": "Анна Иванова"}}}
    await upgrade(url)
    engine = connect(url)
    told = [f.DndChanged(node="main", at=NOON, key=who, agent=who, flag="DND", on=True) for who in ("anna", "102")]
    floor, changes = play(Floor(node="main"), told)
    await Ledger(engine, "main", Policy()).record(changes, floor, told)
    await engine.dispose()
    report = await reporting.agents(Settings(**values), NOON, NOON + timedelta(hours=1))
    assert [(row["agent"], row["name"]) for row in report] == [("102", None), ("anna", "Анна Иванова")]
