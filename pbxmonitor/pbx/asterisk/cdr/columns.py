"""Rows of CDR as they stand in files and tables, by name or by place; `docs/import-cdr-cel.md` lists the layouts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from pbxmonitor.domain.evolve import evolve
from pbxmonitor.pbx.asterisk.history import (
    BadLine,
    Layout,
    Layouts,
    NotARow,
    Shape,
    born_at,
    placed,
)

_LENGTH: Final = re.compile(r"[0-9]{1,7}(\.[0-9]+)?")
_NEEDED: Final = frozenset({"channel", "disposition"})
DISPOSITIONS: Final = frozenset({"ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"})
# Tables may hold the number instead of the word (since 1.8).
_NUMBERED: Final = {"0": "NO ANSWER", "1": "NO ANSWER", "2": "FAILED", "4": "BUSY", "8": "ANSWERED", "16": "CONGESTION"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrRow:
    """One record: `channel` and whom it was joined to or rang. Times are naive where the row tells no zone.

    `answer` is None where nobody and nothing picked up; where the dialplan had, it is not the phone's answer.
    """

    number: int
    src: str
    dst: str
    context: str
    channel: str
    dstchannel: str
    app: str
    data: str
    start: datetime
    answer: datetime | None
    end: datetime
    duration: float
    disposition: str
    uniqueid: str
    linkedid: str
    did: str

    @property
    def answered(self) -> bool:
        return self.disposition == "ANSWERED"


_LAYOUTS: Final = Layouts(
    {
        "src": ("src", "cnum", "callerid"),
        "dst": ("dst",),
        "context": ("dcontext",),
        "channel": ("channel",),
        "dstchannel": ("dstchannel",),
        "app": ("lastapp",),
        "data": ("lastdata",),
        "start": ("start", "calldate"),
        "answer": ("answer",),
        "end": ("end",),
        "duration": ("duration",),
        "billsec": ("billsec",),
        "disposition": ("disposition",),
        "uniqueid": ("uniqueid",),
        "linkedid": ("linkedid",),
        "did": ("did",),
    }
)


def rows_of_csv(lines: Iterable[str]) -> Iterator[CdrRow | BadLine]:
    """Rows of a CSV file of CDR: with a header by its names, else cdr_csv, cdr_custom's sample or FreePBX's table."""
    return _shape().of_csv(lines)


def rows_of_table(rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[CdrRow | BadLine]:
    """Rows of a table of CDR by the names of its columns; times without a zone are local to `zone`."""
    return _shape().of_table(rows, zone)


def _shape() -> Shape[CdrRow]:
    return Shape(layouts=_LAYOUTS, needed=_NEEDED, names_of=_names_of, row=_row, in_zone=in_zone)


def in_zone(row: CdrRow, zone: tzinfo) -> CdrRow:
    """The row with its times in UTC; those without a zone are local to `zone`."""
    born = born_at(row.uniqueid)
    start, end = placed(row.start, zone, born), placed(row.end, zone, born)
    answer = placed(row.answer, zone, born) if row.answer is not None else None
    return evolve(row, start=start, answer=answer, end=end)


def _row(number: int, layout: Layout, values: Sequence[Any]) -> CdrRow:
    disposition = layout.text(values, "disposition").upper()
    disposition, channel = _NUMBERED.get(disposition, disposition), layout.text(values, "channel")
    if disposition not in DISPOSITIONS:
        raise NotARow(f"not a disposition of CDR: {disposition[:40]!r}")
    if not channel:
        raise NotARow("no channel")
    start, answer, end, duration = _times(layout, values, disposition)
    return CdrRow(
        number=number,
        src=layout.text(values, "src"),
        dst=layout.text(values, "dst"),
        context=layout.text(values, "context"),
        channel=channel,
        dstchannel=layout.text(values, "dstchannel"),
        app=layout.text(values, "app"),
        data=layout.text(values, "data"),
        start=start,
        answer=answer,
        end=end,
        duration=duration,
        disposition=disposition,
        uniqueid=layout.text(values, "uniqueid"),
        linkedid=layout.text(values, "linkedid"),
        did=layout.text(values, "did"),
    )


def _times(
    layout: Layout, values: Sequence[Any], disposition: str
) -> tuple[datetime, datetime | None, datetime, float]:
    """Start, answer, end, seconds; FreePBX's table has only the start and two lengths."""
    start, end, answer = (layout.moment(values, name) for name in ("start", "end", "answer"))
    duration, billed = (_seconds(layout.text(values, name)) for name in ("duration", "billsec"))
    if start is None:
        raise NotARow("no start time")
    if end is None:
        if duration is None:
            raise NotARow("neither an end time nor a duration")
        end = start + timedelta(seconds=duration)
        if billed or disposition == "ANSWERED":
            answer = end - timedelta(seconds=billed or 0.0)
    if (end.tzinfo is None) != (start.tzinfo is None) or end < start:
        raise NotARow("it ends before it starts")
    return start, answer, end, (end - start).total_seconds() if duration is None else duration


def _seconds(text: str) -> float | None:
    return float(text) if _LENGTH.fullmatch(text) else None


# From the channel to the disposition all files are alike; what stands before and after differs.
_MIDDLE: Final = ("channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end", "duration", "billsec")
_HEADS: Final = {
    14: ("accountcode", "src", "dst", "dcontext", "clid", *_MIDDLE),
    13: ("clid", "src", "dst", "dcontext", *_MIDDLE),
    11: ("calldate", "clid", "src", "dst", "dcontext", *_MIDDLE[:4], "duration", "billsec"),
}
_CUSTOM: Final = ("amaflags", "accountcode", "uniqueid", "userfield", "sequence")
_FREEPBX: Final = (
    *("amaflags", "accountcode", "uniqueid", "userfield", "did", "recordingfile", "cnum", "cnam"),
    *("outbound_cnum", "outbound_cnam", "dst_cnam", "linkedid", "peeraccount", "sequence"),
)
_NEW: Final = ("peeraccount", "linkedid", "sequence")


def _names_of(fields: Sequence[str]) -> tuple[str, ...]:
    """The columns of a record without a header, known by where the disposition stands."""
    place = next((at for at in _HEADS if len(fields) > at and fields[at].upper() in DISPOSITIONS), None)
    if place is None:
        raise NotARow("not a record of CDR that is known; give the file a header line with column names")
    tails = {14: _tail(fields[15:]), 13: _CUSTOM, 11: _FREEPBX}
    return (*_HEADS[place], "disposition", *(("amaflags",) if place == 14 else ()), *tails[place])


def _tail(rest: Sequence[str]) -> tuple[str, ...]:
    """What follows amaflags in cdr_csv: uniqueid and userfield if they are asked for, three more of newcdrcolumns."""
    more = list(rest[1:])
    new = _NEW if len(more) >= 3 else ()
    old = len(more) - len(new)
    if old == 1:
        return ("uniqueid" if born_at(more[0]) is not None else "userfield", *new)
    return (*("uniqueid", "userfield")[:old], *new)


__all__ = ["CdrRow", "rows_of_csv", "rows_of_table"]
