"""What one person's page draws: him beside his team, day by day, by hour of the week, and his day away."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pbxmonitor.domain.kpi import share
from pbxmonitor.web import drawing
from pbxmonitor.web.drawing import Stack
from pbxmonitor.web.people import Person

AWAY: Final = ("dnd", "paused", "offline")
# What a person's page compares: the number, how it is written, whether the period before is known.
COMPARED: Final = (
    ("missed_share", "percent", True),
    ("offered", "number", True),
    ("pickup_mean_s", "seconds", True),
    ("short_hangups", "number", True),
    ("forgotten", "number", True),
    ("callbacks_made", "number", False),
    ("talk_s", "duration", False),
    ("dnd_s", "duration", False),
    ("paused_s", "duration", False),
    ("offline_s", "duration", False),
)


def compared(found: Person) -> list[Mapping[str, Any]]:
    """Each number beside that of the team and of the period before."""
    if found.row is None:
        return []
    before = found.row["before"] or {}
    return [
        {
            "key": key,
            "how": how,
            "value": found.row[key],
            "team": found.team.get(key),
            "before": before.get(key) if known else None,
            "compares_before": known,
        }
        for key, how, known in COMPARED
    ]


def day(found: Person, says: drawing.Says, *, whole: bool) -> Mapping[str, Sequence[drawing.Column]] | None:
    """The day by hour, in two charts over the same hours: all calls, and his mean time away; None of nothing."""
    away = {each["hour"]: each for each in found.profile}
    hours = sorted({*(hour for hour, count in found.load.items() if count), *away})
    if not hours:
        return None
    load, absent = [], []
    for hour in range(24) if whole else range(hours[0], hours[-1] + 1):
        count, gone = found.load.get(hour, 0), [(state, away.get(hour, {}).get(f"{state}_s", 0.0)) for state in AWAY]
        title = says("web.person.load", hour=hour, n=count)
        load.append(Stack(str(hour), [("load", float(count))], title, str(count or "")))
        minutes = {state: round(seconds / 60) for state, seconds in gone}
        title = says("web.person.away", hour=hour, **minutes)
        absent.append(Stack(str(hour), gone, title, str(sum(minutes.values()) or "")))
    return {"load": drawing.columns(load), "away": drawing.columns(absent) if away else []}


def trend(found: Person, goal: float, percent: Callable[[float], str], says: drawing.Says) -> Mapping[str, Any]:
    """The missed share day by day, and where the goal lies in it."""
    stacks = []
    for day, missed, offered in found.days:
        part = share(missed, offered) or 0.0
        title = says("web.person.day", day=f"{day:%d.%m}", missed=missed, offered=offered)
        stacks.append(Stack(f"{day:%d.%m}", [("missed" if part > goal else "load", part)], title, percent(part)))
    least = goal * 2
    return {
        "columns": drawing.columns(stacks, least),
        "goal": drawing.height_of(goal, stacks, least) if stacks else None,
    }


def heat(found: Person) -> Mapping[str, Any] | None:
    """The week by hour: (missed, offered, shade) of each cell of the days that he was rung; None without calls."""
    if not found.heat:
        return None
    hours = [hour for _, hour in found.heat]
    most = max((share(*cell) or 0.0 for cell in found.heat.values()), default=0.0)
    cells = {
        place: (missed, offered, drawing.level(share(missed, offered) or 0.0, most))
        for place, (missed, offered) in found.heat.items()
    }
    days = sorted({weekday for weekday, _ in found.heat})
    return {"hours": range(min(hours), max(hours) + 1), "days": days, "cells": cells}
