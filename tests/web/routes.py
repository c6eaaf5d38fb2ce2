"""Every address that the application answers, found by itself, so that a new page is tested too."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from fastapi import APIRouter
from fastapi.routing import APIRoute

from pbxmonitor.web import api, pages
from pbxmonitor.web.api.health import outside
from pbxmonitor.web.app import API, frame


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path with its parameters in braces."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """All of them, pages first."""
    return [route for prefix, router in _routers() for route in _of(router, prefix)]


def _routers() -> Iterator[tuple[str, APIRouter]]:
    yield from (("", frame), ("", outside))
    for prefix, package in (("", pages), (API, api)):
        yield from ((prefix, router) for router in _in(package))


def _in(package: ModuleType) -> Iterator[APIRouter]:
    for found in iter_modules(package.__path__):
        router = getattr(import_module(f"{package.__name__}.{found.name}"), "router", None)
        if isinstance(router, APIRouter):
            yield router


def _of(router: APIRouter, prefix: str) -> Iterator[Route]:
    for route in router.routes:
        assert isinstance(route, APIRoute), route
        yield from (Route(method, prefix + route.path) for method in sorted(route.methods or ()))
