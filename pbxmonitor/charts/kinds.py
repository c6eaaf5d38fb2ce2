"""The kinds of chart, as what they say and not how they look."""

from dataclasses import dataclass

from pbxmonitor.columns import Kind, Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A bar for each label; `norm` is a line across them, `tones` colour and mark them; an unknown value has no bar."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float | None, ...]
    kind: Kind = Kind.COUNT
    subtitle: str = ""
    norm: float | None = None
    norm_label: str = ""
    tones: tuple[Tone | None, ...] = ()
    absent: str = "—"
    top: float | None = None  # the scale's end, where several charts share it


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A shade for each cell of a matrix, its number written in it: weekdays × hours. None is not known."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    kind: Kind = Kind.COUNT
    subtitle: str = ""
    absent: str = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of the lines of a trend; None is a hole in it."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A trend: the labels below, in order, and the lines over them; `norm` is a line across."""

    title: str
    labels: tuple[str, ...]
    lines: tuple[Line, ...]
    kind: Kind = Kind.COUNT
    subtitle: str = ""
    norm: float | None = None
    norm_label: str = ""
    absent: str = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a funnel: how many reached it, and a note (how long they waited, who lost them)."""

    name: str
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Where calls get stuck: each step with its share of the first and what was lost on the way to it."""

    title: str
    steps: tuple[Step, ...]
    subtitle: str = ""
    absent: str = "—"


Chart = Bars | Heat | Lines | Funnel
