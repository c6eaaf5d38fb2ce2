"""Missed clients on a real Asterisk: the rows, the colours, and what real servers outside were told of them."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.crm import Outcome
from tests.crm.bench import AmoCrmBench, Bitrix24Bench
from tests.e2e.conftest import go_without
from tests.notify.fake_telegram import ANNA, shown
from tests.rig.build import build
from tests.rig.clients import Day, live, pretty
from tests.rig.fates import FATES, IGOR, CrmCall
from tests.rig.plan import VERSIONS, NotHere, Plan
from tests.rig.town import Received
from tests.rig.truth import Row

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(1500)]
BY_VERSION = pytest.mark.parametrize("version", VERSIONS)
Days = Callable[[str], Day]

PHRASES = {
    "missed": ("Вы пропустили входящий от ", "You missed a call from "),
    "repeated": (" звонил снова в ",),
    "overdue": (" не перезвонили до ", "Nobody called "),
    "escalated": (" всё ещё без ответа: ", "Просрочено на "),
    "reached": ("Спасибо! С клиентом ", "Thank you! The customer "),
}
EACH_CLIENT = pytest.mark.parametrize("story", FATES)


@pytest.fixture(scope="module")
def days(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Give the day of a version; those that are wanted are lived at the same time."""
    mine = (item for item in request.session.items if item.path == request.path)
    wanted = sorted({getattr(item, "callspec").params["version"] for item in mine})  # noqa: B009 - not of every item
    with ThreadPoolExecutor(len(VERSIONS)) as stages:
        built = {version: stages.submit(build, version, "test") for version in wanted}
        wait(built.values())  # beside a build nobody on the stage would keep time
        lived = {
            version: stages.submit(_live, built[version], tmp_path_factory.mktemp(f"clients-{version}-"))
            for version in wanted
        }

    def day(version: str) -> Day:
        try:
            return lived[version].result()
        except NotHere as reason:
            go_without(str(reason), ci=os.environ.get("CI") == "true")

    return day


def _live(built: Future[Plan], folder: Path) -> Day:
    return asyncio.run(live(built.result().version, folder))


def _number(day: Day, story: str) -> str:
    number = day.of(story).number
    assert number is not None
    return number


def _debt(day: Day, story: str) -> Row:
    (debt,) = [row for row in day.callbacks if row["number"] == _number(day, story)]
    return debt


def _calls(day: Day, story: str, direction: str) -> list[Row]:
    number = _number(day, story)
    rows = [row for row in day.journal if row["direction"] == direction]
    return [row for row in rows if row["caller" if direction == "inbound" else "called"] == number]


def _template(message: Received) -> str:
    (found,) = [name for name, phrases in PHRASES.items() if any(phrase in message.text for phrase in phrases)]
    return found


def _at_once(row: Row, excused: Iterable[str]) -> bool:
    return row["attempts"] == 1 or any(reason in (row["error"] or "") for reason in excused)


@BY_VERSION
@EACH_CLIENT
def test_the_callback_tells_what_became_of_the_client(version: str, story: str, days: Days) -> None:
    day, fate = days(version), FATES[story]
    debt, inbound = _debt(day, story), _calls(day, story, "inbound")
    missed = [row["call"] for row in inbound if row["lost"]]
    assert (debt["state"], debt["owner"], debt["rescuer"]) == (fate.state, fate.owner, fate.rescuer)
    assert debt["missed_calls"] == missed
    assert tuple((each["agent"], each["result"]) for each in debt["attempts"]) == fate.attempts
    assert [each["call"] for each in debt["attempts"]] == [row["call"] for row in _calls(day, story, "outbound")]
    last = [*inbound, *_calls(day, story, "outbound")][-1]["call"]
    assert debt["closed_by_call"] == (last if fate.closed else None)


@BY_VERSION
@EACH_CLIENT
def test_the_journal_has_the_colour_of_the_story(version: str, story: str, days: Days) -> None:
    day = days(version)
    assert tuple(row["colour"] for row in _calls(day, story, "inbound")) == FATES[story].colours
    assert {row["colour"] for row in _calls(day, story, "outbound")} <= {None}


@BY_VERSION
def test_a_client_who_was_tried_and_not_reached_was_yellow(version: str, days: Days) -> None:
    assert days(version).of("failed_then_reached").seen["between"] == "yellow"


@BY_VERSION
@EACH_CLIENT
def test_the_right_people_are_told_once_with_the_number_as_people_write_it(
    version: str, story: str, days: Days
) -> None:
    day = days(version)
    mine = [message for message in day.town.received() if pretty(_number(day, story)) in message.text]
    told = Counter(((message.channel, message.to), _template(message)) for message in mine)
    assert told == Counter(FATES[story].told)


