"""Bitrix24: what its documentation asks for, and the traps that it is known for."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbxmonitor.crm import CallEnded, Later, Outcome, Refused
from pbxmonitor.crm.bitrix24 import Bitrix24
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.texts import speak
from tests.crm.bench import NOW, NUMBER, Bitrix24Bench, Killed, Told, answered, call, closed, opened
from tests.crm.server import Fault, Reply


def methods(bench: Bitrix24Bench) -> list[str]:
    return [request.path.rpartition("/")[2] for request in bench.server.seen]


def out(key: str, outcome: Outcome = Outcome.NO_ANSWER, began_at: datetime = NOW) -> CallEnded:
    return call(key, direction=Direction.OUTBOUND, outcome=outcome, began_at=began_at)


async def test_a_call_is_registered_without_a_card_on_a_screen_and_finished_with_its_code() -> None:
    async with Bitrix24Bench() as bench:
        reference = await bench.crm().report(answered(talk_s=0.3))
        (row,) = bench.portal.statistics
        assert reference is not None
        assert reference.id == row["CALL_ID"]
        told = {key: row[key] for key in ("PHONE_NUMBER", "TYPE", "LINE_NUMBER", "CALL_START_DATE", "EXTERNAL_CALL_ID")}
        assert told == {
            "PHONE_NUMBER": NUMBER,
            "TYPE": 2,
            "LINE_NUMBER": "+78121112233",
            "CALL_START_DATE": "2026-11-23T07:44:00+00:00",
            "EXTERNAL_CALL_ID": "main:1795415470.7",
        }
        # With 0 s its statistics would show a missed call.
        assert (row["DURATION"], row["STATUS_CODE"], row["SHOW"], row["ADD_TO_CHAT"]) == (1, "200", 0, 0)
        assert row["CRM_ENTITY_TYPE"] == "LEAD"
        assert row["CRM_ENTITY_ID"] in bench.portal.clients["LEAD"]


async def test_there_is_exactly_one_missed_call_per_call_and_it_is_on_who_missed_it() -> None:
    async with Bitrix24Bench() as bench:
        for _ in range(3):
            await bench.crm().report(call())
        assert bench.calls() == [Told("15", 0, "304")]


async def test_a_later_telling_of_the_same_call_changes_nothing() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm().report(answered())
        await bench.crm().report(call("1795415470.7"))
        assert bench.calls() == [Told("16", 42, "200")]


@pytest.mark.parametrize("old", [False, True])
async def test_two_calls_of_one_number_at_once_do_not_share_a_call_id(old: bool) -> None:
    async with Bitrix24Bench(old=old) as bench:
        crm = bench.crm()
        first, second = await asyncio.gather(crm.report(answered("1.1", agent="101")), crm.report(call("1.2")))
        assert first != second
        assert bench.calls() == [Told("15", 0, "304"), Told("15", 42, "200")]


@pytest.mark.parametrize("old", [False, True])
async def test_two_outgoing_calls_in_a_row_stay_two(old: bool) -> None:
    async with Bitrix24Bench(old=old) as bench:
        bench.server.faults.extend([None, Fault.DONE_CLOSED])  # the first registration's answer is lost
        crm = bench.crm()
        with pytest.raises(Later):
            await crm.report(out("1.1"))
        await crm.report(out("1.2", Outcome.BUSY, NOW + timedelta(minutes=1)))
        await crm.report(out("1.1"))
        assert bench.beginnings() == [("2026-11-23T07:45:00+00:00", "304"), ("2026-11-23T07:46:00+00:00", "486")]
        assert bench.portal.open_calls == {}


async def test_a_call_left_open_whose_user_has_gone_does_not_stop_the_next_one() -> None:
    async with Bitrix24Bench() as bench:
        bench.server.faults.extend([None, None, None, Fault.UNDONE_500])  # at its finish
        with pytest.raises(Later):
            await bench.crm().report(call("1.1"))
        bench.portal.users.discard(15)
        with capture_logs() as logs:
            await bench.crm().report(answered("1.2"))
        assert bench.calls() == [Told("16", 42, "200")]
        assert [line["event"] for line in logs] == ["crm_call_left_open"]


async def test_an_old_portal_that_gives_the_next_call_the_same_id_is_waited_for() -> None:
    async with Bitrix24Bench(old=True) as bench:
        bench.server.faults.extend([None, None, None, Fault.UNDONE_500])
        with pytest.raises(Later):
            await bench.crm().report(call("1.1"))
        bench.portal.users.discard(15)
        bench.portal.users.add(99)
        next(iter(bench.portal.open_calls.values()))["USER_ID"] = 99
        told = call("1.2", agent=None, user="99", began_at=NOW)
        with pytest.raises(Later, match="still holds the number's call before this one open") as late:
            await bench.crm().report(told)
        bench.clock.advance(late.value.after_s)
        await bench.crm().report(told)
        assert bench.calls() == [Told("99", 0, "304")]


async def test_a_registration_that_the_portal_forgot_is_made_again() -> None:
    async with Bitrix24Bench() as bench:
        bench.server.faults.extend([None, None, None, Fault.UNDONE_500])
        with pytest.raises(Later):
            await bench.crm().report(call())
        bench.portal.open_calls.clear()
        await bench.until_told(lambda crm: crm.report(call()))
        assert bench.calls() == [Told("15", 0, "304")]


async def test_who_may_not_see_the_statistics_takes_a_call_that_is_gone_for_finished() -> None:
    async with Bitrix24Bench() as bench:
        bench.portal.statistics_allowed = False
        bench.server.faults.extend([None, None, None, Fault.DONE_CLOSED])
        await bench.until_told(lambda crm: crm.report(call()))
        assert bench.calls() == [Told("15", 0, "304")]


async def test_a_recording_is_attached_to_an_answered_call_once_it_is_finished() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm().report(answered(recording="https://pbx.example.org/r/1.mp3"))
        assert list(bench.portal.records.values()) == ["https://pbx.example.org/r/1.mp3"]


async def test_a_recording_that_cannot_be_fetched_does_not_cost_the_call() -> None:
    async with Bitrix24Bench() as bench:
        bench.portal.unreachable_records = True
        with capture_logs() as logs:
            await bench.crm().report(answered(recording="https://pbx.example.org/r/1.mp3"))
        assert bench.calls() == [Told("16", 42, "200")]
        assert [line["event"] for line in logs] == ["crm_recording_not_attached"]


async def test_a_recording_whose_answer_is_lost_does_not_make_the_call_twice() -> None:
    async with Bitrix24Bench() as bench:
        bench.server.faults.extend([None] * 4 + [Fault.DONE_CLOSED])
        told = answered(recording="https://pbx.example.org/r/1.mp3")
        await bench.until_told(lambda crm: crm.report(told))
        assert bench.calls() == [Told("16", 42, "200")]


@pytest.mark.parametrize("written", ["+79161234501", "89161234501", "79161234501"])
async def test_a_contact_is_found_however_his_number_is_written(written: str) -> None:
    async with Bitrix24Bench() as bench:
        bench.portal.clients["CONTACT"][7] = {"NAME": "Иван", "LAST_NAME": "Петров", "PHONE": [{"VALUE": written}]}
        await bench.crm().report(call())
        assert bench.portal.statistics[0]["CRM_ENTITY_ID"] == 7
        assert bench.clients() == 1
        found = await bench.crm().contact(NUMBER)
        assert found is not None
        assert (found.kind, found.id, found.name) == ("contact", "7", "Иван Петров")
        assert found.url == f"{bench.server.url}/crm/contact/details/7/"


async def test_a_contact_is_seen_behind_a_crowd_of_leads() -> None:
    async with Bitrix24Bench() as bench:
        phone = {"PHONE": [{"VALUE": NUMBER}]}
        bench.portal.clients["LEAD"] = {number: {"TITLE": "Заявка", **phone} for number in range(1, 26)}
        bench.portal.clients["CONTACT"][77] = {"NAME": "Иван", **phone}
        found = await bench.crm().contact(NUMBER)
        assert found is not None
        assert (found.kind, found.id) == ("contact", "77")


@pytest.mark.parametrize(("unknown", "kinds"), [("lead", ["LEAD"]), ("contact", ["CONTACT"]), ("nothing", [])])
async def test_a_stranger_who_called_becomes_what_the_settings_say(unknown: str, kinds: list[str]) -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm(unknown=unknown).report(call())
        await bench.crm(unknown=unknown).open_task(opened())
        assert [kind for kind, cards in bench.portal.clients.items() if cards] == kinds
        assert bench.clients() == len(kinds)
        assert len(bench.calls()) == len(bench.tasks()) == 1


async def test_a_stranger_whom_we_called_becomes_nobody() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm().report(out("1.1"))
        assert bench.clients() == 0
        assert len(bench.calls()) == 1


async def test_a_call_and_a_task_of_a_stranger_at_once_make_one_lead() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm()
        await asyncio.gather(crm.report(call()), crm.open_task(opened()))
        assert bench.clients() == 1


async def test_a_task_has_a_deadline_a_responsible_and_the_client() -> None:
    async with Bitrix24Bench() as bench:
        reference = await bench.crm().open_task(opened())
        ((number, task),) = bench.portal.tasks.items()
        assert reference is not None
        assert reference.id == str(number)
        assert reference.url == f"{bench.server.url}/company/personal/user/0/tasks/task/view/{number}/"
        assert task["TITLE"] == "Перезвонить клиенту +79161234501"
        assert task["DESCRIPTION"] == "Очередь «Продажи», звонил в 10:44"
        assert task["DEADLINE"] == "2026-11-23T07:55:00+00:00"
        assert task["RESPONSIBLE_ID"] == 15
        assert task["UF_CRM_TASK"] == [f"L_{next(iter(bench.portal.clients['LEAD']))}"]
        assert task["PRIORITY"] == "1"


@pytest.mark.usefixtures("language_restored")
async def test_who_was_missed_again_is_urgent_in_either_language() -> None:
    async with Bitrix24Bench() as bench:
        speak("en")
        await bench.crm().open_task(opened(missed=3))
        (task,) = bench.portal.tasks.values()
        assert (task["TITLE"], task["PRIORITY"]) == ("Call +79161234501 back: 3 missed calls", "2")


async def test_a_lost_task_is_found_among_many() -> None:
    async with Bitrix24Bench() as bench:
        bench.server.faults.extend([None, None, Fault.DONE_CLOSED])
        with pytest.raises(Later):
            await bench.crm().open_task(opened())
        mine = max(bench.portal.tasks)
        task = {"TITLE": "Другая", "STATUS": 2, "CREATED_DATE": NOW}
        bench.portal.tasks |= dict.fromkeys(range(1, 90), task)
        reference = await bench.crm().open_task(opened())
        assert reference is not None
        assert reference.id == str(mine)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.REACHED, "С клиентом поговорили: Анна"),
        (State.CLIENT_RETURNED, "Клиент дозвонился сам, ему ответили: Анна"),
        (State.DISMISSED, "Перезванивать не нужно"),
    ],
)
async def test_a_closed_task_says_who_reached_the_client(state: State, text: str) -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm()
        task = await crm.open_task(opened())
        for _ in range(2):
            await crm.close_task(closed(state), task)
        assert bench.tasks() == [("15", True)]
        assert bench.portal.comments == [(next(iter(bench.portal.tasks)), text)]


async def test_a_task_completed_by_hand_gets_the_comment_only() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm()
        task = await crm.open_task(opened())
        next(iter(bench.portal.tasks.values()))["STATUS"] = 5
        await crm.close_task(closed(), task)
        assert "tasks.task.complete" not in methods(bench)
        assert len(bench.portal.comments) == 1


async def test_a_task_deleted_by_hand_is_left_alone() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm()
        task = await crm.open_task(opened())
        bench.portal.tasks.clear()
        with capture_logs() as logs:
            await crm.close_task(closed(), task)
        assert [line["event"] for line in logs] == ["crm_task_is_gone"]


async def test_sixty_calls_at_once_stay_below_the_limit() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm()
        await asyncio.gather(*(crm.report(call(f"1.{each}", number=f"+7916123{each:04}")) for each in range(60)))
        assert len(bench.calls()) == 60
        assert bench.clock.monotonic() == pytest.approx((len(bench.server.seen) - 20) / 2, abs=1)


async def test_an_application_renews_its_tokens_once_for_all_who_wait() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm(**bench.application())
        await asyncio.gather(*(crm.report(call(f"1.{each}", number=f"+7916123{each:04}")) for each in range(5)))
        assert bench.portal.renewals == 1
        bench.portal.expire()
        await asyncio.gather(*(crm.report(call(f"2.{each}", number=f"+7916123{each:04}")) for each in range(5)))
        assert bench.portal.renewals == 2
        assert len(bench.calls()) == 10


async def test_a_new_process_goes_on_with_the_pair_that_was_kept() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm(**bench.application()).report(call("1.1"))
        bench.portal.expire()
        await bench.crm(**bench.application()).report(call("1.2"))
        await bench.crm(**bench.application()).report(call("1.3"))
        assert bench.portal.renewals == 2


async def test_a_pair_that_could_not_be_kept_is_kept_before_it_is_used() -> None:
    async with Bitrix24Bench() as bench:
        crm = bench.crm(**bench.application())
        bench.memory.dies_at = 1
        with pytest.raises(Killed):
            await crm.report(call())
        assert bench.portal.renewals == 1
        await crm.report(call())
        assert bench.portal.renewals == 1
        assert "refresh-token-number-1" in bench.memory.kept["tokens"]


async def test_another_refresh_token_in_the_settings_is_a_new_beginning() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm(**bench.application()).report(call("1.1"))
        bench.portal.expire()
        bench.portal.refresh = "authorised-anew-by-hand"
        with pytest.raises(Refused, match="authorise the application anew"):
            await bench.crm(**bench.application()).report(call("1.2"))
        anew = {**bench.application(), "refresh_token": "authorised-anew-by-hand"}
        await bench.crm(**anew).report(call("1.2"))
        assert len(bench.calls()) == 2


async def test_no_token_is_ever_in_an_address() -> None:
    async with Bitrix24Bench() as bench:
        await bench.crm(**bench.application()).report(call())
        assert all(
            "token" not in f"{request.path.removeprefix('/oauth/token/')}{request.query}"
            for request in bench.server.seen
        )


async def test_a_webhook_that_may_not_use_the_telephony_says_what_to_do() -> None:
    async with Bitrix24Bench(webhook_calls=False) as bench:
        with pytest.raises(Refused, match="give client_id, client_secret and refresh_token"):
            await bench.crm().report(call())


@pytest.mark.parametrize(
    ("status", "code", "after_s"),
    [
        (503, "QUERY_LIMIT_EXCEEDED", 2),
        (429, "OPERATION_TIME_LIMIT", 60),
        (503, "OVERLOAD_LIMIT", 3600),
        (500, "PORTAL_DELETED", 30),
        (402, "PAYMENT_REQUIRED", 3600),
        (200, "QUERY_LIMIT_EXCEEDED", 2),
    ],
)
async def test_what_passes_is_waited_for_as_long_as_it_takes(status: int, code: str, after_s: float) -> None:
    async with Bitrix24Bench() as bench:
        bench.server.handle = lambda _request: Reply(status=status, body={"error": code, "error_description": "…"})
        with pytest.raises(Later, match=code) as late:
            await bench.crm().contact(NUMBER)
        assert late.value.after_s == after_s


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "needs webhook, or portal with"),
        ({"portal": "https://a.bitrix24.ru", "client_id": "x"}, "needs webhook, or portal with"),
        ({"webhook": "https://a.bitrix24.ru/rest/1/c0de/", "client_id": "x"}, "needs webhook, or portal with"),
        ({"webhook": "a.bitrix24.ru/rest/1/c0de"}, "webhook must be https://PORTAL/rest/USER/CODE/"),
        ({"webhook": "https://a.bitrix24.ru/1/c0de"}, "webhook must be"),
        ({"webhook": "https://a.bitrix24.ru/rest/1/c0de/", "users": {"101": "anna"}}, "the number of a user"),
        (
            {"webhook": "https://a.bitrix24.ru/rest/1/c0de/", "webhook_file": "/x"},
            "give one of webhook and webhook_file",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_the_webhook(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as wrong:
        Bitrix24.Settings(default_user="1", **settings)
    assert "c0de" not in str(wrong.value)


async def test_a_long_call_told_late_is_registered_and_finished_all_the_same() -> None:
    async with Bitrix24Bench() as bench:
        bench.server.faults.extend([None, None, Fault.DONE_CLOSED])
        told = answered(began_at=NOW - timedelta(hours=2), talk_s=7100)
        await bench.until_told(lambda crm: crm.report(told))
        assert bench.calls() == [Told("16", 7100, "200")]
