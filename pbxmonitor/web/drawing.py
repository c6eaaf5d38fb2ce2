"""What is drawn as SVG, as plain shapes: places and widths are per cent of the drawing, so that it fits any screen."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pbxmonitor.domain.agent import Interval

Names = Callable[[str | None], str]
Says = Callable[..., str]
# A bar thinner than this could not be seen.
THINNEST: Final = 0.5
_MISSED: Final = frozenset({"rna", "declined", "caller_gave_up"})
_SPAN: Final = ("began_at", "ended_at")
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_TICKS: Final = 5
_LEVELS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time: from `x` on, `width` wide; `look` is its class, `hatched` what must not be told by colour."""

    x: float
    width: float
    look: str
    title: str
    hatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Bars in one line below their name."""

    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Lanes over one axis of time."""

    lanes: Sequence[Lane]
    ticks: Sequence[Tick]


@dataclass(frozen=True, slots=True)
class Scale:
    """From moments to per cent of the drawing."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.begin).total_seconds(), 1.0)

    def x(self, at: datetime) -> float:
        return round(min(max((at - self.begin).total_seconds() / self.seconds, 0.0), 1.0) * 100, 2)

    def bar(self, begin: datetime, end: datetime, look: str, title: str, *, hatched: bool = False) -> Bar:
        """The stretch, never too thin to be seen and never beyond the drawing."""
        left = min(self.x(begin), 100 - THINNEST)
        width = max(round(self.x(end) - left, 2), THINNEST)
        return Bar(x=left, width=min(width, 100 - left), look=look, title=title, hatched=hatched)


def timeline(form: Mapping[str, Any], names: Names, says: Says) -> Timeline:
    """The call of that form: a lane for each stage, then one for each phone that rang or talked.

    `says(key, **values)` is a text of the catalogue.
    """
    began = _moment(form["started_at"])
    scale = Scale(began, _end(form))
    lanes = [*_stages(form["stages"], scale, says), *_people(form, scale, names, says)]
    return Timeline(lanes=lanes, ticks=list(_ticks(scale.seconds)))


def _end(form: Mapping[str, Any]) -> datetime:
    """The call's end; of one that goes on, the last thing that happened, and its talk so far."""
    moments = [form["started_at"], form["ended_at"], form["answered_at"]]
    for part, names in (("stages", ("entered_at", "left_at")), ("offers", _SPAN), ("talks", _SPAN)):
        moments += [each[name] for each in form[part] for name in names]
    last = max(_moment(each) for each in moments if each)
    if form["ended_at"]:
        return last
    return max(last, _moment(form["started_at"]) + timedelta(seconds=form["wait_s"] + form["talk_s"]))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stages(stages: Iterable[Mapping[str, Any]], scale: Scale, says: Says) -> Iterator[Lane]:
    lanes: dict[str, list[Bar]] = {}
    for each in stages:
        label = says(f"value.stage.{each['kind']}") + f": {each['name']}"
        begin, end = _moment(each["entered_at"]), _moment(each["left_at"]) if each["left_at"] else scale.end
        title = says(f"journey.entered.{each['kind']}", name=each["name"])
        lanes.setdefault(label, []).append(scale.bar(begin, end, f"stage {each['kind']}", title))
    return (Lane(label=label, bars=bars) for label, bars in lanes.items())


def _people(form: Mapping[str, Any], scale: Scale, names: Names, says: Says) -> Iterator[Lane]:
    lanes: dict[str | None, list[Bar]] = {}
    for ring in form["offers"]:
        lanes.setdefault(ring["agent"], []).append(_ring(ring, scale, names, says))
    for talk in form["talks"]:
        begin, end = _moment(talk["began_at"]), _moment(talk["ended_at"]) if talk["ended_at"] else scale.end
        title = says("journey.talk", agent=names(talk["agent"]))
        lanes.setdefault(talk["agent"], []).append(scale.bar(begin, end, "talk", title))
    return (Lane(label=names(agent), bars=bars) for agent, bars in lanes.items())


