"""amoCRM: what its documentation asks for, and the traps that it is known for."""

import asyncio
import hashlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbxmonitor.clock import SystemClock
from pbxmonitor.crm import Later, Outcome, Refused
from pbxmonitor.crm.amocrm import AmoCrm
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.texts import speak
from tests.crm import fake_amocrm
from tests.crm.bench import NOW, NUMBER, AmoCrmBench, Told, answered, call, closed, opened
from tests.crm.server import Fault, Reply

MARK = hashlib.sha256(b"57").hexdigest()[:8]


def card(number: int, phone: str, **more: Any) -> dict[str, Any]:
    values = [{"value": phone, "enum_code": "WORK"}]
    fields = [{"field_code": "PHONE", "values": values}]
    return {"id": number, "name": "Иван", "custom_fields_values": fields, "made_at": NOW, **more}


async def test_a_call_is_shown_with_all_that_amocrm_takes() -> None:
    async with AmoCrmBench() as bench:
        bench.account.cards["contacts"][7] = card(7, "+7 (916) 123-45-01")
        reference = await bench.crm().report(answered(recording="https://pbx.example.org/r/1.mp3"))
        (note,) = bench.account.notes
        assert reference is not None
        assert reference.id == f"contacts/7/{note['id']}"
        assert reference.url == f"{bench.server.url}/contacts/detail/7"
        assert note["params"] == {
            "direction": "inbound",
            "uniq": "main:1795415470.7",
            "duration": 42,
            "source": "pbxmonitor",
            "phone": NUMBER,
            "link": "https://pbx.example.org/r/1.mp3",
            "call_status": 4,
            "call_result": "Разговор состоялся",
            "call_responsible": 16,
            "responsible_user_id": 16,
            "created_by": 16,
            "created_at": int(answered().began_at.timestamp()),
        }


@pytest.mark.parametrize("written", ["+7 (916) 123-45-01", "8 916 123 45 01", "79161234501", "9161234501"])
async def test_a_contact_is_found_however_his_number_is_written(written: str) -> None:
    async with AmoCrmBench() as bench:
        bench.account.cards["contacts"][7] = card(7, written)
        found = await bench.crm().contact(NUMBER)
        assert found is not None
        assert (found.kind, found.id, found.name) == ("contact", "7", "Иван")


async def test_who_has_the_digits_in_another_field_is_somebody_else() -> None:
    async with AmoCrmBench() as bench:
        bench.account.cards["contacts"][7] = card(7, "+74950000000", name="Счёт 79161234501")
        assert await bench.crm().contact(NUMBER) is None


async def test_a_company_with_the_number_gets_the_call_and_the_task() -> None:
    async with AmoCrmBench() as bench:
        bench.account.cards["companies"][9] = card(9, NUMBER)
        await bench.crm().report(call())
        await bench.crm().open_task(opened())
        assert bench.clients() == 1
        assert [note["cards"] for note in bench.account.notes] == ["companies"]
        assert [task["entity_type"] for task in bench.account.tasks.values()] == ["companies"]


async def test_a_stranger_who_called_becomes_a_contact_with_a_phone() -> None:
    async with AmoCrmBench() as bench:
        await bench.crm().report(call())
        (contact,) = bench.account.cards["contacts"].values()
        assert contact["name"] == "Клиент +79161234501"
        assert contact["responsible_user_id"] == 15
        assert contact["custom_fields_values"][0]["values"] == [{"value": NUMBER, "enum_code": "WORK"}]


async def test_a_stranger_becomes_a_lead_in_the_given_pipeline_and_the_call_is_in_it() -> None:
    async with AmoCrmBench() as bench:
        reference = await bench.crm(unknown="lead", pipeline=31, status=142).report(call())
        (lead,) = bench.account.cards["leads"].values()
        assert (lead["pipeline_id"], lead["status_id"], lead["name"]) == (31, 142, "Звонок с номера +79161234501")
        assert len(bench.account.cards["contacts"]) == 1
        assert reference is not None
        assert reference.url == f"{bench.server.url}/leads/detail/{lead['id']}"


async def test_a_contact_that_the_search_does_not_know_yet_is_not_made_twice() -> None:
    async with AmoCrmBench(lag=60, calls_lag=60) as bench:
        crm = bench.crm()
        await asyncio.gather(crm.report(call()), crm.open_task(opened()), crm.report(answered()))
        assert bench.clients() == 1
        assert bench.calls() == [Told("15", 0, "6"), Told("16", 42, "4")]
        assert {note["cards"] for note in bench.account.notes} == {"contacts"}


