"""A persistent map: old versions stay as they were, and a change costs the same in a small map and a large one."""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

_BUCKETS: Final = 256
T = TypeVar("T")


class Table(Mapping[str, T], Generic[T]):
    """`put` copies only the buckets that change."""

    __slots__ = ("_buckets",)

    def __init__(self, buckets: tuple[dict[str, T], ...] | None = None) -> None:
        self._buckets: tuple[dict[str, T], ...] = buckets or ({},) * _BUCKETS

    def __getitem__(self, key: str) -> T:
        return self._buckets[hash(key) % _BUCKETS][key]

    def find(self, key: str) -> T | None:
        """What `get` gives, without its detour over an exception."""
        return self._buckets[hash(key) % _BUCKETS].get(key)

    def __iter__(self) -> Iterator[str]:
        return (key for bucket in self._buckets for key in bucket)

    def __len__(self) -> int:
        return sum(map(len, self._buckets))

    def put(self, changes: Mapping[str, T | None]) -> "Table[T]":
        """The table with those entries set, and the ones given as None left out."""
        if not changes:
            return self
        buckets = list(self._buckets)
        fresh: set[int] = set()
        for key, value in changes.items():
            place = hash(key) % _BUCKETS
            if place not in fresh:
                fresh.add(place)
                buckets[place] = dict(buckets[place])
            if value is None:
                buckets[place].pop(key, None)
            else:
                buckets[place][key] = value
        return Table(tuple(buckets))
