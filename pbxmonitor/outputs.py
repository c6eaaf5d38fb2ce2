"""A report written to a file whose name tells the form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pbxmonitor.charts import Chart, draw
from pbxmonitor.columns import Table

FORMS = ".csv, .xlsx, .png or .pdf"


def write(tables: Sequence[Table], charts: Sequence[Chart], path: Path) -> None:
    """Write the tables (.csv, .xlsx) or the charts (.png, .pdf) there; OSError when the file cannot be written.

    ValueError in one line, and nothing written, for another suffix, for a report that has nothing of that form, for
    several tables in one CSV, and when charts are wanted and matplotlib is not installed.
    """
    match path.suffix.lower():
        case ".csv":
            _write_csv(tables, path)
        case ".xlsx":
            from pbxmonitor.spreadsheets import to_xlsx

            to_xlsx(_some(tables, "table", path), path)
        case ".png" | ".pdf":
            draw(_some(charts, "chart", path), path)
        case _:
            raise ValueError(f"cannot tell the form of {path.name}: give a file that ends in {FORMS}")


def _write_csv(tables: Sequence[Table], path: Path) -> None:
    from pbxmonitor.tables import to_csv

    if len(_some(tables, "table", path)) > 1:
        raise ValueError(
            f"{path.name} can hold one table and the report has {len(tables)}: give a file that ends in .xlsx"
        )
    path.write_text(to_csv(tables[0]), "utf-8", newline="")


def _some(things: Sequence[Any], what: str, path: Path) -> Sequence[Any]:
    if not things:
        raise ValueError(f"this report has no {what} for {path.name}: give a file of another form, {FORMS}")
    return things
