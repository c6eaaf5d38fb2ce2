"""Messages through a bot, to a server that checks the documented contract."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Button, Image, Later, Refused
from pbxmonitor.notify.telegram import Telegram
from tests.notify.fake_telegram import ANNA, TOKEN, FakeTelegram, refusal, shown, telegram
from tests.notify.loopback import NOW, PNG, TEXT, Said, buttons, message
from tests.notify.socks import socks_proxy


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with telegram() as serving:
        yield serving


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Telegram]:
    made = channel(url=fake.url)
    yield made
    await made.aclose()


def channel(**settings: Any) -> Telegram:
    return Telegram(Telegram.Settings(**{"token": TOKEN, "timeout": 5, **settings}), ManualClock(NOW))


def picture(number: int) -> Image:
    return Image(name=f"chart{number}.png", png=PNG + bytes([number]), alt=f"График {number}")


async def test_a_missed_call_arrives_with_its_buttons(fake: FakeTelegram, bot: Telegram) -> None:
    receipt = await bot.send(message(str(ANNA), buttons=buttons()))
    (sent,) = fake.calls("sendMessage")
    assert (sent["chat_id"], sent["text"], receipt.reference) == (ANNA, TEXT, "101")
    assert "parse_mode" not in sent
    assert sent["reply_markup"]["inline_keyboard"] == [
        [{"text": "Беру", "callback_data": "take:17"}, {"text": "Позвонить сейчас", "callback_data": "call:17"}],
        [{"text": "Журнал", "url": "https://pbx.example/callbacks/17"}],
    ]


async def test_html_keeps_what_telegram_knows(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message(str(ANNA), html="<p>Вы пропустили <strong>+7 812</strong> &amp; <td>ещё</td></p><p>два</p>"))
    (sent,) = fake.calls("sendMessage")
    assert sent["text"] == "Вы пропустили <b>+7 812</b> &amp; ещё\n\nдва"


async def test_a_topic_of_a_group_is_named_after_a_slash(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message("-1001234567890/17", silent=True))
    (sent,) = fake.calls("sendMessage")
    assert (sent["chat_id"], sent["message_thread_id"], sent["disable_notification"]) == (-1001234567890, 17, True)


async def test_a_channel_has_a_name(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message("@clinic_alerts"))
    assert fake.calls("sendMessage")[0]["chat_id"] == "@clinic_alerts"


@pytest.mark.parametrize("to", ["", "anna@example.com", "+79161234567", "12/", "12/x", "@a b", "1; DROP"])
async def test_what_is_no_chat_is_refused_without_asking(fake: FakeTelegram, bot: Telegram, to: str) -> None:
    with pytest.raises(Refused, match="the chat must be a number"):
        await bot.send(message(to))
    assert fake.got == []


async def test_a_long_text_goes_out_in_pieces_with_the_buttons_under_the_last(
    fake: FakeTelegram, bot: Telegram
) -> None:
    lines = [f"{number}. Анна Иванова: пропущено {number} из 100" for number in range(200)]
    receipt = await bot.send(message(str(ANNA), text="\n".join(lines), buttons=buttons()))
    sent = fake.calls("sendMessage")
    assert len(sent) == 2
    assert "\n".join(each["text"] for each in sent) == "\n".join(lines)
    assert ["reply_markup" in each for each in sent] == [False, True]
    assert receipt.reference == "102"


async def test_one_chart_is_a_photo_and_two_are_an_album(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message(str(ANNA), images=(picture(1),)))
    await bot.send(message(str(ANNA), id="d-18", images=(picture(2), picture(3))))
    assert fake.calls("sendPhoto")[0]["caption"] == "График 1"
    assert [item["caption"] for item in fake.calls("sendMediaGroup")[0]["media"]] == ["График 2", "График 3"]
    assert fake.photos == [picture(number).png for number in (1, 2, 3)]


async def test_eleven_charts_are_an_album_and_a_photo(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message(str(ANNA), images=tuple(map(picture, range(11)))))
    assert [name for name, _ in fake.got] == ["sendMessage", "sendMediaGroup", "sendPhoto"]


async def test_what_went_out_does_not_go_out_again_when_the_rest_is_tried_later(
    fake: FakeTelegram, bot: Telegram
) -> None:
    fake.say("sendPhoto", Said(502, b"<html>Bad Gateway</html>"), refusal(429, "Too Many Requests", retry_after=3))
    digest = message(str(ANNA), images=(picture(1),))
    with pytest.raises(Later, match="Telegram answered 502 with something that is not JSON"):
        await bot.send(digest)
    with pytest.raises(Later) as later:
        await bot.send(digest)
    assert later.value.after_s == 3
    receipt = await bot.send(digest)
    assert [name for name, _ in fake.got] == ["sendMessage", "sendPhoto", "sendPhoto", "sendPhoto"]
    assert receipt.reference == "101"


async def test_another_message_is_not_taken_for_the_one_that_was_begun(fake: FakeTelegram, bot: Telegram) -> None:
    fake.say("sendPhoto", Said(500, b""))
    with pytest.raises(Later):
        await bot.send(message(str(ANNA), images=(picture(1),)))
    await bot.send(message(str(ANNA), id="d-18"))
    assert len(fake.calls("sendMessage")) == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (refusal(403, "Forbidden: bot was blocked by the user"), "bot was blocked by the user"),
        (refusal(403, "Forbidden: bot can't initiate conversation with a user"), "can't initiate"),
        (refusal(400, "Bad Request: chat not found"), "chat not found"),
        (refusal(401, "Unauthorized"), "check the bot's token in the settings"),
        (refusal(404, "Not Found"), "check the bot's token in the settings"),
    ],
)
async def test_what_telegram_will_never_do_is_refused(
    fake: FakeTelegram, bot: Telegram, said: Said, reason: str
) -> None:
    fake.say("sendMessage", said)
    with pytest.raises(Refused, match=reason):
        await bot.send(message(str(ANNA)))


async def test_a_group_that_became_a_supergroup_is_written_to_there(fake: FakeTelegram, bot: Telegram) -> None:
    moved = refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009876543210)
    fake.say("sendMessage", moved)
    receipt = await bot.send(message("-700100"))
    assert [each["chat_id"] for each in fake.calls("sendMessage")] == [-700100, -1009876543210]
    assert receipt.reference == "101"


async def test_a_button_that_telegram_cannot_carry_is_refused(fake: FakeTelegram, bot: Telegram) -> None:
    long = Button(text="Беру", action="take", value="я" * 30)
    with pytest.raises(Refused, match="the button 'take' cannot be one of Telegram's"):
        await bot.send(message(str(ANNA), buttons=(long,)))
    assert fake.got == []


async def test_a_message_without_a_text_is_its_subject(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.send(message(str(ANNA), text=" \n", html="<p> </p>"))
    assert fake.calls("sendMessage")[0]["text"].startswith("Перезвоните")
    with pytest.raises(Refused, match="takes no message without a text"):
        await bot.send(message(str(ANNA), text="", subject=""))


async def test_a_message_that_was_taken_is_rewritten_without_its_buttons(fake: FakeTelegram, bot: Telegram) -> None:
    receipt = await bot.send(message(str(ANNA), buttons=buttons()))
    assert receipt.reference
    await bot.edit(str(ANNA), receipt.reference, message(str(ANNA), text="Взяла Анна", html="Взяла <b>Анна</b>"))
    (edited,) = fake.calls("editMessageText")
    assert (edited["message_id"], shown(edited)) == (101, "Взяла Анна")
    assert edited["reply_markup"] == {"inline_keyboard": []}


async def test_buttons_can_be_taken_away(fake: FakeTelegram, bot: Telegram) -> None:
    await bot.drop_buttons(str(ANNA), "101")
    (edited,) = fake.calls("editMessageReplyMarkup")
    assert edited == {"chat_id": ANNA, "message_id": 101, "reply_markup": {"inline_keyboard": []}}


async def test_an_edit_that_changes_nothing_is_no_failure_and_one_of_a_lost_message_is(
    fake: FakeTelegram, bot: Telegram
) -> None:
    same = "Bad Request: message is not modified: specified new message content is exactly the same"
    fake.say("editMessageReplyMarkup", refusal(400, same), refusal(400, "Bad Request: message to edit not found"))
    await bot.drop_buttons(str(ANNA), "101")
    with pytest.raises(Refused, match="message to edit not found"):
        await bot.drop_buttons(str(ANNA), "101")
    with pytest.raises(Refused, match="the reference is not that of a message"):
        await bot.drop_buttons(str(ANNA), "d-17")


async def test_who_pressed_is_told_and_too_late_is_no_harm(fake: FakeTelegram, bot: Telegram) -> None:
    assert await bot.answer("q1", "Записано: вы перезвоните" + "." * 300, alert=True)
    (told,) = fake.calls("answerCallbackQuery")
    assert (len(told["text"]), told["show_alert"]) == (200, True)
    fake.say("answerCallbackQuery", refusal(400, "Bad Request: query is too old and response timeout expired"))
    assert not await bot.answer("q1")


async def test_the_bot_knows_its_name(fake: FakeTelegram, bot: Telegram) -> None:
    assert await bot.name() == "clinic_pbx_bot"
    fake.say("getMe", Said.json({"ok": True, "result": []}))
    with pytest.raises(Later):
        await bot.name()


async def test_an_answer_that_names_no_message_is_later(fake: FakeTelegram, bot: Telegram) -> None:
    fake.say("sendMessage", Said.json({"ok": True, "result": True}), Said.json({"ok": False}))
    for _ in range(2):
        with pytest.raises(Later):
            await bot.send(message(str(ANNA)))


async def test_telegram_is_reached_through_a_socks_proxy_with_a_login(fake: FakeTelegram) -> None:
    async with socks_proxy("anna", "proxy-word-77") as proxy:
        bot = channel(url=fake.url, proxy=f"socks5://anna:proxy-word-77@127.0.0.1:{proxy.port}")
        await bot.send(message(str(ANNA)))
        await bot.aclose()
        assert proxy.carried == 1
    bot = channel(url=fake.url, proxy=f"socks5://anna:proxy-word-77@127.0.0.1:{proxy.port}")
    with pytest.raises(Later) as later:
        await bot.send(message(str(ANNA)))
    await bot.aclose()
    assert "proxy-word-77" not in repr(later.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"token": "AAF-secret_token"}, "must be a token such as @BotFather gives"),
        ({"url": "api.telegram.org"}, "must be an address such as https://HOST"),
        ({"url": "https://user:pass@host"}, "must have no user name or password in it"),
        ({"proxy": "ftp://host"}, "must be http://HOST:PORT or socks5://HOST:PORT"),
        ({"proxy": "socks5://host:port"}, "must be http://HOST:PORT or socks5://HOST:PORT"),
        ({"timeout": 0}, "must be longer than nothing"),
        ({"tokn": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_shown(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Telegram.Settings(**{"token": TOKEN, **wrong})
    assert "secret_token" not in str(refused.value)
    assert "pass@" not in str(refused.value)


def test_a_slash_after_the_servers_address_is_no_harm() -> None:
    assert Telegram.Settings(token=TOKEN, url="http://127.0.0.1:8081/").url == "http://127.0.0.1:8081"  # type: ignore[arg-type]


async def test_many_messages_that_were_begun_are_not_remembered_for_ever(fake: FakeTelegram, bot: Telegram) -> None:
    fake.say("sendMessage", *[Said(500, b"")] * 205)
    for number in range(205):
        with pytest.raises(Later):
            await bot.send(replace(message(str(ANNA)), id=f"d-{number}"))
    assert len(bot._begun) <= 200
