"""A tape: the bytes of a link exactly as they came, and beside them (FILE.times) when each piece came."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self


def times_of(path: Path) -> Path:
    """Where the receipt times of that tape stand."""
    return path.with_name(path.name + ".times")


class TapeWriter:
    """Writes what came, never what we sent, so that no tape holds a secret; usable as a link's tap."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.open("wb")
        self._times = times_of(path).open("w")
        self._offset = 0

    def __call__(self, data: bytes, received_at: float) -> None:
        self._times.write(f"{self._offset} {received_at:.6f}\n")
        self._bytes.write(data)
        self._offset += len(data)
        self._bytes.flush()
        self._times.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bytes.close()
        self._times.close()


def read_tape(path: Path) -> Iterator[tuple[bytes, float | None]]:
    """The pieces in order with their receipt times; one piece without a time where none were kept."""
    data = path.read_bytes()
    times = times_of(path)
    if not times.exists():
        yield data, None
        return
    marks = [line.split() for line in times.read_text().splitlines() if line]
    ends = [int(offset) for offset, _ in marks[1:]] + [len(data)]
    for (offset, received_at), end in zip(marks, ends, strict=True):
        yield data[int(offset) : end], float(received_at)
