"""Tapes: a link's bytes exactly as they came from the socket, and the moments of receipt beside them.

FILE holds the bytes alone; FILE.times holds one line `offset epoch_seconds` for each chunk. What we sent is never on a
tape, so neither is a secret. A chunk that begins with Asterisk's greeting begins a new connection.
"""

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pbxmonitor.pbx.asterisk.frames import NEW_CONNECTION

PIECE = 64 * 1024

Mark = tuple[int, float]


class TapeError(ValueError):
    """A tape that cannot be read or written, in one line that says what to do."""


def times_path(path: Path) -> Path:
    """Where the moments of receipt of that tape are."""
    return path.with_name(path.name + ".times")


class TapeWriter:
    """Appends to a tape, chunk by chunk, each written through at once; made to be an Ami's tap."""

    def __init__(self, path: Path) -> None:
        try:
            self._bytes = path.open("ab", buffering=0)
            self._times = times_path(path).open("a", encoding="ascii", buffering=1)
        except OSError as error:
            raise TapeError(
                f"cannot write the tape {path}: {error.strerror}; give a file in a writable folder"
            ) from error
        self._offset = self._bytes.tell()

    def __call__(self, data: bytes, received_at: float) -> None:
        """Keep these bytes, received at that moment (epoch seconds)."""
        self._times.write(f"{self._offset} {received_at:.6f}\n")
        self._write_all(data)
        self._offset += len(data)

    def _write_all(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._bytes.write(left) :]

    def close(self) -> None:
        """Close both files; what was written is already in them."""
        self._bytes.close()
        self._times.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_tape(path: Path) -> Iterator[tuple[bytes, float | None]]:
    """The chunks in order with their moments of receipt (epoch seconds), None where FILE.times does not tell.

    With FILE.times the chunks are those of the socket; without it they are cut anywhere, except that a chunk begins
    wherever a greeting does. TapeError when the tape is missing or FILE.times is not one.
    """
    marks = _marks(path)
    try:
        tape = path.open("rb")
    except OSError as error:
        raise TapeError(f"cannot read the tape {path}: {error.strerror}") from error
    with tape:
        size = path.stat().st_size
        begins = [min(offset, size) for offset, _ in marks]
        for chunk in _untimed(tape, begins[0] if begins else size):
            yield chunk, None
        for begin, end, (_, received_at) in zip(begins, [*begins, size][1:], marks, strict=True):
            if chunk := tape.read(end - begin):
                yield chunk, received_at


def _untimed(tape: BinaryIO, length: int) -> Iterator[bytes]:
    if not length:
        return
    with mmap(tape.fileno(), length, access=ACCESS_READ) as whole:
        begins = sorted({0, *(found.start() for found in NEW_CONNECTION.finditer(whole))})
    for begin, end in zip(begins, [*begins[1:], length], strict=True):
        for at in range(begin, end, PIECE):
            yield tape.read(min(PIECE, end - at))


def _marks(path: Path) -> list[Mark]:
    times = times_path(path)
    if not times.exists():
        return []
    lines = times.read_text("ascii", "replace").split("\n")[:-1]  # a line cut by a crash is not a line
    marks = [_mark(times, number, line) for number, line in enumerate(lines, 1)]
    if marks != sorted(marks, key=lambda mark: mark[0]):
        raise TapeError(f"{times}: the offsets do not grow; remove the file to read the tape without times")
    return marks


def _mark(times: Path, number: int, line: str) -> Mark:
    try:
        offset, received_at = line.split()
        return int(offset), float(received_at)
    except ValueError:
        raise TapeError(f"{times}:{number}: expected 'offset epoch_seconds', got {line[:40]!r}") from None
