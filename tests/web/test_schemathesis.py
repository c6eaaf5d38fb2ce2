"""The description of the API is put to the test by schemathesis: whatever it allows, and does not, is answered so.

Fitting and unfitting requests are made up from the OpenAPI itself, the same each time; half of those that name
something in the path name what there is. Each is sent by an administrator, a manager and an employee, and the answers
must be of a status, a kind and a form that are described.
"""

import asyncio
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest
import requests
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pbxmonitor.clock import ManualClock
from pbxmonitor.web.app import API
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import ClientOf
from tests.web.test_openapi import app as app  # without limits
from tests.work.shop import Shop

# So many requests of each kind to each operation by each role: a quarter of a minute of one core.
EXAMPLES: Final = 8
HOOKS: Final = 20
BASE: Final = "http://pbx.example"
ROLES: Final = (Role.ADMIN, Role.MANAGER, Role.EMPLOYEE)
# Who asks is ours to say.
OURS: Final = frozenset({"cookie", "authorization"})
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
QUIET: Final = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
There = Mapping[str, Sequence[str]]


@pytest.fixture
async def there(site: Site) -> dict[str, list[str]]:
    """What the paths may name; the site's clock is the story's."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    calls = [await shop.misses(), await shop.answers("102", "+79161234777"), await shop.misses("+79161234502", "102")]
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return {"node": ["main"], "call": calls, "key": ["101", "102"]}


def operations(described: Mapping[str, Any]) -> Iterator[Any]:
    """All that are described, but streams, which have no end."""
    for found in openapi.from_dict(dict(described)).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        answers = operation.definition.raw["responses"]
        if "text/event-stream" not in answers.get("200", {}).get("content", {}):
            yield operation


class Asker:
    """Asks the application, which lives in another thread's loop, as one of its clients."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self.answered: set[int] = set()

    def asks(self, case: Any) -> None:
        """Send that case's request; what is wrong with the answer is raised."""
        answer = asyncio.run_coroutine_threadsafe(self._client.send(self._request(case)), self._loop).result(60)
        self.answered.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    def _request(self, case: Any) -> httpx.Request:
        """As schemathesis would put it on the wire, but for who asks."""
        made: Any = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        mine = {"Cookie": "; ".join(f"{each.name}={each.value}" for each in self._client.cookies.jar)}
        mine["X-CSRF"] = self._client.headers["X-CSRF"]
        headers = {name: value for name, value in made.headers.items() if name.lower() not in OURS}
        return httpx.Request(made.method, made.url, headers=headers | mine, content=made.body)


def put_to_the_test(operation: Any, mode: GenerationMode, askers: Sequence[Asker], there: There) -> None:
    """Each of them asks everything that was made up for that operation."""

    @QUIET
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: Any, data: Any) -> None:
        known = {name: there[name] for name in case.path_parameters or {} if name in there}
        if known and data.draw(st.booleans()):
            case.path_parameters.update({name: data.draw(st.sampled_from(of)) for name, of in known.items()})
        for asker in askers:
            asker.asks(case)

    ask()


def all_put_to_the_test(described: Mapping[str, Any], askers: Sequence[Asker], there: There, only: str = "") -> None:
    """All that is described there, or that path."""
    for operation in operations(described):
        if only in ("", operation.path):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                put_to_the_test(operation, mode, askers, there)


@pytest.mark.timeout(600)
async def test_whatever_the_description_allows_is_answered_as_it_says(
    app: FastAPI, client_of: ClientOf, there: dict[str, list[str]]
) -> None:
    clients: list[httpx.AsyncClient] = [await client_of(role) for role in ROLES]
    new = {"name": "CRM", "url": "https://crm.example/", "events": ["call.ended"]}
    made = [await clients[0].post(f"{API}/webhooks", json=new) for _ in range(HOOKS)]
    there["webhook"] = [each.json()["id"] for each in made]
    askers = [Asker(client, asyncio.get_running_loop()) for client in clients]
    await asyncio.to_thread(all_put_to_the_test, app.openapi(), askers, there)
    for asker in askers:
        assert {200, 400, 404, 422} <= asker.answered
        assert 401 not in asker.answered
    assert [403 in asker.answered for asker in askers] == [False, True, True]


async def test_a_description_that_is_not_so_is_found_out(
    app: FastAPI, client_of: ClientOf, there: dict[str, list[str]]
) -> None:
    described = copy.deepcopy(app.openapi())
    described["components"]["schemas"]["Who"]["properties"]["account"] = {"type": "integer"}
    asker = Asker(await client_of(Role.ADMIN), asyncio.get_running_loop())
    with pytest.raises(FailureGroup, match="integer"):
        await asyncio.to_thread(all_put_to_the_test, described, [asker], there, f"{API}/me")
