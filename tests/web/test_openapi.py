"""Whatever a program sends to the API is answered as its description says: never a 500, errors as problem+json."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from pbxmonitor.clock import ManualClock
from pbxmonitor.web.app import make_app
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.problems import PROBLEM_JSON
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import Browser, ClientOf, settings_of
from tests.work.shop import CLIENT, Shop

# So many odd requests to each operation; the same each time.
REQUESTS: Final = 25
SEED: Final = 214
ODD: Final = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "007",
        "1e309",
        "nan",
        "-inf",
        "1_000",
        "٣",
        "０",
        "½",
        "9" * 400,
        "0x10",
        "1.5",
        "true",
    ),
    *("null", "[]", "{}", "\0", "a\0b", "\n", "\r\nX-Odd: 1", "\x7f", "\u202e", "\ufeff", "😀", "ы" * 300, "\ud800"),
    *("'; DROP TABLE call; --", '"', "%", "%%", "_", "\\", "../../etc/passwd", "<script>", "{0}", "{n}", "$ne", "*"),
    *("2026-13-45", "2026-02-30", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999+14:00", "2026-11-24T09"),
    *("0001-01-01T00:00:00+14:00", "2026-11-24T09:00:00+99:99", "2026-W48-2", "20261124", "24.11.2026", "now", "-1d"),
)
# What brings a request deeper than the first check.
FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    "period": ("today", "yesterday", "this-week", "last-month", "this-year"),
    "from": ("2026-11-24", "2026-11-24T09:00:00Z", "2026-11-01"),
    "to": ("2026-11-24", "2026-11-24T10:00:00+03:00", "2026-12-31"),
    "node": ("main", "nowhere"),
    "agent": ("101", "102", "lena"),
    "key": ("101", "102", "lena"),
    "queue": ("sales",),
    "number": (CLIENT, "8 916 123-45", "45"),
    "limit": ("1", "500"),
    "stage": ("queue:sales", "ivr"),
    "action": ("take", "snooze", "mobile", "dismiss", "voicemail", "call"),
}
BODIES: Final = (
    *(b"", b"null", b"[]", b"{}", b'"text"', b"1", b"{", b"\xff\xfe", b"[" * 2_000, b'{"reason": 1e999}'),
    *(b'{"reason": null}', b'{"reason": {}}', b'{"reason": "\\u0000"}', b'{"reason": "\\ud800"}', b'{"call": []}'),
    *(b'{"reason": "' + b"x" * 5_000 + b'"}', b'{"call": "main/1"}', b'{"reason": "busy", "odd": 1}', b"reason=busy"),
)
TYPES: Final = (b"application/json", b"application/json; charset=utf-16", b"text/plain", b"", b"multipart/form-data")


@pytest.fixture
def app(site: Site, passwords: Passwords) -> FastAPI:
    """The application without limits: the clock stands still, and so many are asked of it."""
    settings = settings_of(site.settings.database.full_url, web={"requests_per_minute": 0})
    return make_app(replace(site, settings=settings), passwords=passwords)


@pytest.fixture
async def calls(site: Site) -> list[str]:
    """Calls that the API may be asked for; the site's clock is the story's."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    keys = [await shop.misses(), await shop.answers("102", "+79161234777")]
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return keys