@BY_VERSION
def test_a_queues_miss_names_the_queue_and_a_rescue_the_rescuer(version: str, days: Days) -> None:
    day = days(version)
    messages = day.town.received()
    queue = [message for message in messages if pretty(_number(day, "queue_miss")) in message.text]
    assert all("reception2" in message.text for message in queue)
    (thanks,) = [message.text for message in messages if "Спасибо!" in message.text]
    assert re.search(r"поговорили через \d+ с, в срок\. Перезвонил сотрудник: Дмитрий\.", thanks)


@BY_VERSION
def test_the_signed_webhook_says_it_in_the_words_of_machines(version: str, days: Days) -> None:
    day = days(version)
    told = {(payload["person"], payload["template"], payload["client"]) for payload in day.town.gateways.payloads}
    late = {("screen", "escalated", _number(day, story)) for story in ("queue_miss", "repeat", "fake")}
    assert told == late | {("501", template, _number(day, "failed_then_reached")) for template in ("missed", "reached")}


@BY_VERSION
@EACH_CLIENT
def test_every_crm_has_each_call_once_on_the_right_user(version: str, story: str, days: Days) -> None:
    day, number, calls = days(version), _number(days(version), story), FATES[story].calls
    rows = [*_calls(day, story, "inbound"), *_calls(day, story, "outbound")]
    names = Counter(f"rig/{row['call']}" for row in rows)
    portal = [row for row in day.town.portal.statistics if row["PHONE_NUMBER"] == number]
    notes = [note["params"] | {"kind": note["note_type"]} for note in day.town.account.notes]
    notes = [note for note in notes if note["phone"] == number]
    told = [body for body in day.town.system.made.values() if body["event"] == "call" and body["number"] == number]
    assert Counter(row["EXTERNAL_CALL_ID"] for row in portal) == names
    assert Counter(note["uniq"] for note in notes) == names
    assert Counter(body["call"] for body in told) == names
    assert Counter((row["TYPE"], str(row["USER_ID"]), row["STATUS_CODE"]) for row in portal) == _bitrix24(calls)
    found = Counter((note["kind"], str(note["created_by"]), str(note["call_status"])) for note in notes)
    assert found == _amocrm(calls)
    assert Counter((body["direction"], body["user"], body["outcome"]) for body in told) == Counter(calls)


def _bitrix24(calls: Iterable[CrmCall]) -> Counter[tuple[int, str, str]]:
    types, codes = {"outbound": 1, "inbound": 2}, Bitrix24Bench.codes
    return Counter((types[direction], user, codes[Outcome(outcome)]) for direction, user, outcome in calls)


def _amocrm(calls: Iterable[CrmCall]) -> Counter[tuple[str, str, str]]:
    kinds, codes = {"outbound": "call_out", "inbound": "call_in"}, AmoCrmBench.codes
    return Counter((kinds[direction], user, codes[Outcome(outcome)]) for direction, user, outcome in calls)


@BY_VERSION
@EACH_CLIENT
def test_every_crm_has_one_task_for_its_owner_that_ends_with_the_callback(version: str, story: str, days: Days) -> None:
    day, fate, name = days(version), FATES[story], _debt(days(version), story)["id"]
    town, number = day.town, _number(day, story)
    (task,) = [task for task in town.portal.tasks.values() if task["XML_ID"] == f"pbxmonitor-{name}"]
    (other,) = [task for task in town.account.tasks.values() if number in task["text"]]
    events = {body["event"]: body for body in town.system.made.values() if body.get("callback") == name}
    owners = str(task["RESPONSIBLE_ID"]), str(other["responsible_user_id"]), events["open"]["user"]
    assert set(owners) == {fate.owner}
    assert (task["STATUS"] == 5, other["is_completed"], "close" in events) == (fate.closed,) * 3
    if fate.closed:
        assert (events["close"]["state"], events["close"]["rescuer"]) == (fate.state, fate.rescuer)


@BY_VERSION
def test_the_task_says_who_reached_the_client(version: str, days: Days) -> None:
    day = days(version)
    number = _number(day, "colleague")
    (task,) = [task for task in day.town.account.tasks.values() if number in task["text"]]
    assert task["result"]["text"] == "Talked to the client: Дмитрий"
    numbers = [name for name, each in day.town.portal.tasks.items() if number in each["TITLE"]]
    assert [text for name, text in day.town.portal.comments if name in numbers] == ["Talked to the client: Дмитрий"]


@BY_VERSION
def test_an_anonymous_caller_is_lost_and_nobody_owes_him_a_call(version: str, days: Days) -> None:
    day = days(version)
    assert day.of("anonymous").number is None
    (row,) = [row for row in day.journal if row["called"] == "2010"]
    assert (row["caller"], row["direction"], row["lost"], row["colour"]) == (None, "inbound", True, "red")
    assert row["verdicts"] == {"204": "missed"}
    assert all(row["call"] not in debt["missed_calls"] for debt in day.callbacks)


