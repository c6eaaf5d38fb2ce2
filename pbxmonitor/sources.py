"""Text files of any bytes, packed or not, line by line; and the lines that tell nothing, kept aside."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, TextIO, TypeVar

from pbxmonitor.pbx.asterisk.history import BadLine

T = TypeVar("T")
# Bad lines that are shown at once; all of them are kept aside.
SHOWN: Final = 5
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile)


class TextFile:
    """Lines in UTF-8 or, each by itself, in Windows-1251; packed when the name ends in `.gz`.

    `done` of `total` bytes have been read, `count` lines.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.name = path.name
        self.total = path.stat().st_size
        self.count = 0
        self._stream = stream
        self._lines: IO[bytes] = gzip.GzipFile(fileobj=stream) if path.suffix == ".gz" else stream  # type: ignore[assignment]

    @property
    def done(self) -> int:
        return self._stream.tell()

    def lines(self, bad: "Aside") -> Iterator[str]:
        """Every line; what a broken end hides is told as a bad one."""
        try:
            for raw in self._lines:
                self.count += 1
                yield _text(raw)
        except _BROKEN as error:
            reason = f"the packed file is broken here, and the rest of it cannot be read: {error}"
            bad.keep(BadLine(number=self.count + 1, text="", reason=reason))

    async def pull(self, items: Iterator[T], size: int) -> list[T]:
        """The next few of what is made of the lines."""
        return list(islice(items, size))


def _text(raw: bytes) -> str:
    """UTF-8, else Windows-1251 (its one unassigned byte replaced): what people's names are written in; never a NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1251", "replace")
    return text.replace("\0", "")


@contextmanager
def text_file(path: Path) -> Iterator[TextFile]:
    """That file, open; OSError."""
    with path.open("rb") as stream:
        yield TextFile(path, stream)


class Aside:
    """Lines that tell nothing, kept as CSV (name, line, reason, text) in a file that is made for the first of them."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.shown: list[BadLine] = []
        self.not_kept = ""
        self._path = path
        self._file: TextIO | None = None

    @property
    def path(self) -> Path | None:
        """Where they are; None when there was none, or no file could be made."""
        return self._path if self.count and not self.not_kept else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, line: BadLine) -> None:
        """Keep one; that there is nowhere to keep it is told by `not_kept`, and stops nothing."""
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(line)
        try:
            self._write(line)
        except OSError as error:
            self.not_kept = f"{self._path}: {error.strerror}"

    def _write(self, line: BadLine) -> None:
        if self._file is None and not self.not_kept:
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        if self._file is not None:
            csv.writer(self._file).writerow((self._path.stem, line.number, line.reason, line.text))
