"""The journal as a file, exactly the calls that the filter wants and the viewer may see, oldest first; and reports."""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from fastapi.responses import FileResponse, Response, StreamingResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from pbxmonitor.columns import Table
from pbxmonitor.domain.view import Json
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.periods import Stretch
from pbxmonitor.store.journal import Cursor, Page
from pbxmonitor.store.types import reading
from pbxmonitor.tables import BOM, journal_table, to_csv
from pbxmonitor.texts import speak, tr
from pbxmonitor.web import calls
from pbxmonitor.web.filtering import Asked
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site

# Read at once; and as many as a workbook may have, which must be in memory whole.
_AT_ONCE: Final = 2_000
MOST_IN_A_WORKBOOK: Final = 100_000
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def csv_of(site: Site, sight: Sight, what: Asked) -> Response:
    """The calls as CSV, however many: written as they are read."""
    return StreamingResponse(_lines(site, sight, what), headers=_named(what, "csv"), media_type="text/csv")


async def xlsx_of(site: Site, sight: Sight, what: Asked) -> Response:
    """The calls as a workbook; Problem when there are too many for one."""
    rows: list[Json] = []
    async for some in _all(site, sight, what):
        rows += some
        if len(rows) > MOST_IN_A_WORKBOOK:
            raise Problem(413, "web.export.too_many", None, most=MOST_IN_A_WORKBOOK)
    path = await run_in_threadpool(_workbook, site, sight.language, rows)
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, headers=_named(what, "xlsx"), media_type=_XLSX, background=gone)


async def _all(site: Site, sight: Sight, what: Asked) -> AsyncIterator[Sequence[Json]]:
    after: Cursor | None = None
    while True:
        found = await reading(site.database, partial(_some, what, sight, after))
        yield found.calls
        after = found.next
        if after is None:
            return


def _some(what: Asked, sight: Sight, after: Cursor | None, connection: Connection) -> Page:
    return calls.page(connection, what.wanted, sight, limit=_AT_ONCE, after=after, newest_first=False)


async def _lines(site: Site, sight: Sight, what: Asked) -> AsyncIterator[str]:
    begun = False
    async for some in _all(site, sight, what):
        text = await run_in_threadpool(_text, site, sight.language, some)
        # The heading stands once; no heading of ours has a line break in it.
        yield text if not begun else text.removeprefix(BOM).partition("\r\n")[2]
        begun = True


def _text(site: Site, language: str, rows: Sequence[Json]) -> str:
    speak(language)  # of this thread's own context
    return to_csv(_table(site, rows))


def _workbook(site: Site, language: str, rows: Sequence[Json]) -> Path:
    speak(language)
    return _written((replace(_table(site, rows), sheet=tr("report.journal.name")),))


def _written(tables: Sequence[Table]) -> Path:
    from pbxmonitor.spreadsheets import to_xlsx

    with tempfile.NamedTemporaryFile(prefix="pbxmonitor-", suffix=".xlsx", delete=False) as file:
        path = Path(file.name)
    to_xlsx(tables, path)
    return path


async def report_of(make: Callable[[], Exhibit], form: str, name: str, stretch: Stretch, language: str) -> Response:
    """The report that `make` gives, in that language: its flat table as CSV, or all its tables as a workbook."""
    headers = _headers(name, stretch, form)
    if form == "csv":
        text = await run_in_threadpool(lambda: to_csv(_in(language, make).flat))
        return Response(text, headers=headers, media_type="text/csv")
    path = await run_in_threadpool(lambda: _written(_in(language, make).tables))
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, headers=headers, media_type=_XLSX, background=gone)


def _in(language: str, make: Callable[[], Exhibit]) -> Exhibit:
    speak(language)  # of this thread's own context
    return make()


def _table(site: Site, rows: Sequence[Json]) -> Table:
    return journal_table(rows, site.settings.zone)


def _named(what: Asked, suffix: str) -> dict[str, str]:
    return _headers("calls", what.stretch, suffix)


def _headers(name: str, stretch: Stretch, suffix: str) -> dict[str, str]:
    days = f"{stretch.begin:%Y-%m-%d}_{stretch.end:%Y-%m-%d}"
    return {"Content-Disposition": f'attachment; filename="{name}_{days}.{suffix}"', "Cache-Control": "no-store"}