async def test_a_call_in_the_clients_own_card_says_what_a_call_says() -> None:
    async with AmoCrmBench(calls_lag=60) as bench:
        reference = await bench.crm().report(call())
        (note,) = bench.account.notes
        assert reference is not None
        assert reference.id == f"contacts/{note['entity_id']}/{note['id']}"
        assert (note["note_type"], note["params"]["call_status"], note["created_by"]) == ("call_in", 6, 15)


@pytest.mark.parametrize("fault", [Fault.DONE_CLOSED, Fault.DONE_HALF])
async def test_a_lost_note_is_found_in_the_card_in_which_amocrm_put_it(fault: Fault) -> None:
    async with AmoCrmBench() as bench:
        bench.account.cards["contacts"][7] = card(7, NUMBER)
        bench.account.cards["leads"][8] = {"id": 8, "name": "Сделка", "contact": 7, "made_at": NOW}
        bench.server.faults.extend([None, fault])
        with capture_logs() as logs:
            reference = await bench.until_told(lambda crm: crm.report(answered()))
        assert reference is not None
        assert reference.id.startswith("leads/8/")
        assert len(bench.account.notes) == 1
        assert logs == []


async def test_an_account_without_customers_is_looked_through_all_the_same() -> None:
    async with AmoCrmBench() as bench:
        bench.server.faults.extend([None, None, None, Fault.UNDONE_CLOSED])
        with capture_logs() as logs:
            await bench.until_told(lambda crm: crm.report(call()))
        assert [line["cards"] for line in logs] == ["customers"]
        assert len(bench.account.notes) == 1


async def test_a_call_to_a_stranger_has_nowhere_to_be_shown() -> None:
    async with AmoCrmBench() as bench:
        told = call(direction=Direction.OUTBOUND, outcome=Outcome.NO_ANSWER)
        assert await bench.crm().report(told) is None
        asked = len(bench.server.seen)
        assert await bench.crm().report(told) is None
        assert (len(bench.server.seen), bench.clients(), bench.account.notes) == (asked, 0, [])


async def test_a_task_has_a_deadline_a_responsible_and_the_client() -> None:
    async with AmoCrmBench() as bench:
        await bench.crm().open_task(opened(missed=2))
        (task,) = bench.account.tasks.values()
        title = "Перезвонить клиенту +79161234501: 2 пропущенных звонка"
        assert task["text"] == f"{title}. Очередь «Продажи», звонил в 10:44 #{MARK}"
        assert task["complete_till"] == int(opened().due_at.timestamp())
        assert (task["responsible_user_id"], task["task_type_id"], task["entity_type"]) == (15, 1, "contacts")
        assert task["entity_id"] in bench.account.cards["contacts"]


async def test_a_lost_task_is_not_taken_for_another_of_the_same_client() -> None:
    async with AmoCrmBench() as bench:
        await bench.crm().open_task(opened(id="157"))
        bench.server.faults.extend([None, Fault.DONE_CLOSED])
        reference = await bench.until_told(lambda crm: crm.open_task(opened()))
        assert len(bench.account.tasks) == 2
        assert reference is not None
        assert bench.account.tasks[int(reference.id)]["text"].endswith(f" #{MARK}")


@pytest.mark.usefixtures("language_restored")
async def test_a_closed_task_has_who_reached_the_client_as_its_result() -> None:
    async with AmoCrmBench() as bench:
        speak("en")
        crm = bench.crm()
        task = await crm.open_task(opened())
        for _ in range(2):
            await crm.close_task(closed(State.REACHED, rescuer=None), task)
        (kept,) = bench.account.tasks.values()
        assert kept["result"] == {"text": "Talked to the client: a colleague"}


async def test_a_task_that_is_gone_or_done_by_hand_is_left_alone() -> None:
    async with AmoCrmBench() as bench:
        crm = bench.crm()
        task = await crm.open_task(opened())
        next(iter(bench.account.tasks.values()))["is_completed"] = True
        await crm.close_task(closed(), task)
        bench.account.tasks.clear()
        with capture_logs() as logs:
            await crm.close_task(closed(), task)
        assert [line["event"] for line in logs] == ["crm_task_is_gone"]
        assert all(request.method != "PATCH" for request in bench.server.seen)


