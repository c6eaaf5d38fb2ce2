"""Where calls get stuck: the way from the menu to the talk, each stop of it, the queues; links to the journal.

For those who see everybody's calls (pbxmonitor.web.api.stages.overseer): it is counted of the whole site.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.view import Json
from pbxmonitor.notify.wording import filters
from pbxmonitor.store import funnel, queue_report
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import sankey
from pbxmonitor.web.api.stages import Oversees, seen_step
from pbxmonitor.web.filtering import is_plain, tidied
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.timing import asked, time_words

router = APIRouter()
_LOST: Final = {"lost": 1}
# The journal's filter that shows the calls lost at a step: by their cause where that is one, else all lost ones.
LOST_AT: Final[Mapping[str, Mapping[str, object]]] = {
    "ivr": {"cause": Cause.IVR},
    "queue": _LOST,
    "ring": _LOST,
    "pickup": {"cause": Cause.DROPPED},
    "first_seconds": {"cause": Cause.DROPPED},
    "talk": {"cause": Cause.TRANSFER_FAILED},
}


@router.get("/stuck")
async def stuck(request: Request, viewer: Oversees) -> Response:
    """The funnel as a drawing and a table, the stops of the journey, the causes, the queues."""
    if (elsewhere := tidied(request, "stuck")) is not None:
        return elsewhere
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), asked(request, site)
    found, queues = await reading(
        site.database,
        lambda c: (
            funnel.stages(c, wanted.period, wanted.policy),
            queue_report.queues(c, wanted.period, wanted.policy),
        ),
    )
    says, written = partial(tr, language=viewer.language), filters(viewer.language, site.settings.zone)
    return page(
        request,
        viewer,
        "stuck.html",
        400 if bad else 200,
        found=found,
        drawn=sankey.sankey(found["funnel"], says, written["percent"]),
        rows=[dict(step) | {"filter": LOST_AT[step["step"]]} for step in found["funnel"]],
        steps=_steps(found["steps"], sight, says),
        queues=queues["queues"],
        total=queues["total"],
        several=len({row["node"] for row in (*found["steps"], *queues["queues"])}) > 1,
        called=sight.name,
        part_names=sankey.PARTS,
        bar_height=sankey.BAR,
        **time_words(request, viewer, wanted, bad),
    )


def _steps(found: Sequence[Json], sight: Sight, says: sankey.Says) -> list[tuple[int, list[Json]]]:
    """The stops by their place in the journey, each with its bar and the journal's name for it."""
    most = max((step["entered"] for step in found), default=0)
    places: dict[int, list[Json]] = {}
    for step in found:
        shown = seen_step(step, sight) | {
            "bar": sankey.stop_bar(step, most, says),
            "parts": sankey.parts_of(step),
            "filter": _stage_filter(step, sight),
        }
        places.setdefault(step["step"], []).append(shown)
    return sorted(places.items())


def _stage_filter(step: Json, sight: Sight) -> str | None:
    """What the journal calls that stop; None where a number is hidden from the viewer, or cannot be asked for."""
    asked_for = f"{step['kind']}:{step['name']}"
    hidden = sight.number(step["name"]) != step["name"]
    return None if hidden or not is_plain(asked_for) else asked_for
