"""Text as Telegram takes it: the few tags it knows, and pieces short enough (core.telegram.org/bots/api#html-style)."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Final

LONGEST_TEXT: Final = 4096
LONGEST_CAPTION: Final = 1024
MOST_PIECES: Final = 4
CUT: Final = "\n…"
_SAME: Final = {"strong": "b", "em": "i", "ins": "u", "strike": "s", "del": "s"}
_KNOWN: Final = frozenset({"b", "i", "u", "s", "code", "pre", "blockquote"})
# How many line ends stand before and after what is in them.
_BLOCKS: Final = {"p": 2, "div": 1, "table": 2, "tr": 1, "ul": 2, "ol": 2, "li": 1, "h1": 2, "h2": 2, "h3": 2, "h4": 2}
_UNSEEN: Final = frozenset({"style", "script", "head", "title"})
_ADDRESSES: Final = ("http://", "https://", "tg://", "mailto:")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text and the tags that it stands in, the outermost first: `b`, `a href="…"`."""

    text: str
    tags: tuple[str, ...] = ()

    def html(self) -> str:
        """As Telegram's HTML, whole in itself."""
        opened = "".join(f"<{tag}>" for tag in self.tags)
        closed = "".join(f"</{tag.partition(' ')[0]}>" for tag in reversed(self.tags))
        return f"{opened}{escape(self.text, quote=False)}{closed}"


def html_pieces(source: str) -> tuple[str, ...]:
    """Any HTML as messages of Telegram's HTML, none longer than it allows; of tags unknown to it the text stays."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    spans = _pieces("".join(run.text for run in reader.runs))
    return tuple("".join(run.html() for run in _within(reader.runs, begin, end)) + more for begin, end, more in spans)


def text_pieces(source: str) -> tuple[str, ...]:
    """Plain text as messages, none longer than Telegram allows."""
    text = source.strip()
    return tuple(text[begin:end] + more for begin, end, more in _pieces(text))


def caption(text: str) -> str:
    """The text cut to what may stand under a picture."""
    return text if length(text) <= LONGEST_CAPTION else text[: _end(text, 0, LONGEST_CAPTION - 1)] + "…"


def length(text: str) -> int:
    """How long Telegram takes it to be: in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each message begins and ends in the text, and what stands at the end of it when the rest is left out."""
    begin = 0
    for number in range(1, MOST_PIECES + 1):
        last = number == MOST_PIECES
        end = _end(text, begin, LONGEST_TEXT)
        if last and end < len(text):
            end = _end(text, begin, LONGEST_TEXT - len(CUT))
        if begin < end:
            yield begin, end, CUT if last and end < len(text) else ""
        begin = end + len(text[end:]) - len(text[end:].lstrip())
        if begin >= len(text):
            return


def _end(text: str, begin: int, room: int) -> int:
    """Where the piece that begins there ends: between lines, else between words, else where it is full."""
    end = min(begin + room, len(text))
    while (over := length(text[begin:end]) - room) > 0:
        end -= (over + 1) // 2
    if end == len(text):
        return end
    for between in ("\n\n", "\n", " "):
        found = text.rfind(between, begin + room // 2, end + 1)
        if found >= 0:
            return found
    return end


def _within(runs: list[Run], begin: int, end: int) -> Iterator[Run]:
    position = 0
    for run in runs:
        text = run.text[max(begin - position, 0) : max(end - position, 0)]
        if text:
            yield Run(text, run.tags)
        position += len(run.text)


class _Reader(HTMLParser):
    """Reads HTML into runs as a browser would show it: spaces joined, blocks on lines of their own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.runs: list[Run] = []
        self._tags: list[str] = []
        self._unseen = 0
        self._lines = 0
        self._space = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = _SAME.get(tag, tag)
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _KNOWN:
            self._tags.append(tag)
        elif tag == "a":
            address = dict(attrs).get("href") or ""
            self._tags.append(f'a href="{escape(address)}"' if address.startswith(_ADDRESSES) else "a")
        else:
            self._part(tag)

    def _part(self, tag: str) -> None:
        """What a tag without a meaning of its own puts between the texts beside it."""
        if tag == "br":
            self._lines = min(self._lines + 1, 2)
        elif tag in ("td", "th"):
            self._space = True
        self._lines = max(self._lines, _BLOCKS.get(tag, 0))

    def handle_endtag(self, tag: str) -> None:
        tag = _SAME.get(tag, tag)
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        self._lines = max(self._lines, _BLOCKS.get(tag, 0))
        names = [each.partition(" ")[0] for each in self._tags]
        if tag in names:
            del self._tags[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if "pre" in self._tags:
            self._write(data)
            return
        self._space = self._space or data[:1].isspace()
        if data.strip():
            self._write(" ".join(data.split()))
            self._space = data[-1:].isspace()

    def _write(self, text: str) -> None:
        between = "\n" * self._lines or " " * self._space
        if self.runs and between:
            self.runs.append(Run(between))
        self._lines, self._space = 0, False
        self.runs.append(Run(text, tuple(tag for tag in self._tags if tag != "a")))
