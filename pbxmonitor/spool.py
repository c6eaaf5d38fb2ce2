"""Facts that wait on disk, in order, while the database is away."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pbxmonitor.pbx import Batch, Silence
from pbxmonitor.store.form import fact_from_json, fact_to_json


class Spool:
    """One node's waiting batches: a file of JSON lines that outlives the daemon."""

    def __init__(self, folder: Path, node: str) -> None:
        self._path = folder / f"{node}.spool"

    @property
    def waiting(self) -> bool:
        return self._path.exists() and self._path.stat().st_size > 0

    def put(self, batch: Batch) -> None:
        """Append the batch; it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(batch) + "\n")

    def batches(self) -> Iterator[Batch]:
        """What waits, oldest first; a line torn by a crash ends it (its facts come again with the snapshot)."""
        if not self.waiting:
            return
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    return
                yield _batch(line)

    def clear(self) -> None:
        """All of it has been recorded; telling a batch twice is harmless, losing one is not."""
        self._path.unlink(missing_ok=True)


def _line(batch: Batch) -> str:
    if isinstance(batch, Silence):
        gap = [batch.lost_at.isoformat(), batch.restored_at.isoformat(), batch.reason]
        return json.dumps({"gap": gap}, ensure_ascii=False)
    return json.dumps({"facts": [fact_to_json(fact) for fact in batch]}, ensure_ascii=False)


def _batch(line: str) -> Batch:
    kept = json.loads(line)
    if "gap" in kept:
        lost_at, restored_at, reason = kept["gap"]
        times = datetime.fromisoformat(lost_at), datetime.fromisoformat(restored_at)
        return Silence(lost_at=times[0], restored_at=times[1], reason=reason)
    return tuple(fact_from_json(each) for each in kept["facts"])
