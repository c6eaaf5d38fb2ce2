"""What holds for every CRM there is: told at least once, it has each thing once, and fails in two ways only."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbxmonitor.crm import Crm, Later, Outcome, Refused
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.plugins import load
from pbxmonitor.texts import LANGUAGES, catalogue
from tests.crm.bench import BENCHES, NUMBER, Bench, Killed, Told, answered, call, closed, opened
from tests.crm.server import QUICK, SLOW, Fault, Reply, Request

KINDS = sorted(load("pbxmonitor.crm"))
MOST_REQUESTS = 12
Tell = Callable[[Crm], Awaitable[Any]]


async def everything(crm: Crm) -> None:
    """All that is told of a client who was missed and then reached."""
    await crm.report(call())
    task = await crm.open_task(opened())
    await crm.report(answered())
    await crm.close_task(closed(), task)


def has_everything(bench: Bench) -> bool:
    codes = bench.codes
    calls = [Told("15", 0, codes[Outcome.MISSED]), Told("16", 42, codes[Outcome.ANSWERED])]
    return bench.calls() == calls and bench.tasks() == [("15", True)] and bench.clients() == 1


def test_every_crm_there_is_stands_on_a_bench() -> None:
    assert set(BENCHES) == set(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_end_has_a_text(language: str) -> None:
    assert all(f"crm.outcome.{outcome.value}" in catalogue(language) for outcome in Outcome)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_and_callbacks_are_delivered(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        await everything(bench.crm())
        assert has_everything(bench)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", Outcome)
async def test_a_call_has_its_own_outcome(kind: str, outcome: Outcome) -> None:
    async with BENCHES[kind]() as bench:
        await bench.crm().report(call())
        talk_s = 9.0 if outcome is Outcome.ANSWERED else 0.0
        told = call("1795415471.3", direction=Direction.OUTBOUND, agent="103", outcome=outcome, talk_s=talk_s)
        await bench.crm().report(told)
        assert Told("17", round(talk_s), bench.codes[outcome]) in bench.calls()


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_is_not_in_the_map_is_the_default_user_and_a_known_user_wins(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        crm = bench.crm()
        await crm.report(call("1.1", agent=None))
        await crm.report(call("1.2", agent="999"))
        await crm.report(call("1.3", agent="101", user="17"))
        assert [told.user for told in bench.calls()] == ["1", "1", "17"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_told_twice_is_there_once(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        await everything(bench.crm())
        asked = len(bench.server.seen)
        assert await bench.crm().report(call()) == await bench.crm().report(call())
        assert await bench.crm().open_task(opened()) == await bench.crm().open_task(opened())
        await everything(bench.crm())
        assert has_everything(bench)
        assert len(bench.server.seen) - asked <= 1  # at most whether the task is still open


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", QUICK)
async def test_whatever_request_fails_it_is_later_and_then_there_once(kind: str, fault: Fault) -> None:
    failed = 0
    for position in range(MOST_REQUESTS * 3):
        async with BENCHES[kind]() as bench:
            bench.server.faults.extend([None] * position + [fault])
            await bench.until_told(everything)
            assert has_everything(bench), (position, bench.calls(), bench.tasks(), bench.clients())
            if bench.server.faults:
                break
            failed += len(bench.reasons)
    assert failed >= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault.UNDONE_BUSY, Fault.DONE_CLOSED])
async def test_a_crm_that_fails_again_and_again_has_it_once_in_the_end(kind: str, fault: Fault) -> None:
    async with BENCHES[kind]() as bench:
        bench.server.faults.extend([None, fault, fault, None, fault] * 3)
        await bench.until_told(everything)
        assert has_everything(bench)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_crash_at_any_write_leaves_it_there_once(kind: str) -> None:
    for position in range(1, 60):
        async with BENCHES[kind]() as bench:
            bench.memory.dies_at = position
            await bench.until_told(everything)
            assert has_everything(bench), (position, bench.calls(), bench.tasks(), bench.clients())
            if bench.memory.writes < position:
                break
    assert position > 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", SLOW)
async def test_an_answer_that_does_not_come_in_time_is_later(kind: str, fault: Fault) -> None:
    async with BENCHES[kind]() as bench:
        bench.timeout = 0.4
        bench.server.faults.append(fault)
        with pytest.raises(Later, match="the time allowed is over") as late:
            await bench.crm().report(call())
        assert late.value.after_s > 0
        bench.timeout = 10
        await bench.until_told(everything)
        assert has_everything(bench)


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_at_the_address_is_later(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        await bench.server.stop()
        for tell in (bench.crm().report(call()), bench.crm().open_task(opened()), bench.crm().contact(NUMBER)):
            with pytest.raises(Later, match="does not answer"):
                await tell


@pytest.mark.parametrize("kind", KINDS)
async def test_asked_too_often_is_later_and_soon(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        bench.server.faults.append(Fault.UNDONE_BUSY)
        with pytest.raises(Later) as late:
            await bench.crm().report(call())
        assert 0 < late.value.after_s <= 10


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_crm_refuses_is_refused(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        bench.lock_out()
        for tell in (bench.crm().report(call()), bench.crm().open_task(opened())):
            with pytest.raises(Refused) as refused:
                await tell
            assert "\n" not in refused.value.reason
            assert refused.value.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"[]", b"7", b'"OK"', b"null", b"[" * 100_000, b"\xff\xfe", b'{"result": 3}', b"{}"])
async def test_an_answer_of_another_shape_is_never_more_than_later(kind: str, body: bytes) -> None:
    async with BENCHES[kind]() as bench:
        bench.server.handle = lambda _request: Reply(body=body)
        for tell in (bench.crm().report(call()), bench.crm().open_task(opened()), bench.crm().contact(NUMBER)):
            try:
                await tell
            except (Later, Refused) as error:
                assert isinstance(error, Later)  # noqa: PT017 - that nothing is raised is fine as well


@pytest.mark.parametrize("kind", KINDS)
async def test_no_secret_and_no_number_is_in_a_reason_a_repr_or_a_log(kind: str) -> None:
    def echo(request: Request) -> Reply:
        told = f"{request.path} {request.headers} {request.body.decode()}"
        body = {"error": told, "error_description": told, "detail": told, "title": told, "status": 400}
        return Reply(status=400, body=body)

    async with BENCHES[kind]() as bench:
        crm = bench.crm()
        bench.server.handle = echo
        with capture_logs() as logs, pytest.raises(Refused) as refused:
            await crm.report(call())
        texts = (str(refused.value), repr(refused.value), repr(crm), repr(vars(crm).get("_settings")), str(logs))
        for text in texts:
            assert not any(secret in text for secret in bench.secrets), text
            assert "9161234501" not in text
        assert refused.value.__cause__ is None
        assert "***" in refused.value.reason


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_is_found_by_his_number(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        await bench.crm().report(call())
        found = await bench.crm().contact(NUMBER)
        assert found is not None
        assert found.kind in ("contact", "lead")
        assert found.name
        assert await bench.crm().contact("+79990000000") is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_callback_that_nobody_made_leaves_its_task_as_it_is(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        crm = bench.crm()
        task = await crm.open_task(opened())
        await crm.close_task(closed(State.EXPIRED, rescuer=None, call=None), task)
        assert bench.tasks() == [("15", kind == "rest")]  # which is told of every end


@pytest.mark.parametrize("kind", KINDS)
async def test_a_task_is_closed_by_what_is_remembered_when_the_reference_is_lost(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        await bench.crm().close_task(closed(), None)
        await bench.crm().open_task(opened())
        if kind != "rest":
            assert bench.tasks() == [("15", False)]
            await bench.crm().close_task(closed(), None)
        assert bench.tasks() == [("15", True)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_crm_is_told_only_what_the_settings_say(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        assert await bench.crm(calls=False).report(call()) is None
        assert await bench.crm(tasks=False).open_task(opened()) is None
        await bench.crm(tasks=False).close_task(closed(), None)
        assert bench.server.seen == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_crash_is_not_swallowed(kind: str) -> None:
    async with BENCHES[kind]() as bench:
        bench.memory.dies_at = 1
        with pytest.raises(Killed):
            await bench.crm().report(call())