async def test_there_are_never_more_than_seven_requests_a_second() -> None:
    async with AmoCrmBench() as bench:
        bench.runs_on = bench.account.watch = SystemClock()
        crm = bench.crm()
        await asyncio.gather(*(crm.report(call(f"1.{each}", number=f"+7916123{each:04}")) for each in range(5)))
        assert len(bench.calls()) == 5
        assert len(bench.server.seen) == 20


async def test_an_integration_begins_with_its_code_and_goes_on_with_what_it_was_given() -> None:
    async with AmoCrmBench() as bench:
        integration = bench.integration(code=fake_amocrm.CODE)
        for each in range(3):
            bench.clock.advance(60)
            await bench.crm(**integration).report(call(f"1.{each}"))
            if each == 1:
                bench.account.expire()
        assert bench.account.renewals == 2
        assert "access-token-number-2" in bench.memory.kept["tokens"]


async def test_tokens_are_renewed_once_for_all_who_wait() -> None:
    async with AmoCrmBench() as bench:
        crm = bench.crm(**bench.integration())
        await crm.report(call("1.0"))
        bench.account.expire()
        bench.account.limit = 1000
        await asyncio.gather(*(crm.report(call(f"1.{each}", number=f"+7916123{each:04}")) for each in range(1, 6)))
        assert bench.account.renewals == 2
        assert len(bench.calls()) == 6


async def test_tokens_that_are_worth_nothing_ask_for_a_person() -> None:
    async with AmoCrmBench() as bench:
        with pytest.raises(Refused, match=r"Token has been revoked.*authorise the integration anew"):
            await bench.crm(**bench.integration(refresh_token="an-old-one")).report(call())
        with pytest.raises(Refused, match="the token is not valid: give another one"):
            await bench.crm(token="a-revoked-long-lived-one").report(call())


async def test_an_authorisation_server_that_is_down_is_waited_for() -> None:
    async with AmoCrmBench() as bench:
        bench.server.faults.append(Fault.UNDONE_500)
        with pytest.raises(Later):
            await bench.crm(**bench.integration()).report(call())
        await bench.crm(**bench.integration()).report(call())
        assert len(bench.calls()) == 1


async def test_being_shut_out_for_asking_too_often_passes() -> None:
    async with AmoCrmBench() as bench:
        bench.account.shut_out = True
        with pytest.raises(Later, match="shut out for asking too often") as late:
            await bench.crm().report(call())
        assert late.value.after_s == 900


@pytest.mark.parametrize(
    ("status", "error"), [(402, Later), (403, Refused), (400, Refused), (404, Refused), (301, Refused)]
)
async def test_a_problem_is_told_in_one_line(status: int, error: type[Exception]) -> None:
    wrong = [
        {"errors": [{"code": "NotSupportedChoice", "path": "responsible_user_id", "detail": "not a valid choice"}]}
    ]
    async with AmoCrmBench() as bench:
        body = {"title": "Bad Request", "status": status, "detail": "Failed", "validation-errors": wrong}
        bench.server.handle = lambda _request: Reply(status=status, body=body)
        with pytest.raises(error, match=f"Failed: responsible_user_id: not a valid choice .{status}"):
            await bench.crm().contact(NUMBER)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "https://a.amocrm.ru"}, "needs token"),
        ({"url": "https://a.amocrm.ru", "token": "t0ken", "client_id": "x"}, "needs token"),
        (
            {"url": "https://a.amocrm.ru", "client_id": "x", "client_secret": "s3cr3t", "redirect_uri": "y"},
            "needs token",
        ),
        ({"url": "a.amocrm.ru", "token": "t0ken"}, "url must be https://ACCOUNT.amocrm.ru"),
        ({"url": "https://a.amocrm.ru/leads", "token": "t0ken"}, "url must be https://ACCOUNT.amocrm.ru"),
        ({"url": "https://a.amocrm.ru", "token": "t0ken", "pipeline": 3}, 'set unknown = "lead"'),
    ],
)
def test_settings_that_cannot_work_are_refused_without_their_secrets(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as wrong:
        AmoCrm.Settings(default_user="1", **settings)
    assert "s3cr3t" not in str(wrong.value)
    assert "t0ken" not in str(wrong.value)