@BY_VERSION
def test_a_colleague_who_is_not_answered_is_no_client(version: str, days: Days) -> None:
    day = days(version)
    assert day.of("internal_miss").number is None
    (row,) = [row for row in day.journal if row["caller"] == "102"]
    assert (row["called"], row["direction"], row["lost"], row["colour"]) == ("103", "internal", False, None)
    assert all(row["call"] not in debt["missed_calls"] for debt in day.callbacks)


@BY_VERSION
def test_nothing_is_said_of_anybody_else(version: str, days: Days) -> None:
    day, town = days(version), days(version).town
    numbers = {_number(day, story) for story in FATES}
    assert {debt["number"] for debt in day.callbacks} == numbers
    strangers = [message.text for message in town.received() if not any(pretty(n) in message.text for n in numbers)]
    assert strangers == ["Готово, Анна: сюда будут приходить пропущенные звонки и напоминания."]
    assert {row["PHONE_NUMBER"] for row in town.portal.statistics} == numbers
    assert {note["params"]["phone"] for note in town.account.notes} == numbers
    assert {body["number"] for body in town.system.made.values() if "number" in body} == numbers
    assert (len(town.portal.tasks), len(town.account.tasks)) == (len(FATES), len(FATES))


@BY_VERSION
def test_a_chat_that_a_code_linked_gets_the_messages(version: str, days: Days) -> None:
    day = days(version)
    seen = day.of("direct_miss").seen
    assert f"https://t.me/clinic_pbx_bot?start={seen['code']}" in seen["link"]
    chats = [sent["chat_id"] for sent in day.town.bot.calls("sendMessage") if "Анна" in shown(sent)]
    assert chats[0] == ANNA


@BY_VERSION
def test_the_button_makes_the_client_hers(version: str, days: Days) -> None:
    day = days(version)
    debt, seen = _debt(day, "direct_miss"), day.of("direct_miss").seen
    assert (debt["taken_by"], debt["state"]) == ("101", "open")
    sent = day.town.bots_messages()[seen["message"]]
    keys = [key["callback_data"] for row in sent["reply_markup"]["inline_keyboard"] for key in row]
    assert keys == [f"{action}:{debt['id']}" for action in ("take", "call", "mobile", "snooze", "wrong_number")]
    assert [asked["text"] for asked in day.town.bot.calls("answerCallbackQuery")] == ["Клиент за вами."]
    (edited,) = day.town.bot.calls("editMessageText")
    assert (edited["chat_id"], edited["message_id"]) == (ANNA, seen["message"])
    assert re.search(r"\n\nЗа клиентом закреплён сотрудник: Анна, \d\d:\d\d$", shown(edited)), shown(edited)


@BY_VERSION
def test_a_click_rings_the_phone_and_then_the_client_and_is_the_callbacks_attempt(version: str, days: Days) -> None:
    day = days(version)
    said = re.fullmatch(r"The phone of 604 rings\. Call (\S+)\.\n", day.of("click").seen["said"])
    assert said
    debt = _debt(day, "click")
    (attempt,) = debt["attempts"]
    assert (attempt["call"], debt["closed_by_call"], attempt["result"]) == (said[1], said[1], "reached")
    (row,) = [row for row in day.journal if row["call"] == said[1]]
    assert (row["direction"], row["caller"], row["answered_by"]) == ("outbound", "604", _number(day, "click"))


@BY_VERSION
def test_who_reached_the_client_may_say_that_it_was_a_machine(version: str, days: Days) -> None:
    day = days(version)
    sent = [each for each in day.town.bot.calls("sendMessage") if str(each["chat_id"]) == IGOR[1]]
    (keys,) = [row for each in sent[1:] for row in each["reply_markup"]["inline_keyboard"]]
    assert [key["callback_data"] for key in keys] == [f"voicemail:{_debt(day, 'click')['id']}"]
    assert [each.get("disable_notification") for each in sent] == [None, True]


@BY_VERSION
def test_everything_owed_went_out_at_the_first_try_and_as_documented(version: str, days: Days) -> None:
    day = days(version)
    # A CRM may ask for patience on a slow machine, and a task's end waits for its beginning.
    excused = ("(429)", "not in the CRM yet")
    unsent = [_plain(row) for row in day.deliveries if row["state"] != "sent" or not _at_once(row, excused)]
    assert unsent == []
    assert day.town.violations() == []


def _plain(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in ("channel", "recipient", "template", "state", "attempts", "error")}


@BY_VERSION
def test_no_message_to_a_person_waits_for_a_crm(version: str, days: Days) -> None:
    late = {
        f"{row['template']} to {row['recipient']} by {row['channel']}": _late(row)
        for row in days(version).deliveries
        if row["recipient"] and _late(row) > 2
    }
    assert late == {}


def _late(row: Row) -> float:
    due, ended = (datetime.fromisoformat(row[key]) for key in ("due_at", "ended_at"))
    return (ended - due).total_seconds()
