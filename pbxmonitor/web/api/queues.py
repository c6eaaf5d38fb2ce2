"""Queues by the API: what came, what became of it, how long callers waited."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pbxmonitor.store import queue_report
from pbxmonitor.store.types import reading
from pbxmonitor.web.answers import answer
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.api.figure_forms import Queues
from pbxmonitor.web.api.stages import Oversees, wanted, within
from pbxmonitor.web.site import site_of

router = APIRouter(tags=["figures"])


@router.get(
    "/queues", summary="Each queue: received, answered, abandoned, service levels, waits", response_model=Queues
)
async def list_queues(request: Request, _query: Annotated[Time, Query()], _viewer: Oversees) -> Response:
    """`{"from", "to", "queues": […], "total": {…}}`; what each number means stands in docs/metrics.md."""
    site, asked = site_of(request), wanted(request)
    found = await reading(site.database, lambda c: queue_report.queues(c, asked.period, asked.policy))
    return answer(request, within(asked, **found))
