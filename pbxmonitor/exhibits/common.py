"""What the exhibits share: titles with their period, columns by kind, names of people."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pbxmonitor.columns import Column, Kind, Row
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr


def titled(key: str, stretch: Stretch, **values: Any) -> str:
    """The title of that key with the period in it."""
    return f"{tr(key, **values)}, {period_text(stretch)}"


def period_text(stretch: Stretch) -> str:
    """The period as people write it: one day, from day to day, or with hours where it is not whole days."""
    begin, end = stretch.begin, stretch.end
    if any((edge.hour, edge.minute) != (0, 0) for edge in (begin, end)):
        return f"{begin:%Y-%m-%d %H:%M} — {end:%Y-%m-%d %H:%M}"
    last = end - timedelta(days=1)
    return f"{begin:%Y-%m-%d}" if last.date() == begin.date() else f"{begin:%Y-%m-%d} — {last:%Y-%m-%d}"


def count(key: str, **more: Any) -> Column:
    return Column(key=key, kind=Kind.COUNT, **more)


def share(key: str, **more: Any) -> Column:
    """A share; nothing to share is said, never 0 %."""
    return Column(key=key, kind=Kind.SHARE, absent=tr("value.no_data"), **more)


def seconds(key: str, **more: Any) -> Column:
    return Column(key=key, kind=Kind.SECONDS, **more)


def duration(key: str, **more: Any) -> Column:
    return Column(key=key, kind=Kind.DURATION, **more)


def word(key: str, catalogue: str | None = None) -> Column:
    """A word of ours, as people say it."""
    return Column(key=key, value=lambda row: said(catalogue or key, row.get(key)))


def said(catalogue: str, value: Any) -> str | None:
    """`value.CATALOGUE.VALUE` of the texts; None of nothing."""
    return tr(f"value.{catalogue}.{value}") if value else None


def several_nodes(rows: tuple[Row, ...]) -> tuple[Column, ...]:
    """The column of the PBX where the rows are of more than one."""
    return (Column(key="node"),) if len({row.get("node") for row in rows}) > 1 else ()


def inner(row: Mapping[str, Any], *path: str) -> Any:
    """The value below that path, None where the path ends early."""
    value: Any = row
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
