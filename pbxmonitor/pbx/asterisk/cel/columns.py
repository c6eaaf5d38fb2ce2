"""Rows of CEL as they stand in files and tables, by name or by place; `docs/import-cdr-cel.md` lists the layouts."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
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
    text_of,
)

_NEEDED: Final = frozenset({"eventtype", "eventtime", "uniqueid", "linkedid"})
_EVENT: Final = re.compile(r"[A-Z0-9][A-Z0-9_]*")
_PAIR: Final = re.compile(r'"(\w+)"\s*:\s*"*([^",}]*)"*')
_HANGUP: Final = ("hangupcause", "hangupsource", "dialstatus")
USER_DEFINED: Final = "USER_DEFINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CelRow:
    """One event of one channel. `at` is naive where the row tells no zone; `extra` holds what the event adds."""

    number: int
    event: str
    at: datetime
    uniqueid: str
    linkedid: str
    channel: str
    cid_num: str
    exten: str
    context: str
    app: str
    data: str
    peer: str
    extra: Mapping[str, str]


_LAYOUTS: Final = Layouts(
    {
        "event": ("eventtype",),
        "user": ("userdeftype",),
        "at": ("eventtime",),
        "uniqueid": ("uniqueid",),
        "linkedid": ("linkedid",),
        "channel": ("channame",),
        "cid_num": ("cidnum",),
        "exten": ("exten",),
        "context": ("context",),
        "app": ("appname",),
        "data": ("appdata",),
        "peer": ("peer", "bridgepeer"),
        "extra": ("eventextra", "extra"),
    }
)


def rows_of_csv(lines: Iterable[str]) -> Iterator[CelRow | BadLine]:
    """Rows of a CSV file of CEL: with a header by its names, else by cel_custom's sample or FreePBX's table."""
    return _shape().of_csv(lines)


def rows_of_table(rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[CelRow | BadLine]:
    """Rows of a table of CEL by the names of its columns; times without a zone are local to `zone`."""
    return _shape().of_table(rows, zone)


def _shape() -> Shape[CelRow]:
    return Shape(layouts=_LAYOUTS, needed=_NEEDED, names_of=_names_of, row=_row, in_zone=in_zone)


def in_zone(row: CelRow, zone: tzinfo) -> CelRow:
    """The row with its time in UTC; one without a zone is local to `zone`."""
    return evolve(row, at=placed(row.at, zone, born_at(row.uniqueid)))


def _row(number: int, layout: Layout, values: Sequence[Any]) -> CelRow:
    event = layout.text(values, "event").upper()
    if event == USER_DEFINED:
        event = layout.text(values, "user").upper() or USER_DEFINED
    if not _EVENT.fullmatch(event):
        raise NotARow(f"not an event of CEL: {event[:40]!r}")
    at = layout.moment(values, "at")
    uniqueid, linkedid = layout.text(values, "uniqueid"), layout.text(values, "linkedid")
    if not uniqueid or not linkedid:
        raise NotARow("no uniqueid or no linkedid: nothing ties the row to a call")
    if at is None:
        raise NotARow("no eventtime")
    return CelRow(
        number=number,
        event=event,
        at=at,
        uniqueid=uniqueid,
        linkedid=linkedid,
        channel=layout.text(values, "channel"),
        cid_num=layout.text(values, "cid_num"),
        exten=layout.text(values, "exten"),
        context=layout.text(values, "context"),
        app=layout.text(values, "app"),
        data=layout.text(values, "data"),
        peer=layout.text(values, "peer"),
        extra=_extra(event, layout.text(values, "extra")),
    )


def _extra(event: str, text: str) -> Mapping[str, str]:
    """What the event adds: JSON since 12 (a broken one as far as it can be read), `cause,source,status` before."""
    if not text:
        return {}
    if not text.startswith("{"):
        return dict(zip(_HANGUP, text.split(","), strict=False)) if event == "HANGUP" else {}
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return dict(_PAIR.findall(text))
    return {name: text_of(value) for name, value in told.items()} if isinstance(told, dict) else {}


_FIRST: Final = (
    "eventtype",
    "eventtime",
    "cidname",
    "cidnum",
    "cidani",
    "cidrdnis",
    "ciddnid",
    "exten",
    "context",
    "channame",
)
_AROUND: Final = ("appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer")


def _names_of(fields: Sequence[str]) -> tuple[str, ...]:
    """The columns of a record without a header: the first are the same everywhere, ids are known by their look."""
    begin = 1 if fields[0].isdigit() else 0
    if len(fields) < begin + 12 or not _EVENT.fullmatch(fields[begin].upper()):
        raise NotARow("not a record of CEL: no event in front; give the file a header line with column names")
    ids = next((place for place in range(begin + 14, len(fields) - 1) if _are_ids(fields, place)), None)
    if ids is None:
        raise NotARow("no uniqueid and linkedid side by side; give the file a header line with column names")
    names = [""] * len(fields)
    names[begin : begin + 10] = _FIRST
    names[ids - 4 : ids + 3] = _AROUND
    for place in range(ids + 3, len(fields)):
        if fields[place].startswith("{") or (place == len(fields) - 1 and "extra" not in names):
            names[place] = "extra"
        elif fields[place] and "userdeftype" not in names and _EVENT.fullmatch(fields[place]):
            names[place] = "userdeftype"
    return tuple(names[: len(fields)])


def _are_ids(fields: Sequence[str], place: int) -> bool:
    return born_at(fields[place]) is not None and born_at(fields[place + 1]) is not None


__all__ = ["CelRow", "rows_of_csv", "rows_of_table"]
