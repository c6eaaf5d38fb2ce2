"""SMS through SMS.ru and SMSC.RU, to servers that check what the two document; and what fits into an SMS."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later, Message, Receipt, Refused
from pbxmonitor.notify.sms_ru import SmsRu
from pbxmonitor.notify.sms_text import cut, fits, wording
from pbxmonitor.notify.smsc import Smsc
from tests.notify.loopback import NOW, SUBJECT, TEXT, Asked, Said, message, serving

PHONE = "+79161234567"
DIGITS = "79161234567"
API_ID = "A1B2-secret-api-id"
ACCEPTED = {"status": "OK", "status_code": 100, "sms_id": "000000-10000000"}


def sms_ru(of_number: Mapping[str, Any] | None = None, **top: Any) -> Any:
    """SMS.ru: https://sms.ru/api/send."""

    def answer(asked: Asked) -> Said:
        assert (asked.method, asked.path) == ("POST", "/sms/send")
        form = asked.form()
        assert set(form) <= {"api_id", "to", "msg", "json", "from", "test"}
        assert (form["api_id"], form["to"], form["json"]) == (API_ID, DIGITS, "1")
        return Said.json({"status": "OK", "status_code": 100, "sms": {DIGITS: of_number or ACCEPTED}, **top})

    return answer


async def through_sms_ru(answer: Any, what: Message | None = None, **settings: Any) -> tuple[Receipt, dict[str, str]]:
    async with serving(answer) as web:
        channel = SmsRu(SmsRu.Settings(**{"token": API_ID, "url": web.url, **settings}), ManualClock(NOW))
        try:
            receipt = await channel.send(what or message(PHONE))
        finally:
            await channel.aclose()
        return receipt, web.asked[0].form()


async def test_sms_ru_is_given_the_whole_text_and_names_the_message() -> None:
    receipt, form = await through_sms_ru(sms_ru())
    assert (form["msg"], receipt.reference) == (TEXT, "000000-10000000")
    assert "from" not in form
    assert "test" not in form


async def test_sms_ru_knows_the_sender_and_can_be_tried_for_nothing() -> None:
    _, form = await through_sms_ru(sms_ru(), sender="Clinic", test=True)
    assert (form["from"], form["test"]) == ("Clinic", "1")


@pytest.mark.parametrize("code", [202, 203, 204, 205, 207, 208, 209, 230, 232, 777])
async def test_a_number_that_sms_ru_will_not_send_to_is_refused(code: int) -> None:
    with pytest.raises(Refused, match=rf"SMS\.ru: .*\({code}\)"):
        await through_sms_ru(sms_ru({"status": "ERROR", "status_code": code, "status_text": "нельзя"}))


@pytest.mark.parametrize(("code", "wait"), [(201, 600), (206, 3600), (220, 60), (231, 60), (500, 60)])
@pytest.mark.parametrize("of_the_number", [True, False])
async def test_what_passes_at_sms_ru_is_later(code: int, wait: float, of_the_number: bool) -> None:
    failed: dict[str, Any] = {"status": "ERROR", "status_code": code}
    with pytest.raises(Later, match=rf"\({code}\)") as later:
        await through_sms_ru(sms_ru(failed) if of_the_number else sms_ru(**failed))
    assert later.value.after_s == wait


@pytest.mark.parametrize("code", [200, 300, 301, 302])
async def test_an_account_that_sms_ru_does_not_know_is_refused(code: int) -> None:
    with pytest.raises(Refused, match=rf"\({code}\)"):
        await through_sms_ru(sms_ru(status="ERROR", status_code=code))


@pytest.mark.parametrize(
    "odd", [{"sms": {}}, {"sms": None}, {"sms": {DIGITS: "OK"}}, {"status_code": "100"}, {"status_code": True}]
)
async def test_an_answer_of_sms_ru_that_says_nothing_is_later(odd: dict[str, Any]) -> None:
    with pytest.raises(Later):
        await through_sms_ru(sms_ru(**odd))


def smsc(told: Mapping[str, Any]) -> Any:
    """SMSC.RU: https://smsc.ru/api/http/send/sms."""

    def answer(asked: Asked) -> Said:
        assert (asked.method, asked.path) == ("POST", "/sys/send.php")
        form = asked.form()
        assert (form["phones"], form["fmt"], form["charset"], form["id"]) == (DIGITS, "3", "utf-8", "pbx-d-17")
        assert set(form) - {"sender"} in (
            {"login", "psw", "phones", "mes", "fmt", "charset", "id"},
            {"apikey", "phones", "mes", "fmt", "charset", "id"},
        )
        return Said.json(dict(told))

    return answer


