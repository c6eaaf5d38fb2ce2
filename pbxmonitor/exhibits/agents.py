"""Each agent's numbers: calls, callbacks, time away; who stands apart from the team, and whether the goals are met."""

from collections.abc import Callable, Sequence
from typing import Any

from pbxmonitor.charts import Bars
from pbxmonitor.columns import Charted, Column, Kind, Row, Table, Tone, spelled
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import (
    count,
    duration,
    inner,
    period_text,
    seconds,
    several_nodes,
    share,
    titled,
    word,
)
from pbxmonitor.periods import Stretch
from pbxmonitor.tables import agent_name
from pbxmonitor.texts import tr

_STANDING = {"worse": Tone.BAD, "better": Tone.GOOD}


def agents(found: Sequence[Row], stretch: Stretch) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.agents`, the worst first among those who can be compared."""
    rows = tuple(sorted(found, key=_worst_first))
    who = (*several_nodes(rows), Column(key="agent", value=agent_name))
    tables = (
        _table("report.agents.calls", rows, stretch, (*who, *_calls()), Charted(values="missed_share", names="agent")),
        _table("report.agents.callbacks", rows, stretch, (*who, *_callbacks())),
        _table("report.agents.time", rows, stretch, (*who, *_time())),
    )
    wide = (*who, *_calls(), *_callbacks(), *_time())
    flat = _table("report.agents.calls", rows, stretch, wide)
    return Exhibit(rows=list(found), tables=tables, flat=flat, charts=_charts(rows, stretch))


def _worst_first(row: Row) -> tuple[bool, float, str]:
    rank = row.get("rank")
    return rank is None, -float(row.get("missed_share") or 0.0), str(row.get("agent"))


def _table(
    title: str, rows: tuple[Row, ...], stretch: Stretch, columns: tuple[Column, ...], charted: Charted | None = None
) -> Table:
    return Table(
        title=titled(title, stretch),
        empty=tr("report.agents.empty"),
        columns=columns,
        rows=rows,
        sheet=tr(f"{title}.sheet"),
        charted=charted,
    )


def _calls() -> tuple[Column, ...]:
    return (
        *(count(key) for key in ("offered", "answered", "missed")),
        share("missed_share", bar=True, tone=_standing_tone),
        Column(key="norm", kind=Kind.SHARE),
        Column(key="missed_before", kind=Kind.SHARE, value=lambda row: inner(row, "before", "missed_share")),
        word("standing"),
        Column(key="rank", kind=Kind.COUNT),
        Column(
            key="goal_missed", value=lambda row: _goal(row, "missed_share"), tone=_goal_tone("missed_share"), wrap=14
        ),
        *(seconds(key) for key in ("pickup_mean_s", "pickup_median_s", "pickup_p90_s")),
        count("short_hangups"),
        count("caller_hangups"),
        *(count(key) for key in ("answered_elsewhere", "refused", "not_counted")),
        Column(key="flags", value=flags, wrap=30, tone=lambda row: Tone.BAD if row.get("flags") else None),
    )


def _callbacks() -> tuple[Column, ...]:
    return (
        *(count(key) for key in ("lost", "called_back", "returned", "dismissed", "uncallable")),
        count("forgotten", bar=True),
        count("owned"),
        share("in_norm_share", value=lambda row: inner(row, "goals", "callback", "in_norm_share")),
        Column(key="goal_callback", value=lambda row: _goal(row, "callback"), tone=_goal_tone("callback"), wrap=14),
        duration("callback_median_s"),
        *(count(key) for key in ("callbacks_made", "reached", "fakes")),
    )


def _time() -> tuple[Column, ...]:
    return (
        *(duration(key) for key in ("talk_s", "dnd_s", "paused_s")),
        Column(key="pauses", value=_pauses, wrap=24),
        *(duration(key) for key in ("partly_paused_s", "offline_s")),
        *(duration(f"peak_{key}", value=_in_peak(key)) for key in ("dnd_s", "paused_s", "offline_s")),
        share("occupancy"),
        *(count(key) for key in ("outbound", "outbound_answered")),
        duration("outbound_s"),
    )


def flags(row: Row) -> str | None:
    """What sets him apart, in words."""
    return ", ".join(tr(f"value.flag.{flag}") for flag in row.get("flags") or ()) or None


def _standing_tone(row: Row) -> Tone | None:
    return _STANDING.get(str(row.get("standing")))


def _goal(row: Row, which: str) -> str | None:
    """Met or not, and since when."""
    goal = inner(row, "goals", which)
    if not goal or goal.get("met") is None:
        return None
    text = tr("value.goal.met" if goal["met"] else "value.goal.missed")
    if goal["since"] is None or goal["lately"] is not goal["met"]:
        return text
    return tr("value.goal.since", goal=text, since=goal["since"])


def _goal_tone(which: str) -> Callable[[Row], Tone | None]:
    def tone(row: Row) -> Tone | None:
        met = inner(row, "goals", which, "met")
        return None if met is None else Tone.GOOD if met else Tone.BAD

    return tone


def _pauses(row: Row) -> str | None:
    """Lunch 1:02:03, no reason 0:05:00."""
    pauses = row.get("pauses") or {}
    named = ((reason or tr("value.no_reason"), spelled(took, Kind.DURATION)) for reason, took in pauses.items())
    return ", ".join(f"{reason} {took}" for reason, took in named) or None


def _in_peak(key: str) -> Callable[[Row], Any]:
    return lambda row: inner(row, "peak", key)


def _charts(rows: tuple[Row, ...], stretch: Stretch) -> tuple[Bars, ...]:
    shown = tuple(row for row in rows if row.get("offered"))
    names = tuple(str(row.get("name") or row.get("agent")) for row in shown)
    limit = inner(shown[0], "goals", "missed_share", "limit") if shown else None
    return (
        Bars(
            title=tr("report.chart.missed_share"),
            subtitle=period_text(stretch),
            labels=names,
            values=tuple(row["missed_share"] for row in shown),
            kind=Kind.SHARE,
            norm=limit,
            norm_label=tr("report.chart.limit"),
            tones=tuple(map(_standing_tone, shown)),
        ),
        Bars(
            title=tr("report.chart.pickup"),
            subtitle=period_text(stretch),
            labels=names,
            values=tuple(row["pickup_mean_s"] for row in shown),
            kind=Kind.SECONDS,
        ),
        Bars(
            title=tr("report.chart.forgotten"),
            subtitle=period_text(stretch),
            labels=names,
            values=tuple(row["forgotten"] for row in shown),
        ),
    )
