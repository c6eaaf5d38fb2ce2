"""History from what Asterisk kept: a file or a table in, rows of ours out, and what could not be read kept aside."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from pbxmonitor.clock import SystemClock
from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.pbx.asterisk import cdr, cel, queue_log
from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
from pbxmonitor.pbx.asterisk.history import BadLine, name_of
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.settings import Settings
from pbxmonitor.settings_values import NodeName
from pbxmonitor.sources import Aside, TextFile, text_file
from pbxmonitor.store.foreign import ForeignError, ForeignTable, foreign_table
from pbxmonitor.store.importing import Imported, Importer
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.stretches import Span
from pbxmonitor.store.types import AWAY, connect, first_line
from pbxmonitor.work.backfill import Unreadable

_PORTION: Final = 1_000
Progress = Callable[[int, int], None]


class ImportingError(Exception):
    """The source cannot be read as asked; one line that says what to do."""


class Reader(Protocol):
    """What makes calls of lines: QueueLog, Cdr, Cel."""

    def take(self, entry: Any, /) -> Iterable[Call | Interval]: ...

    def finish(self) -> Iterable[Call | Interval]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one kind of history is read from a file and from a table; `order` and `needed` are columns."""

    source: str
    order: tuple[str, ...]
    needed: frozenset[str]
    reader: Callable[[Site, tzinfo], Reader]
    of_lines: Callable[[Iterable[str], tzinfo], Iterable[Any]]
    of_rows: Callable[[Iterable[Mapping[str, Any]], tzinfo], Iterable[Any]]