def _ring(ring: Mapping[str, Any], scale: Scale, names: Names, says: Says) -> Bar:
    begin, end = _moment(ring["began_at"]), _moment(ring["ended_at"]) if ring["ended_at"] else scale.end
    who, missed = names(ring["agent"]), ring["result"] in _MISSED
    if ring["result"] is None or ring["ring_s"] is None:
        title = says("journey.rang", agent=who)
    else:
        title = says(f"journey.stopped.{ring['result']}", agent=who, rang_s=round(ring["ring_s"]))
    return scale.bar(begin, end, "ring missed" if missed else "ring", title, hatched=missed)


def _ticks(seconds: float) -> Iterator[Tick]:
    """Round moments since the beginning, some five of them."""
    step = next((each for each in _STEPS if seconds / each <= _TICKS), _STEPS[-1] * 2)
    at = 0
    while at < seconds * 0.95:
        yield Tick(x=round(at / seconds * 100, 2), label=f"{at // 60}:{at % 60:02}")
        at += step


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a chart from the bottom up; `parts` are (look, top, height), in per cent of the height.

    `value` is what stands above it, whose foot is `head`.
    """

    x: float
    width: float
    parts: Sequence[tuple[str, float, float]]
    label: str
    title: str
    value: str = ""
    head: float = 100.0


# A chart of few columns leaves room for others; above the highest of them stands its value.
_FEWEST, _ROOM = 7, 0.86


@dataclass(frozen=True, slots=True)
class Stack:
    """What a column is drawn of: its label, parts as (look, value), a title, and what stands above it."""

    label: str
    parts: Sequence[tuple[str, float]]
    title: str
    value: str = ""

    @property
    def sum(self) -> float:
        return sum(value for _, value in self.parts)


def columns(stacks: Sequence[Stack], least: float = 0.0) -> list[Column]:
    """Stacked columns side by side, in scale with the highest of them, or with that value if none is as high."""
    highest = max((each.sum for each in stacks), default=0.0)
    top_value = max(highest, least) / _ROOM or 1.0
    width = 100 / max(len(stacks), _FEWEST)
    found = []
    for number, each in enumerate(stacks):
        stacked, top = [], 0.0
        for look, value in each.parts:
            height = round(value / top_value * 100, 2)
            top += height
            stacked.append((look, round(100 - top, 2), height))
        x = round(number * width + width * 0.1, 2)
        found.append(
            Column(
                x=x,
                width=round(width * 0.8, 2),
                parts=stacked,
                label=each.label,
                title=each.title,
                value=each.value,
                head=round(100 - top, 2),
            )
        )
    return found


def height_of(value: float, stacks: Sequence[Stack], least: float = 0.0) -> float:
    """Where that value lies in the chart of those, in per cent from the top."""
    return round(100 - value / (max(least, *(each.sum for each in stacks)) / _ROOM or 1.0) * 100, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a bar from left to right, in per cent of it."""

    x: float
    width: float
    look: str
    title: str


def shares(parts: Sequence[tuple[str, int, str]]) -> list[Share]:
    """One bar of all of them together: (look, count, title); what is nothing has no part."""
    whole, seen, found = sum(count for _, count, _ in parts), 0, []
    for look, count, title in parts:
        if count:
            x = round(seen / whole * 100, 2)
            found.append(Share(x=x, width=round(count / whole * 100, 2), look=look, title=title))
        seen += count
    return found


def day_lanes(
    intervals: Iterable[Interval], begin: datetime, end: datetime, says: Says, reach: datetime
) -> Sequence[Lane]:
    """A lane for each way of being away in that day; what is open lasts until `reach`."""
    scale = Scale(begin, end)
    lanes: dict[str, list[Bar]] = {}
    for each in intervals:
        since, until = max(each.began_at, begin), min(each.ended_at or reach, end)
        if since < until:
            word = says(f"value.state.{each.state}")
            note = each.note or each.reason
            lasted = says("message.duration.minutes", minutes=int((until - since).total_seconds() // 60))
            title = f"{word} ({note}): {lasted}" if note else f"{word}: {lasted}"
            lanes.setdefault(word, []).append(scale.bar(since, until, str(each.state), title))
    return [Lane(label=label, bars=bars) for label, bars in lanes.items()]


def level(value: float, most: float) -> int:
    """Which of five shades (0..4) a cell of a heat map has."""
    return 0 if most <= 0 or value <= 0 else min(1 + int(value / most * _LEVELS), _LEVELS)
