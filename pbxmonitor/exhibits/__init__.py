"""Reports as they are shown: the plain rows, the tables of a terminal or a spreadsheet, the charts."""

from dataclasses import dataclass
from typing import Any

from pbxmonitor.charts import Chart
from pbxmonitor.columns import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One report. `rows` is its JSON, `tables` stand on a screen and in sheets, `flat` is the one table of a CSV."""

    rows: Any
    tables: tuple[Table, ...]
    flat: Table
    charts: tuple[Chart, ...] = ()