async def through_smsc(told: Mapping[str, Any], **settings: Any) -> tuple[Receipt, dict[str, str]]:
    async with serving(smsc(told)) as web:
        account = settings or {"login": "clinic", "password": "пароль & more"}
        channel = Smsc(Smsc.Settings(**{"url": web.url, **account}), ManualClock(NOW))
        try:
            receipt = await channel.send(message(PHONE))
        finally:
            await channel.aclose()
        return receipt, web.asked[0].form()


async def test_smsc_is_given_the_whole_text_and_an_id_made_of_ours() -> None:
    receipt, form = await through_smsc({"id": "pbx-d-17", "cnt": 2})
    assert (form["mes"], receipt.reference) == (TEXT, "pbx-d-17")
    assert (form["login"], form["psw"]) == ("clinic", "пароль & more")


async def test_smsc_takes_a_key_in_place_of_a_login() -> None:
    _, form = await through_smsc({"id": 1, "cnt": 1}, token="k-e-y", sender="Clinic")
    assert (form["apikey"], form["sender"]) == ("k-e-y", "Clinic")


@pytest.mark.parametrize("code", [1, 2, 5, 6, 7, 8, 77])
async def test_what_smsc_will_never_send_is_refused(code: int) -> None:
    with pytest.raises(Refused, match=rf"SMSC\.RU: .*\({code}\)"):
        await through_smsc({"error": "нельзя", "error_code": code})


@pytest.mark.parametrize(("code", "wait"), [(3, 600), (4, 300), (9, 60)])
async def test_what_passes_at_smsc_is_later(code: int, wait: float) -> None:
    with pytest.raises(Later, match=rf"\({code}\)") as later:
        await through_smsc({"error": "потом", "error_code": code, "id": "pbx-d-17"})
    assert later.value.after_s == wait


@pytest.mark.parametrize("odd", [{}, {"error": "?"}, {"error_code": "two"}, {"cnt": 1}])
async def test_an_answer_of_smsc_that_says_nothing_is_later(odd: dict[str, Any]) -> None:
    with pytest.raises(Later):
        await through_smsc(odd)


@pytest.mark.parametrize("to", ["", "89161234567", "79161234567", "+7916", "+7 916 123-45-67", "+0161234567", "anna"])
async def test_what_is_no_phone_is_refused_by_both(to: str) -> None:
    ours = (
        SmsRu(SmsRu.Settings(token=API_ID), ManualClock(NOW)),  # type: ignore[arg-type]
        Smsc(Smsc.Settings(token="k-e-y"), ManualClock(NOW)),  # type: ignore[arg-type]
    )
    for channel in ours:
        with pytest.raises(Refused, match="the address is not a phone number"):
            await channel.send(message(to))
        await channel.aclose()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "needs token, or login and password"),
        ({"login": "x"}, "needs token, or login and password"),
        ({"token": "x", "login": "x", "password": "x"}, "needs token, or login and password"),
        ({"token": "два слова"}, "must be plain letters and digits"),
        ({"token": "x", "parts": 0}, "greater than or equal to 1"),
    ],
)
def test_an_account_is_a_key_or_a_login(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Smsc.Settings(**wrong)


@pytest.mark.parametrize(
    ("text", "parts", "whether"),
    [
        ("я" * 70, 1, True),
        ("я" * 71, 1, False),
        ("я" * 134, 2, True),
        ("я" * 135, 2, False),
        ("x" * 160, 1, True),
        ("x" * 161, 1, False),
        ("x" * 306, 2, True),
        ("€" * 80, 1, True),
        ("€" * 81, 1, False),
        ("🔴" * 35, 1, True),
        ("🔴" * 36, 1, False),
        ("x" * 159 + "я", 2, False),
    ],
)
def test_what_fits(text: str, parts: int, whether: bool) -> None:
    assert fits(text, parts) is whether


def test_a_text_that_does_not_fit_gives_way_to_the_subject() -> None:
    assert wording(message(PHONE), 2) == TEXT
    assert wording(message(PHONE), 1) == SUBJECT


def test_a_subject_that_does_not_fit_is_cut_between_words() -> None:
    long = message(PHONE, subject="Перезвоните клиенту, который звонил нам сегодня утром (и вчера вечером) дважды")
    assert wording(long, 1) == "Перезвоните клиенту, который звонил нам сегодня утром (и вчера…"
    assert cut("call the customer back " * 10, 1).endswith("customer...")


def test_lines_of_a_text_stay_and_empty_ones_go() -> None:
    assert wording(message(PHONE, text=" Один \n\n\n  два   три \n"), 1) == "Один\nдва три"


@given(st.text(max_size=400), st.integers(1, 4))
def test_what_was_cut_fits(text: str, parts: int) -> None:
    assert fits(cut(text, parts), parts)
