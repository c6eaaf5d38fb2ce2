"""A digest in words and charts, in the language in use: what its message is written with (docs/digests.md)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pbxmonitor.charts import BARS_OF_A_PAGE, Bars, Chart, Funnel, Line, Lines, Step
from pbxmonitor.columns import Kind, Tone, spelled
from pbxmonitor.domain import kpi
from pbxmonitor.domain.digest import Edition, Money
from pbxmonitor.domain.kpi import Standing
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store.digests import Debts, Fate, Figures, Numbers
from pbxmonitor.store.sums import Key
from pbxmonitor.texts import spoken, tr

Words = dict[str, Any]
Names = Callable[[Key], str]
NO_BREAK: Final = "\u00a0"
STUCK_MOST: Final = 5
_NAMED_MOST: Final = 10
_TONES: Final = {Standing.WORSE: Tone.BAD, Standing.BETTER: Tone.GOOD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom it is written: how many places the lists have (0: one's own numbers only) and what people are called."""

    names: Names
    policy: Policy
    top: int = 5
    money: Money | None = None


def summary(found: Figures, edition: Edition, reader: Reader) -> Words:
    """The words of the message `digest`."""
    debts = found.now.debts
    return {
        **_days(edition),
        "figures": list(_figures(found, reader.policy)),
        "worst": worst(found.agents, reader),
        "few": _few(found.agents, reader),
        "rescuers": _rescuers(found.agents, reader),
        "callbacks": _counts(debts.total) if debts.by_owner else None,
        "stuck": _stuck(found.now.stages),
        "money": _money(debts, reader.money),
    }


def callback_report(debts: Debts, edition: Edition, reader: Reader) -> Words:
    """The words of the message `callback_report`; who has lost most stands first."""
    people = [{"name": _owner(key, reader), **_counts(fates)} for key, fates in debts.by_owner.items()]
    order = sorted(people, key=lambda each: (-each["lost"], -each["late"], -each["opened"], each["name"]))
    return {**_days(edition), **_counts(debts.total), "people": order}


def _days(edition: Edition) -> Words:
    return {"begin": edition.first, "end": edition.last if edition.last != edition.first else None}


def _counts(fates: Mapping[Fate, int]) -> Words:
    opened = sum(fates.values())
    counts = {fate.value: fates.get(fate, 0) for fate in Fate}
    return {"opened": opened, **counts, "in_norm_share": kpi.share(counts["in_norm"], opened)}


def _owner(key: Key | None, reader: Reader) -> str:
    return tr("digest.no_owner") if key is None else reader.names(key)


def _figures(found: Figures, policy: Policy) -> list[Words]:
    """The key figures, each beside that of the period before and what was asked for."""
    now, before = _key_figures(found.now), _key_figures(found.before)
    limits = {row["goals"]["missed_share"]["limit"] for row in found.agents}
    limit = limits.pop() if len(limits) == 1 else policy.max_missed_share
    norms = {
        "missed_share": f"≤ {spelled(limit, Kind.SHARE)}",
        "in_norm": f"≥ {spelled(policy.min_in_norm_share, Kind.SHARE)}",
    }
    return [
        {
            "title": _title(name, policy),
            "value": _said(value, kind) or tr("value.no_data"),
            "before": _said(before.get(name, (None, kind))[0], kind),
            "norm": norms.get(name),
        }
        for name, (value, kind) in now.items()
    ]


def _title(name: str, policy: Policy) -> str:
    if name == "service_level":
        return tr("digest.figure.service_level", seconds=f"{policy.service_levels[0].total_seconds():g}")
    return tr(f"digest.figure.{name}")


def _said(value: float | None, kind: Kind) -> str | None:
    if value is None:
        return None
    text = spelled(value, kind)
    return tr("message.duration.seconds", seconds=text) if kind is Kind.SECONDS else text


def _key_figures(numbers: Numbers) -> dict[str, tuple[float | None, Kind]]:
    """By name, in their order: those of the whole site, where it is seen, and those of the agents."""
    sums, fates = numbers.sums, numbers.debts.total
    found: dict[str, tuple[float | None, Kind]] = {}
    if numbers.stages is not None:
        found |= {"calls": (numbers.stages["calls"], Kind.COUNT), "lost": (numbers.stages["lost"], Kind.COUNT)}
    else:
        found["offered"] = (sums.offered, Kind.COUNT)
    found |= {
        "missed": (sums.missed, Kind.COUNT),
        "missed_share": (kpi.share(sums.missed, sums.offered), Kind.SHARE),
        "pickup": (sums.pickup_ms / sums.picked / 1000 if sums.picked else None, Kind.SECONDS),
    }
    if numbers.queues is not None and numbers.queues["calls"]:
        found["service_level"] = (numbers.queues["service_levels"][0]["of_all"], Kind.SHARE)
    found["short_hangups"] = (sums.short_hangups, Kind.COUNT)
    found["in_norm"] = (kpi.share(fates.get(Fate.IN_NORM, 0), sum(fates.values())), Kind.SHARE)
    return found


