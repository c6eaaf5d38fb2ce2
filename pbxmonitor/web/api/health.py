"""What watches the daemon asks: does it live, can it serve, and what Prometheus counts. Not part of the API proper."""

import asyncio
from ipaddress import ip_address
from typing import Final

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from pbxmonitor.store.types import reading
from pbxmonitor.web.auth import address_of, api_viewer
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Role

outside = APIRouter()
_PATIENCE_S: Final = 3.0


@outside.get("/healthz")
async def healthz() -> Response:
    """The process lives."""
    return PlainTextResponse("ok\n")


@outside.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether the database answers; of the PBXs only how many are not heard now, for anybody may ask."""
    site = site_of(request)
    ready = await _answers(site)
    told = {"ready": ready, "database": ready, "pbx": len(site.nodes()), "pbx_lost": len(site.lost_links())}
    return JSONResponse(told, 200 if ready else 503)


@outside.get("/metrics")
async def metrics(request: Request) -> Response:
    """The collectors: for this machine, and for managers' sessions and tokens."""
    if not _is_this_machine(request):
        viewer = await api_viewer(request)
        if not viewer.at_least(Role.MANAGER):
            raise Problem(403)
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _answers(site: Site) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await reading(site.database, lambda connection: connection.execute(sa.select(1)).scalar())
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True


def _is_this_machine(request: Request) -> bool:
    """Asked directly: whoever comes through a proxy says so, even one that we were not told of."""
    if any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via")):
        return False
    try:
        return ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