FORMATS: Final = {
    "queue_log": Format(
        source="queue_log",
        order=("id", "time"),
        needed=frozenset({"time", "callid", "queuename", "agent", "event"}),
        reader=lambda site, _: queue_log.QueueLog(site),
        of_lines=queue_log.read_lines,
        of_rows=queue_log.entries_of_rows,
    ),
    "cdr-csv": Format(
        source="cdr",
        order=("calldate", "start"),
        needed=frozenset({"channel", "disposition", "uniqueid"}),
        reader=cdr.Cdr,
        of_lines=lambda lines, _: cdr.rows_of_csv(lines),
        of_rows=cdr.rows_of_table,
    ),
    "cel-csv": Format(
        source="cel",
        order=("id", "eventtime"),
        needed=frozenset({"eventtype", "eventtime", "uniqueid", "linkedid"}),
        reader=cel.Cel,
        of_lines=lambda lines, _: cel.rows_of_csv(lines),
        of_rows=cel.rows_of_table,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an import did: calls new, changed, the same as before, and left alone because they are known better.

    `lines` were read (of a table, rows), `bad` of them tell nothing; `shown` are the first, all stand in `aside`, or
    could not be kept because of `not_kept`. `cut` calls were left out because their beginning was not told; `misplaced`
    ones begin at another time than their channel was made, so the time zone given is not that of the source.
    """

    lines: int
    new: int
    changed: int
    same: int
    left: int
    intervals: int
    bad: int
    shown: tuple[BadLine, ...]
    aside: Path | None
    not_kept: str
    cut: int
    misplaced: int


async def run(
    settings: Settings,
    source: Path | str,
    fmt: str,
    node: str,
    progress: Progress | None = None,
    *,
    table: str | None = None,
    aside: Path | None = None,
    zone: tzinfo | None = None,
    settling: Progress | None = None,
    span: Span | None = None,
) -> Report:
    """Import a file (`.gz` too), or a table: `source` is its database's url, `table` its name where it is unusual.

    `progress` hears of bytes or rows, `settling` of clients whose callbacks are derived afterwards. `aside` is the
    folder for bad lines (the file's own, or the current one). `zone` is that of times without an offset (the site's).
    Of a `span` given, only what touches it is taken.
    Twice changes nothing. ImportingError; OSError for the file; StoreError, SQLAlchemy's errors for our own database.
    """
    kind, at = _format(fmt), _place(source, fmt, table)
    _check_node(node)
    await upgrade(settings.database.full_url)
    told = _Told(kind, site_of(settings, node), zone or settings.zone, span)
    return await _taken_in(settings, node, at, told, aside or at.folder, progress, settling)


def take_in(settings: Settings, node: str, fmt: str, place: str, span: Span) -> int:
    """Import what that place tells of a span, in a thread of the daemon; how many calls were new or changed.

    Bad lines are kept in the spool's folder. Unreadable.
    """
    kind, at, zone = _format(fmt), _place(place, fmt, None), settings.pbx[node].history.zone
    told = _Told(kind, site_of(settings, node), ZoneInfo(zone) if zone else settings.zone, span)
    try:
        report = asyncio.run(_taken_in(settings, node, at, told, settings.database.spool))
    except (ImportingError, *AWAY) as error:
        raise Unreadable(f"{fmt}: {first_line(error)}") from None
    return report.new + report.changed


async def _taken_in(
    settings: Settings,
    node: str,
    at: "Place",
    told: "_Told",
    aside: Path,
    progress: Progress | None = None,
    settling: Progress | None = None,
) -> Report:
    engine, policy = connect(settings.database.full_url), policy_of(settings)
    importer = Importer(engine, policy, node=node, source=told.source)
    try:
        with Aside(aside / f"{at.name}.bad") as bad:
            await told.read(at, importer, bad, progress)
        imported = await importer.finish(partial(roll_up, engine, policy, SystemClock().now()), settling)
    except ForeignError as error:
        raise ImportingError(str(error)) from None
    finally:
        await engine.dispose()
    return told.report(imported, bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the history is: a file, or a table of the database at `url`; bad lines go to `folder` unless asked."""

    name: str
    folder: Path
    url: str | None


def _place(source: Path | str, fmt: str, table: str | None) -> Place:
    if isinstance(source, str) and "://" in source:
        return Place(name=table or FORMATS[fmt].source, folder=Path(), url=source)
    path = Path(source)
    return Place(name=path.name, folder=path.parent, url=None)


def _format(fmt: str) -> Format:
    if fmt not in FORMATS:
        raise ImportingError(f"{fmt}: is not a format; give one of {', '.join(FORMATS)}")
    return FORMATS[fmt]


def _check_node(node: str) -> None:
    try:
        TypeAdapter(NodeName).validate_python(node)
    except ValidationError:
        raise ImportingError(f"{node}: is not a node; give a short name of a-z, 0-9, - and _") from None


class _Told:
    """What one source tells."""

    def __init__(self, kind: Format, site: Site, zone: tzinfo, span: Span | None) -> None:
        self._kind = kind
        self._zone = zone
        self._span = span
        self._reader = kind.reader(site, zone)
        self._lines = 0

    @property
    def source(self) -> str:
        """Who tells: queue_log, cdr or cel."""
        return self._kind.source

    async def read(self, place: Place, importer: Importer, bad: Aside, progress: Progress | None) -> None:
        """All of it, into the importer."""
        if place.url is None:
            with text_file(place.folder / place.name) as file:
                await self._taken(file, self._kind.of_lines(file.lines(bad), self._zone), importer, bad, progress)
            return
        async with foreign_table(place.url, place.name) as table:
            self._check(table)
            rows = table.rows(self._kind.order)
            await self._taken(table, self._kind.of_rows(rows, self._zone), importer, bad, progress)

    def _check(self, table: ForeignTable) -> None:
        missing = self._kind.needed - {name_of(column) for column in table.columns}
        if missing:
            what, there = ", ".join(sorted(missing)), ", ".join(table.columns)
            raise ImportingError(f"table {table.name} has no column {what}; it has {there}")

    async def _taken(
        self,
        source: TextFile | ForeignTable,
        entries: Iterable[Any],
        importer: Importer,
        bad: Aside,
        progress: Progress | None,
    ) -> None:
        known = self._known(entries, bad)
        while portion := await source.pull(known, _PORTION):
            await importer.take(portion)
            if progress is not None:
                progress(source.done, source.total)
        self._lines = source.count

    def _known(self, entries: Iterable[Any], bad: Aside) -> Iterator[Call | Interval]:
        for entry in entries:
            if isinstance(entry, BadLine):
                bad.keep(entry)
            else:
                yield from filter(self._wanted, self._reader.take(entry))
        yield from filter(self._wanted, self._reader.finish())

    def _wanted(self, known: Call | Interval) -> bool:
        if self._span is None:
            return True
        began = known.started_at if isinstance(known, Call) else known.began_at
        return began <= self._span[1] and (known.ended_at is None or known.ended_at >= self._span[0])

    def report(self, imported: Imported, bad: Aside) -> Report:
        """All that is to be said of it."""
        reader = self._reader
        return Report(
            **{name: getattr(imported, name) for name in ("new", "changed", "same", "left", "intervals")},
            lines=self._lines,
            bad=bad.count,
            shown=tuple(bad.shown),
            aside=bad.path,
            not_kept=bad.not_kept,
            cut=getattr(reader, "cut", 0) + getattr(reader, "headless", 0),
            misplaced=getattr(reader, "misplaced", 0),
        )