def _name(row: Json, reader: Reader) -> str:
    return reader.names((row["node"], row["agent"]))


def worst(rows: Sequence[Json], reader: Reader) -> list[Words]:
    """Who misses most, of those with enough calls to say so: by the share that is certain, not by ill luck."""
    rated = [row for row in rows if row["rank"] is not None and row["missed"]]
    order = sorted(rated, key=lambda row: (-row["interval"][0], -row["missed"], row["agent"], row["node"]))
    return [
        {
            "name": _name(row, reader),
            "missed": row["missed"],
            "offered": row["offered"],
            "share": row["missed_share"],
        }
        for row in order[: reader.top]
    ]


def _few(rows: Sequence[Json], reader: Reader) -> str | None:
    """Who was offered too few calls to be compared; None when everybody was offered enough."""
    few = sorted(_name(row, reader) for row in rows if row["rank"] is None and row["offered"])
    if not few or not reader.top:
        return None
    named = ", ".join(few[:_NAMED_MOST])
    if len(few) > _NAMED_MOST:
        named = tr("digest.few.more", names=named, more=len(few) - _NAMED_MOST)
    return tr("digest.few", least=max(reader.policy.min_offered_for_rating, 1), names=named)


def _rescuers(rows: Sequence[Json], reader: Reader) -> list[Words]:
    """Who has reached most clients, whosever they were."""
    order = sorted((row for row in rows if row["reached"]), key=lambda row: (-row["reached"], row["agent"]))
    return [{"name": _name(row, reader), "reached": row["reached"]} for row in order[: reader.top]]


def _stuck(stages: Json | None) -> list[Words]:
    """The stops at which most calls were lost, wherever in the journey they stood."""
    lost: Counter[str] = Counter()
    steps = stages["steps"] if stages is not None else ()
    several = len({step["node"] for step in steps}) > 1
    for step in steps:
        place = f"{tr('value.stage.' + step['kind'])} {step['name']}"
        lost[f"{place} ({step['node']})" if several else place] += step["lost"] + step["dropped"]
    order = sorted(((place, calls) for place, calls in lost.items() if calls), key=lambda each: (-each[1], each[0]))
    return [{"place": place, "calls": calls} for place, calls in order[:STUCK_MOST]]


def _money(debts: Debts, money: Money | None) -> str | None:
    if money is None or not debts.unreached:
        return None
    return tr("digest.money", n=debts.unreached, amount=amount(money.lost(debts.unreached), money.currency))


def amount(value: float, currency: str) -> str:
    """48 000 ₽ in Russian, ₽48,000 in English; a currency that is a word stands after the number in both."""
    number = f"{value:,.0f}"
    if spoken() == "ru":
        return f"{number.replace(',', NO_BREAK)}{NO_BREAK}{currency}"
    return f"{currency}{number}" if len(currency) == 1 else f"{number}{NO_BREAK}{currency}"


def charts(found: Figures, edition: Edition, reader: Reader) -> dict[str, Chart]:
    """The charts of a summary by the name of their file, those that have something to show."""
    first, last = edition.first.isoformat(), edition.last.isoformat()
    period = first if first == last else f"{first} — {last}"
    drawn = {"missed": _missed(found.agents, period, reader), "load": _load(found, period), "funnel": None}
    if found.now.stages is not None and found.now.stages["calls"]:
        drawn["funnel"] = _funnel(found.now.stages, period)
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _missed(rows: Sequence[Json], period: str, reader: Reader) -> Chart | None:
    order = sorted((row for row in rows if row["offered"]), key=lambda row: (row["rank"] is None, -row["missed_share"]))
    shown = order[:BARS_OF_A_PAGE]
    limits = {row["goals"]["missed_share"]["limit"] for row in shown}
    if not shown:
        return None
    return Bars(
        title=tr("report.chart.missed_share"),
        subtitle=period,
        labels=tuple(_name(row, reader) for row in shown),
        values=tuple(row["missed_share"] for row in shown),
        kind=Kind.SHARE,
        norm=limits.pop() if len(limits) == 1 else None,
        norm_label=tr("report.chart.limit"),
        tones=tuple(_TONES.get(row["standing"]) for row in shown),
    )


def _load(found: Figures, period: str) -> Chart | None:
    """Calls and losses by hour of a day, or by day."""
    slots = found.load
    if len(slots) < 2:
        return None
    hourly = slots[0].begin.date() == slots[-1].begin.date()
    return Lines(
        title=tr("digest.chart.load"),
        subtitle=period,
        labels=tuple(f"{slot.begin:%H:%M}" if hourly else f"{slot.begin:%d.%m}" for slot in slots),
        lines=(
            Line(name=tr("digest.chart.calls"), values=tuple(slot.calls for slot in slots)),
            Line(name=tr("digest.chart.lost"), values=tuple(slot.lost for slot in slots)),
        ),
    )


def _funnel(stages: Json, period: str) -> Chart:
    steps = (Step(name=tr(f"value.step.{each['step']}"), count=each["reached"]) for each in stages["funnel"])
    return Funnel(title=tr("report.stages.funnel"), subtitle=period, steps=tuple(steps))
