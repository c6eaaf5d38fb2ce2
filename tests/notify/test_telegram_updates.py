"""What people press and write, by long polling: nothing lost, nothing twice, troubles said once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later
from pbxmonitor.notify.telegram_api import BotApi, BotSettings
from pbxmonitor.notify.telegram_updates import Listener, Pressed, Said, Update, read
from tests.notify.fake_telegram import ANNA, TOKEN, FakeTelegram, press, refusal, telegram, words
from tests.notify.loopback import NOW
from tests.notify.loopback import Said as Answer

Handle = Callable[[Update], Awaitable[None]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with telegram() as serving:
        yield serving


class Heard(list[Update]):
    """Keeps what it is told."""

    def __init__(self, fake: FakeTelegram) -> None:
        super().__init__()
        self._fake = fake

    async def __call__(self, update: Update) -> None:
        self.append(update)
        self._fake.moved.set()

    @property
    def numbers(self) -> list[int]:
        return [update.update for update in self]


@asynccontextmanager
async def listening(fake: FakeTelegram, handle: Handle) -> AsyncIterator[tuple[asyncio.Task[None], ManualClock]]:
    """A listener in a task of its own, stopped as SIGTERM would."""
    clock = ManualClock(NOW)
    api = BotApi(BotSettings(token=TOKEN, url=fake.url, timeout=5), clock)  # type: ignore[arg-type]
    task = asyncio.create_task(Listener(api, clock, handle).run())
    try:
        yield task, clock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.aclose()


async def test_a_press_and_a_word_come_out_as_values_in_order(fake: FakeTelegram) -> None:
    fake.updates = [press(11, "snooze:17:10"), words(12, "/start 4821")]
    heard = Heard(fake)
    async with listening(fake, heard):
        await fake.until(lambda: len(heard) == 2)
    assert heard == [
        Pressed(update=11, chat=ANNA, user=ANNA, message=101, action="snooze", value="17:10", query="q11"),
        Said(update=12, chat=ANNA, user=ANNA, text="/start 4821"),
    ]


async def test_telegram_is_told_only_after_the_handler_returned(fake: FakeTelegram) -> None:
    fake.updates = [press(11)]
    begun, done = asyncio.Event(), asyncio.Event()

    async def handle(update: Update) -> None:
        begun.set()
        await done.wait()

    async with listening(fake, handle):
        await begun.wait()
        assert fake.confirmed == 0
        done.set()
        await fake.until(lambda: fake.confirmed == 12)


async def test_what_was_not_done_when_the_process_stopped_comes_again(fake: FakeTelegram) -> None:
    fake.updates = [press(11), press(12)]
    heard = Heard(fake)

    async def slow(update: Update) -> None:
        await heard(update)
        if update.update == 12:
            await asyncio.Event().wait()

    async with listening(fake, slow):
        await fake.until(lambda: len(heard) == 2)
    assert fake.confirmed == 12
    again = Heard(fake)
    async with listening(fake, again):
        await fake.until(lambda: len(again) == 1)
    assert again.numbers == [12]


async def test_what_was_done_when_the_process_stopped_does_not_come_again(fake: FakeTelegram) -> None:
    fake.updates = [press(11)]
    heard, again = Heard(fake), Heard(fake)
    stopped = asyncio.Event()

    async def last(update: Update) -> None:
        await heard(update)
        stopped.set()

    async with listening(fake, last):
        await stopped.wait()
    async with listening(fake, again):
        polls = fake.polls
        await fake.until(lambda: fake.polls > polls + 3)
    assert (heard.numbers, again) == ([11], [])


async def test_a_crash_before_telegram_was_told_repeats_one_update_with_its_number(fake: FakeTelegram) -> None:
    fake.updates = [press(11)]
    heard = Heard(fake)

    async def handle(update: Update) -> None:
        await heard(update)
        if len(heard) == 1:
            fake.say("getUpdates", Answer(500, b""), Answer(500, b""))
            raise asyncio.CancelledError

    for _ in range(2):
        async with listening(fake, handle) as (task, _):
            await asyncio.wait([task], timeout=0.3)
    assert heard.numbers == [11, 11]


async def test_an_update_that_breaks_the_handler_three_times_is_put_aside(fake: FakeTelegram) -> None:
    fake.updates = [press(11), press(12)]
    heard = Heard(fake)

    async def handle(update: Update) -> None:
        await heard(update)
        if update.update == 11:
            raise RuntimeError("no such callback")

    clock = ManualClock(NOW)
    api = BotApi(BotSettings(token=TOKEN, url=fake.url), clock)  # type: ignore[arg-type]
    listener = Listener(api, clock, handle)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await listener.run()
    with capture_logs() as lines:
        task = asyncio.create_task(listener.run())
        await fake.until(lambda: 12 in heard.numbers)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await api.aclose()
    assert heard.numbers == [11, 11, 11, 12]
    assert [(line["event"], line["update"]) for line in lines if line["log_level"] == "error"] == [
        ("telegram_update_put_aside", 11)
    ]


async def test_an_update_waits_while_the_handler_says_later(fake: FakeTelegram) -> None:
    fake.updates = [press(11)]
    heard = Heard(fake)

    async def handle(update: Update) -> None:
        await heard(update)
        if len(heard) < 6:
            raise Later("the database is away")

    with capture_logs() as lines:
        async with listening(fake, handle) as (_, clock):
            await fake.until(lambda: fake.confirmed == 12)
    assert heard.numbers == [11] * 6
    assert len(clock.slept) == 5
    assert [line["event"] for line in lines] == ["telegram_update_waits", "telegram_back"]


async def test_a_network_that_is_away_is_said_once_and_asked_ever_less(fake: FakeTelegram) -> None:
    fake.say("getUpdates", *[Answer(502, b"<html>Bad Gateway</html>")] * 9)
    heard = Heard(fake)
    with capture_logs() as lines:
        async with listening(fake, heard) as (_, clock):
            await fake.until(lambda: fake.polls >= 1)
            fake.updates = [press(11)]
            await fake.until(lambda: len(heard) == 1)
    assert [line["event"] for line in lines] == ["telegram_away", "telegram_back"]
    for number, slept in enumerate(clock.slept):
        assert min(2**number, 60) / 2 <= slept <= min(2**number, 60)


async def test_telegrams_own_wait_is_kept(fake: FakeTelegram) -> None:
    fake.say("getUpdates", refusal(429, "Too Many Requests: retry after 33", retry_after=33))
    async with listening(fake, Heard(fake)) as (_, clock):
        await fake.until(lambda: fake.polls >= 1)
    assert clock.slept == [33]


@pytest.mark.parametrize(
    "said",
    [
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    ],
)
async def test_two_readers_of_one_bot_are_said_once_with_what_to_do(fake: FakeTelegram, said: str) -> None:
    fake.say("getUpdates", *[refusal(409, said)] * 5)
    with capture_logs() as lines:
        async with listening(fake, Heard(fake)):
            await fake.until(lambda: fake.polls >= 2)
    (conflict, back) = lines
    assert (conflict["event"], conflict["log_level"], back["event"]) == ("telegram_conflict", "error", "telegram_back")
    assert said in conflict["reason"]
    assert "give each daemon a bot of its own" in conflict["hint"]


async def test_a_token_that_is_refused_does_not_end_the_listening(fake: FakeTelegram) -> None:
    fake.say("getUpdates", *[refusal(401, "Unauthorized")] * 3)
    fake.updates = [press(11)]
    heard = Heard(fake)
    with capture_logs() as lines:
        async with listening(fake, heard):
            await fake.until(lambda: len(heard) == 1)
    assert [line["event"] for line in lines] == ["telegram_away", "telegram_back"]
    assert "check the bot's token in the settings" in lines[0]["reason"]
    assert TOKEN not in str(lines)


async def test_a_press_in_a_group_is_answered_and_handed_to_nobody(fake: FakeTelegram) -> None:
    fake.updates = [press(11, kind="supergroup"), words(12, "/start 4821", kind="group"), press(13)]
    heard = Heard(fake)
    async with listening(fake, heard):
        await fake.until(lambda: len(heard) == 1)
    assert heard.numbers == [13]
    (told,) = fake.calls("answerCallbackQuery")
    assert told == {"callback_query_id": "q11", "text": "Кнопки работают только в личном чате с ботом."}


async def test_after_a_quiet_time_numbers_may_begin_anew_lower(fake: FakeTelegram) -> None:
    fake.updates = [press(900)]
    heard = Heard(fake)
    async with listening(fake, heard):
        await fake.until(lambda: fake.confirmed == 901)
        polls = fake.polls
        await fake.until(lambda: fake.polls > polls + 2)
        fake.updates = [press(5)]
        await fake.until(lambda: len(heard) == 2)
    assert heard.numbers == [900, 5]


async def test_an_update_that_comes_twice_in_one_answer_is_handed_over_once(fake: FakeTelegram) -> None:
    fake.updates = [press(11), press(11), press(12)]
    heard = Heard(fake)
    async with listening(fake, heard):
        await fake.until(lambda: 12 in heard.numbers)
    assert heard.numbers == [11, 12]


@pytest.mark.parametrize("result", [{}, [1], [{"message": {}}], None, "no"])
async def test_an_answer_of_another_shape_is_a_trouble_and_no_end(fake: FakeTelegram, result: Any) -> None:
    fake.say("getUpdates", Answer.json({"ok": True, "result": result}))
    fake.updates = [press(11)]
    heard = Heard(fake)
    async with listening(fake, heard) as (_, clock):
        await fake.until(lambda: len(heard) == 1)
    assert len(clock.slept) == 1


@pytest.mark.parametrize(
    "raw",
    [
        {"update_id": 1},
        {
            "update_id": 1,
            "message": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1, "is_bot": True}, "text": "a"},
        },
        {
            "update_id": 1,
            "message": {"chat": {"id": 1, "type": "private"}, "from": {"id": 1, "is_bot": False}, "photo": []},
        },
        {"update_id": 1, "callback_query": {"id": "q", "from": {"id": 1}, "inline_message_id": "x", "data": "take:1"}},
        {"update_id": 1, "callback_query": {"id": "q", "from": {"id": 1}, "game_short_name": "chess"}},
        {"update_id": 1, "edited_message": {"text": "a"}},
    ],
)
def test_what_is_none_of_ours_is_nothing(raw: dict[str, Any]) -> None:
    assert read(raw) is None
