"""Where calls get stuck: the funnel, each step of the journey with who let the lost calls ring, the causes."""

from collections.abc import Callable, Mapping
from typing import Any

from pbxmonitor.charts import Funnel, Step
from pbxmonitor.columns import Column, Row, Table, spelled
from pbxmonitor.columns import Kind as Of
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, period_text, said, seconds, several_nodes, share, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr

Names = Callable[[str], str]


def stages(found: Mapping[str, Any], stretch: Stretch, names: Names) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.stages`; `names` says what a person is called."""
    steps = tuple(found["steps"])
    funnel = _table("report.stages.funnel", stretch, tuple(found["funnel"]) if found["calls"] else (), _funnel())
    journey = _table("report.stages.steps", stretch, steps, (*several_nodes(steps), *_journey(names)))
    causes = _table("report.stages.causes", stretch, _causes(found), _cause_columns())
    chart = Funnel(
        title=tr("report.stages.funnel"),
        subtitle=period_text(stretch),
        steps=tuple(
            Step(name=tr(f"value.step.{each['step']}"), count=each["reached"], note=_note(each))
            for each in found["funnel"]
        ),
    )
    return Exhibit(rows=found, tables=(funnel, journey, causes), flat=journey, charts=(chart,))


def _table(title: str, stretch: Stretch, rows: tuple[Row, ...], columns: tuple[Column, ...]) -> Table:
    return Table(
        title=titled(title, stretch),
        empty=tr("report.journal.empty"),
        columns=columns,
        rows=rows,
        sheet=tr(title),
    )


def _funnel() -> tuple[Column, ...]:
    return (
        Column(key="step", value=lambda row: tr(f"value.step.{row['step']}")),
        count("reached_step", value=lambda row: row["reached"], bar=True),
        share("reached_share"),
        count("lost_here", value=lambda row: row["lost"]),
        share("lost_share"),
        seconds("until_here_s", value=lambda row: row["wait_mean_s"]),
    )


def _journey(names: Names) -> tuple[Column, ...]:
    return (
        count("place", value=lambda row: row["step"]),
        Column(key="stage", value=lambda row: f"{said('stage', row['kind'])} {row['name']}"),
        *(count(key) for key in ("entered", "answered", "dropped", "passed")),
        count("lost_here", value=lambda row: row["lost"], bar=True),
        share("lost_share"),
        *(seconds(key) for key in ("wait_mean_s", "wait_max_s")),
        Column(key="rang_last", value=lambda row: _people(row["rang_last"], names), wrap=36),
        Column(key="missed_most", value=lambda row: _people(row["missed_most"], names), wrap=36),
    )


def _people(found: list[Mapping[str, Any]], names: Names) -> str | None:
    return ", ".join(f"{names(each['agent'])} {each['calls']}" for each in found) or None


def _causes(found: Mapping[str, Any]) -> tuple[Row, ...]:
    lost = sum(found["causes"].values())
    return tuple({"cause": cause, "n": n, "share": n / lost} for cause, n in found["causes"].items())


def _cause_columns() -> tuple[Column, ...]:
    return (
        Column(key="cause", value=lambda row: said("cause", row["cause"])),
        count("lost_here", value=lambda row: row["n"], bar=True),
        share("lost_share", value=lambda row: row["share"]),
    )


def _note(step: Mapping[str, Any]) -> str:
    """After how long they came there, on average."""
    wait = step["wait_mean_s"]
    return "" if not wait else tr("report.stages.after", wait=spelled(wait, Of.SECONDS))
