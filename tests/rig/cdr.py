"""Asterisk's call records, read without a line of the program they judge: who was on the line with each caller.

One row is one pair of channels. A Local member's own row names no phone: the row of its far half does.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

CHANNEL, DEST, START, END, DISPOSITION, UNIQUEID = 5, 6, 9, 11, 14, 16
ANSWERED = "ANSWERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All rows of one call: the phones that it was answered by, in order, and from when to when it was on the line."""

    call: str
    began: datetime
    ended: datetime
    answered: tuple[str, ...]


def records(lines: Iterable[str]) -> Mapping[str, Record]:
    """The calls by their uniqueid."""
    rows = [row for row in csv.reader(lines) if len(row) > UNIQUEID]
    halves: dict[str, list[list[str]]] = {}
    calls: dict[str, list[list[str]]] = {}
    for row in rows:
        halves.setdefault(row[CHANNEL], []).append(row)
        calls.setdefault(row[UNIQUEID], []).append(row)
    return {key: _record(key, of, halves) for key, of in calls.items()}


def _record(call: str, rows: list[list[str]], halves: Mapping[str, list[list[str]]]) -> Record:
    phones = [phone for row in rows for phone in _phones(row, halves)]
    return Record(
        call=call,
        began=min(_moment(row[START]) for row in rows),
        ended=max(_moment(row[END]) for row in rows),
        answered=tuple(dict.fromkeys(phones)),
    )


def _phones(row: list[str], halves: Mapping[str, list[list[str]]]) -> list[str]:
    if row[DISPOSITION] != ANSWERED or not row[DEST]:
        return []
    if not row[DEST].startswith("Local/"):
        return [row[DEST].rpartition("-")[0].partition("/")[2]]
    behind = halves.get(row[DEST].removesuffix("1") + "2", [])
    return [phone for each in behind for phone in _phones(each, halves)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
