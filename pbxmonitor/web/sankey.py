"""The calls' way as a Sankey diagram, from top to bottom; and a bar for each stop of it.

Widths are per cent of the drawing, heights are pixels: the shapes are stretched with the screen, the texts are not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pbxmonitor.web.drawing import THINNEST

Says = Callable[..., str]
Row = Mapping[str, Any]
# The widest bar; what is left of the drawing keeps the lost ones apart on the right.
WIDEST: Final = 72.0
ROW, BAR = 76, 12
_BAR_AT, _NAME_AT, _LOST_AT, _BELOW = 24, 17, 52, 36
# What becomes of a visit, as the bar of a stop shows it from left to right.
PARTS: Final = ("answered", "dropped", "passed", "lost", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A bar of calls; `hatched` says without colour that they are lost."""

    x: float
    y: int
    width: float
    look: str
    title: str

    @property
    def hatched(self) -> bool:
        return self.look in ("lost", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stream of calls from one bar to another: the `d` of a path."""

    d: str
    look: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text at the left (`lost` ones at the right) edge of the drawing."""

    y: int
    text: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sankey:
    """The whole drawing, `height` pixels high."""

    height: int
    blocks: Sequence[Block]
    bands: Sequence[Band]
    labels: Sequence[Label]


def sankey(funnel: Sequence[Row], says: Says, percent: Callable[[float | None], str]) -> Sankey | None:
    """The funnel of `store.funnel.stages`, and below it who was served; None without calls.

    `says(key, **values)` is a text of the catalogue.
    """
    whole = funnel[0]["reached"] if funnel else 0
    if not whole:
        return None
    names = [*(says(f"value.step.{step['step']}") for step in funnel), says("web.stuck.served")]
    reached = [*(step["reached"] for step in funnel), funnel[-1]["reached"] - funnel[-1]["lost"]]
    blocks, bands, labels = [], [], []
    for place, (name, count) in enumerate(zip(names, reached, strict=True)):
        text = says("web.stuck.reached", step=name, reached=count, share=percent(count / whole))
        labels.append(Label(y=place * ROW + _NAME_AT, text=text))
        if count:
            blocks.append(Block(x=0.0, y=_top(place), width=_width(count, whole), look="kept", title=text))
    for place, step in enumerate(funnel):
        kept, lost = reached[place + 1], step["lost"]
        if kept:
            title = says("web.stuck.band.kept", step=names[place], next=names[place + 1], reached=kept)
            bands.append(_kept(place, _width(kept, whole), title))
        if lost:
            title = says("web.stuck.band.lost", step=names[place], lost=lost)
            right, width = _width(step["reached"], whole), _width(lost, whole)
            bands.append(_lost(place, right, width, title))
            blocks.append(Block(x=round(100 - width, 2), y=_top(place + 1), width=width, look="lost", title=title))
            labels.append(Label(y=(place + 1) * ROW + _LOST_AT, text=says("web.stuck.lost", lost=lost), lost=True))
    return Sankey(height=_top(len(names) - 1) + _BELOW, blocks=blocks, bands=bands, labels=labels)


def _top(place: int) -> int:
    return place * ROW + _BAR_AT


def _width(count: int, whole: int) -> float:
    return max(round(count / whole * WIDEST, 2), THINNEST)


def _kept(place: int, width: float, title: str) -> Band:
    return Band(d=_path(place, (0.0, width), (0.0, width)), look="kept", title=title)


def _lost(place: int, right: float, width: float, title: str) -> Band:
    """From the right end of the bar to the right edge of the drawing."""
    return Band(d=_path(place, (right - width, right), (100 - width, 100.0)), look="lost", title=title)


def _path(place: int, above: tuple[float, float], below: tuple[float, float]) -> str:
    """From the bar of that row down to the next one, bent like a stream."""
    top, bottom = _top(place) + BAR, _top(place + 1)
    middle = (top + bottom) / 2
    (a, b), (c, d) = above, below
    down = f"M{a:g} {top}C{a:g} {middle:g} {c:g} {middle:g} {c:g} {bottom}"
    return f"{down}L{d:g} {bottom}C{d:g} {middle:g} {b:g} {middle:g} {b:g} {top}Z"


def parts_of(step: Row) -> dict[str, int]:
    """What became of the visits of a stop, each in one part: those dropped at once are not among the answered."""
    return {name: step[name] for name in PARTS} | {"answered": step["answered"] - step["dropped"]}


def stop_bar(step: Row, most: int, says: Says) -> Sequence[Block]:
    """The bar of a stop, in scale with the one that `most` entered."""
    return list(_stacked(parts_of(step), most, says))


def _stacked(parts: Mapping[str, int], most: int, says: Says) -> Iterator[Block]:
    left = 0
    for name, count in parts.items():
        if count:
            x, width = (round(each / max(most, 1) * 100, 2) for each in (left, count))
            title = says("web.stuck.part.of", part=says(f"web.stuck.part.{name}"), calls=count)
            yield Block(x=x, y=0, width=width, look=name, title=title)
        left += count
