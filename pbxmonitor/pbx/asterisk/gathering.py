"""Rows of one journey found among those of others: rows that share a name (a channel, a linkedid) belong together."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

Row = TypeVar("Row")
# Channel names (`PJSIP/101-0000002a`) count up from 0 after every restart; uniqueids and linkedids do not repeat.
_TOUCHING: Final = timedelta(seconds=2)


@dataclass(slots=True, kw_only=True, eq=False)
class Group(Generic[Row]):
    """The rows of one journey, numbered as they came, and the stretch of time they tell of."""

    begins: datetime
    ends: datetime
    touched: datetime
    rows: list[tuple[int, Row]] = field(default_factory=list)
    names: set[Hashable] = field(default_factory=set)

    def near(self, begins: datetime, ends: datetime) -> bool:
        """Whether that stretch touches the group's own."""
        return begins <= self.ends + _TOUCHING and self.begins <= ends + _TOUCHING


class Gathering(Generic[Row]):
    """Groups that may still grow."""

    def __init__(self) -> None:
        self._groups: dict[int, Group[Row]] = {}
        self._of: dict[Hashable, Group[Row]] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Group[Row]]:
        return iter(tuple(self._groups.values()))

    def add(
        self, row: Row, begins: datetime, ends: datetime, names: Iterable[Hashable], channels: Iterable[Hashable] = ()
    ) -> None:
        """Put a row to its journey: that of any of its `names`, and of its `channels` at that time; they become one."""
        names, channels = tuple(names), tuple(channels)
        sure = [group for name in names if (group := self._of.get(name)) is not None]
        near = [group for name in channels if (group := self._of.get(name)) is not None and group.near(begins, ends)]
        known = sorted({id(group): group for group in (*sure, *near)}.values(), key=lambda each: -len(each.rows))
        group = known[0] if known else Group[Row](begins=begins, ends=ends, touched=begins)
        for other in known[1:]:
            self._join(group, other)
        self._count += 1
        group.rows.append((self._count, row))
        group.begins, group.ends, group.touched = min(group.begins, begins), max(group.ends, ends), begins
        self._groups[id(group)] = group
        self._know(group, (*names, *channels))

    def release(self, group: Group[Row]) -> list[Row]:
        """Give the group's rows away, in the order they came: no more of them are awaited."""
        del self._groups[id(group)]
        for name in group.names:
            if self._of.get(name) is group:
                del self._of[name]
        return [row for _, row in sorted(group.rows, key=lambda each: each[0])]

    def _join(self, group: Group[Row], other: Group[Row]) -> None:
        group.rows += other.rows
        group.begins, group.ends = min(group.begins, other.begins), max(group.ends, other.ends)
        del self._groups[id(other)]
        self._know(group, other.names)

    def _know(self, group: Group[Row], names: Iterable[Hashable]) -> None:
        for name in names:
            group.names.add(name)
            self._of[name] = group