def operations(app: FastAPI) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of all that the API can do, but streams, which have no end."""
    for path, methods in app.openapi()["paths"].items():
        for method, told in methods.items():
            if "text/event-stream" not in told["responses"].get("200", {}).get("content", {}):
                yield method.upper(), path, told


class Asker:
    """Makes up requests of an operation: most parts fit, some do not."""

    def __init__(self, told: Mapping[str, Any], calls: list[str], rng: Random) -> None:
        self._parameters, self._has_body = told.get("parameters", ()), "requestBody" in told
        self._fitting = {**FITTING, "call": tuple(calls)}
        self._rng = rng

    def request(self, client: httpx.AsyncClient, method: str, path: str) -> httpx.Request:
        query = []
        headers: dict[bytes, bytes] = {}
        for each in self._parameters:
            name, place = each["name"], each["in"]
            if place == "path":
                path = path.replace(f"{{{name}}}", _quoted(self._value(name)))
            elif place == "header":
                headers[name.encode()] = self._value(name).encode("utf-8", "ignore").translate(None, b"\r\n\0")
            elif self._rng.random() < 0.4:
                query += [f"{name}={_quoted(self._value(name))}" for _ in range(self._rng.choice((1, 1, 1, 2)))]
        if self._rng.random() < 0.2:
            query.append(f"{_quoted(self._rng.choice(ODD))}={_quoted(self._rng.choice(ODD))}")
        body = None
        if self._has_body:
            fits = self._rng.random() < 0.5
            body = b'{"reason": "busy"}' if fits else self._rng.choice(BODIES)
            headers |= {b"Content-Type": TYPES[0] if fits else self._rng.choice(TYPES), b"Idempotency-Key": b"odd"}
        return client.build_request(method, path + "?" + "&".join(query), content=body, headers=headers)

    def _value(self, name: str) -> str:
        """Mostly one that fits, where we know any."""
        fitting = self._fitting.get(name, ())
        return self._rng.choice(fitting if fitting and self._rng.random() < 0.8 else ODD)


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="surrogatepass")


@pytest.mark.timeout(300)
async def test_odd_requests_are_answered_as_described(app: FastAPI, client_of: ClientOf, calls: list[str]) -> None:
    client, answered = await client_of(Role.ADMIN), set()
    for method, path, told in operations(app):
        asker = Asker(told, calls, Random(f"{SEED}/{method}/{path}"))
        for _ in range(REQUESTS):
            request = asker.request(client, method, path)
            answer = await client.send(request)
            check(answer, told["responses"], request)
            answered.add(answer.status_code // 100)
    assert answered == {2, 4}


def check(answer: httpx.Response, responses: Mapping[str, Any], request: httpx.Request) -> None:
    asked = f"{request.method} {request.url} {request.content[:80]!r} {dict(request.headers)}"
    assert answer.status_code < 500, asked
    # What fits no path of ours (an empty part, a slash in it) is nobody's operation.
    assert str(answer.status_code) in {*responses, "304", "404", "405"}, (asked, answer.status_code, answer.text[:300])
    if answer.status_code >= 400:
        assert answer.headers["content-type"].startswith(PROBLEM_JSON), asked
        told = answer.json()
        assert told["status"] == answer.status_code
        assert {"type", "title", "detail"} <= told.keys()
        assert "Traceback" not in answer.text
    elif answer.status_code != 304 and "json" in answer.headers["content-type"]:
        json.loads(answer.content)


async def test_everything_in_the_description_needs_a_login(app: FastAPI, browser: Browser, calls: list[str]) -> None:
    client = browser()
    for method, path, told in operations(app):
        for _ in range(5):
            request = Asker({**told, "parameters": []}, calls, Random(SEED)).request(
                client, method, path.replace("{node}", "main").replace("{call}", calls[0]).replace("{action}", "take")
            )
            answer = await client.send(request)
            assert answer.status_code == 401, request
            assert answer.headers["content-type"] == PROBLEM_JSON


async def test_a_method_that_there_is_not_is_a_problem_too(app: FastAPI, client_of: ClientOf) -> None:
    client = await client_of(Role.ADMIN)
    for method in ("PUT", "DELETE", "PATCH"):
        answer = await client.request(method, "/api/v1/calls")
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM_JSON)
    assert (await client.get("/api/v1/nothing")).headers["content-type"] == PROBLEM_JSON


def test_every_operation_is_described(app: FastAPI) -> None:
    for _, path, told in operations(app):
        assert told.get("summary"), path
        assert told.get("tags"), path
        assert all(
            each.get("description") or each["in"] != "query" or each["name"] == "limit"
            for each in told.get("parameters", ())
        ), path
