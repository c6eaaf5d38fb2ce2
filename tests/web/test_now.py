"""What the live page says of a story: who is at what, who waits, what the day was like, and who may see it."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.policy import Policy, Team
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.domain.view import Json
from pbxmonitor.feed import Feed
from pbxmonitor.notify.wording import filters
from pbxmonitor.store import rolled
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import reading
from pbxmonitor.web.channel import Channel, kind_of
from pbxmonitor.web.now import Board, View, changed
from pbxmonitor.web.now_seen import masked_item, seen_by
from pbxmonitor.web.now_words import Words, countdown, lapse
from pbxmonitor.web.scene import Calls, Debt, Scene, Tally, Today
from pbxmonitor.web.site import Site
from pbxmonitor.web.today import read_today
from pbxmonitor.web.viewer import Role, Viewer
from tests.domain.story import CLIENT, MONDAY_NOON, Story
from tests.store.conftest import engine, fresh_database, migrated, url
from tests.web.conftest import ClientOf
from tests.work.shop import NOW, Shop

__all__ = ["engine", "fresh_database", "migrated", "url"]
MANAGER = Viewer(account="chief", role=Role.MANAGER)
ANNA = Viewer(account="anna", role=Role.EMPLOYEE, person="101")
LENA = Viewer(account="lena", role=Role.SUPERVISOR, person="lena", teams=frozenset({"desk"}))
PEOPLE = {
    key: Person(key=key, name=name, team=team)
    for key, name, team in (("101", "Анна", "desk"), ("102", "Борис", "desk"), ("103", "Вера", "lab"))
}
POLICY = Policy(
    teams=(Team(key="desk", name="Регистратура", members=frozenset({"101", "102"})),), employees=("101", "102", "103")
)
OTHER = "+79161234777"


def scene(*stories: Story, now: datetime | None = None, **more: Any) -> Scene:
    floors = [story.floor for story in stories]
    usual: dict[str, Any] = {"today": Today(), "roster": Roster(people=PEOPLE), "policy": POLICY, "nodes": ["main"]}
    return Scene(now=now or stories[-1].now, floors=floors, **(usual | more))


def view_of(*stories: Story, **more: Any) -> View:
    return Board().view(scene(*stories, **more))


def tile(story: Story, agent: str = "101", **more: Any) -> Json:
    return view_of(story, **more)["tiles"][agent]


def desk() -> Story:
    return Story().works_in("101", "sales").works_in("102", "sales").works_in("103", "lab")


def after(seconds: float) -> str:
    return (MONDAY_NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def debt(**more: Any) -> Debt:
    usual: dict[str, Any] = {
        "node": "main",
        "call": "main.1",
        "number": OTHER,
        "line": "1001",
        "queue": "sales",
        "state": "open",
    }
    owned: dict[str, Any] = {
        "owner": "101",
        "taken_by": None,
        "opened_at": MONDAY_NOON,
        "due_at": MONDAY_NOON + timedelta(minutes=10),
    }
    return Debt(**(usual | owned | more))


def words(language: str = "ru", now: datetime = MONDAY_NOON) -> Words:
    return Words(
        language=language,
        filters=filters(language, POLICY.hours.zone),
        roster=Roster(people=PEOPLE),
        rules={},
        alerts={},
        now=now,
    )


# employees


def test_a_ringing_employee_is_shown_with_his_caller_and_his_queue() -> None:
    shown = tile(desk().calls_in().waits_in("sales").after(4).rings("101"))
    assert (shown["state"], shown["peer"], shown["queue"], shown["since"]) == ("ringing", CLIENT, "sales", after(4))


def test_a_talk_is_counted_from_its_beginning_also_after_a_hold() -> None:
    story = desk().calls_in().waits_in("sales").rings("101").after(2).answers("101").after(60)
    held = tile(story.holds("101"))
    assert (held["state"], held["since"]) == ("hold", after(62))
    talking = tile(story.after(20).unholds("101"))
    assert (talking["state"], talking["since"], talking["peer"]) == ("talking", after(2), CLIENT)


def test_who_calls_out_is_shown_with_the_number_that_he_called() -> None:
    story = desk().dials("101", CLIENT).is_put_through_to(CLIENT).rings_outside(CLIENT).after(3).answers(CLIENT)
    shown = tile(story)
    assert (shown["state"], shown["direction"], shown["peer"]) == ("talking", "outbound", CLIENT)


def test_colleagues_who_talk_are_shown_with_each_others_names() -> None:
    story = desk().dials("101", "102").is_put_through_to("102").rings("102").after(2).answers("102")
    said = words().said("tiles", tile(story)), words().said("tiles", tile(story, "102"))
    assert [each["who"] for each in said] == ["Борис", "Анна"]


def test_a_wrap_up_is_over_when_its_time_is_though_nobody_tells() -> None:
    story = Story().works_in("101", "sales", wrapup=15).calls_in().waits_in("sales").rings("101").after(2)
    story.answers("101").after(30).caller_leaves()
    during, over = scene(story), scene(story, now=story.now + timedelta(seconds=16))
    assert Board().view(during)["tiles"]["101"]["state"] == "wrapup"
    assert list(during.moments()) == [story.now + timedelta(seconds=15)]
    assert Board().view(over)["tiles"]["101"]["state"] == "ready"


def test_pause_lunch_dnd_and_offline_are_told_apart_with_reason_and_since() -> None:
    paused = tile(desk().after(5).pauses("101", "sales", reason="meeting"))
    assert (paused["state"], paused["reason"], paused["since"]) == ("paused", "meeting", after(5))
    lunch = tile(desk().pauses("101", "sales", reason="lunch"))
    assert (words().said("tiles", lunch)["state"], words().said("tiles", lunch)["word"]) == ("lunch", "Обед")
    assert tile(desk().dnd("101"))["state"] == "dnd"
    assert tile(desk().phone_is("101", online=False))["state"] == "offline"


def test_a_phone_that_rings_in_spite_of_a_pause_says_both() -> None:
    story = desk().pauses("101", "sales").calls_in().is_put_through_to("101").rings("101")
    said = words().said("tiles", tile(story))
    assert (said["word"], said["away"]) == ("Звонит", "Пауза")


def test_an_employee_of_whom_the_pbx_has_said_nothing_has_a_tile_all_the_same() -> None:
    shown = tile(Story().works_in("102", "sales"), "101")
    assert (shown["state"], shown["name"], shown["since"]) == ("unknown", "Анна", None)


def test_who_is_in_no_queue_is_free_when_his_phone_is_there_and_offline_when_it_is_not() -> None:
    story = Story().phone_is("101", online=True).phone_is("102", online=False)
    assert (tile(story)["state"], tile(story, "102")["state"]) == ("ready", "offline")


def test_of_whose_phone_nothing_is_known_nobody_says_that_he_is_free() -> None:
    story = Story().dnd("101").after(5).dnd("101", on=False)
    shown = tile(story)
    assert (shown["state"], shown["availability"], shown["since"]) == ("unknown", "unknown", None)
    assert tile(story.dnd("101"))["state"] == "dnd"


def test_a_door_phone_is_nobody_where_people_are_named_and_somebody_where_they_are_not() -> None:
    story = desk().phone_is("900", online=True)
    assert "900" not in view_of(story)["tiles"]
    assert "900" in view_of(story, roster=Roster(), policy=Policy())["tiles"]


def test_the_day_of_an_employee_stands_on_his_tile() -> None:
    today = Today(tallies={("main", "101"): Tally(answered=15, missed=9)}, debts=(debt(), debt(call="main.2")))
    shown = tile(desk(), today=today)
    assert (shown["missed_share"], shown["missed_too_much"], shown["open_callbacks"]) == (0.375, True, 2)
    said = words().said("tiles", shown)
    assert (said["share"], said["counts"], said["debts"]) == ("38 %", "пропущено 9 из 24", "2 перезвона")


def test_too_few_calls_are_no_reason_to_blame() -> None:
    today = Today(tallies={("main", "101"): Tally(answered=1, missed=2)})
    assert tile(desk(), today=today)["missed_too_much"] is False


def test_a_person_of_two_pbxs_has_one_tile_which_shows_what_he_is_busy_with() -> None:
    other = Story(node="second").works_in("101", "sales").calls_in().waits_in("sales").rings("101")
    today = Today(tallies={("main", "101"): Tally(1, 2), ("second", "101"): Tally(3, 4)})
    tiles = view_of(desk(), other, nodes=["main", "second"], today=today)["tiles"]
    assert (tiles["101"]["state"], tiles["101"]["answered"], tiles["101"]["missed"]) == ("ringing", 4, 6)


def test_a_stranger_on_two_pbxs_is_two() -> None:
    other = Story(node="second").works_in("500", "sales")
    tiles = view_of(desk().works_in("500", "sales"), other, nodes=["main", "second"])["tiles"]
    assert {"main/500", "second/500"} <= set(tiles)


def test_the_most_urgent_stand_first() -> None:
    story = desk().dnd("102").calls_in().waits_in("sales").rings("101")
    orders = {name: words().said("tiles", each)["order"] for name, each in view_of(story)["tiles"].items()}
    assert sorted(orders, key=orders.__getitem__) == ["101", "102", "103"]


# queues


def test_a_queue_shows_who_waits_since_when_and_who_could_answer() -> None:
    story = desk().pauses("102", "sales").calls_in().waits_in("sales").after(30).rings("101")
    story.calls_in(OTHER).waits_in("sales")
    queue = view_of(story)["queues"]["main/sales"]
    assert (queue["waiting"], queue["longest_since"]) == (2, after(0))
    assert [(each["caller"], each["ringing"]) for each in queue["callers"]] == [(CLIENT, ["101"]), (OTHER, [])]
    assert (queue["members"], queue["available"], queue["free"]) == (2, 1, 0)


def test_a_queue_in_which_nobody_can_answer_is_bad_as_soon_as_somebody_waits() -> None:
    story = desk().dnd("101").phone_is("102", online=False)
    said = words().said("queues", view_of(story)["queues"]["main/sales"])
    assert (said["level"], said["staff"]) == ("warn", "Некому ответить")
    said = words().said("queues", view_of(story.calls_in().waits_in("sales"))["queues"]["main/sales"])
    assert (said["level"], said["word"]) == ("bad", "Ждёт 1 клиент")


# what changes


def test_only_what_has_changed_is_told() -> None:
    board, story = Board(), desk()
    before = board.view(scene(story))
    now = board.view(scene(story.after(5).dnd("102")))
    assert {section: sorted(items) for section, items in changed(before, now).items()} == {
        "tiles": ["102"],
        "queues": ["main/sales"],
    }


def test_what_is_gone_is_told_as_nothing() -> None:
    board, story = Board(), desk()
    before = board.view(scene(story, today=Today(debts=(debt(),))))
    assert changed(before, board.view(scene(story)))["callbacks"] == {"main/main.1": None}


def test_a_view_of_the_same_floor_is_made_of_the_same_objects() -> None:
    board, story = Board(), desk().calls_in().waits_in("sales").rings("101")
    assert changed(board.view(scene(story)), board.view(scene(story, now=story.now + timedelta(seconds=9)))) == {}


def test_callbacks_are_looked_at_again_when_one_falls_due_and_when_the_rows_say_otherwise() -> None:
    board, story, due = Board(), desk(), debt().due_at
    chief, anna = Viewer(account="", role=Role.MANAGER), Viewer(account="", role=Role.EMPLOYEE, person="101")
    same: dict[str, Any] = {"today": Today(debts=(debt(),)), "roster": Roster(people=PEOPLE)}

    def told(now: datetime, **more: Any) -> tuple[View, list[int]]:
        whole = scene(story, now=now, **(same | more))
        view = board.view(whole)
        figures = (seen_by(viewer, view, whole)["figures"]["callbacks"] for viewer in (chief, anna))
        return view, [number for figure in figures for number in (figure["value"], figure["overdue"])]

    before, numbers = told(due - timedelta(minutes=1))
    assert numbers == [1, 0, 1, 0]
    at_last, numbers = told(due)
    assert at_last["callbacks"] is before["callbacks"]
    assert numbers == [1, 0, 1, 0]
    assert told(due + timedelta(seconds=1))[1] == [1, 1, 1, 1]
    others = Today(debts=(debt(), debt(call="main.2", owner="102")))
    assert told(due + timedelta(seconds=2), today=others)[1] == [2, 2, 1, 1]


# flags


def test_a_lost_link_a_gap_and_a_database_that_is_away_are_said() -> None:
    at, zone = MONDAY_NOON, POLICY.hours.zone
    minutes = timedelta(minutes=1)
    gaps = (("main", at, at + 5 * minutes, None), ("main", at + 9 * minutes, at + 11 * minutes, 3))
    today = Today(gaps=gaps, stale_since=at)
    flags = view_of(desk(), today=today, lost={"main": at}, nodes=["main", "branch"])["flags"]
    said = {each["kind"]: words().said("flags", each)["text"] for each in flags.values()}
    assert set(said) == {"link_lost", "not_followed", "gap", "gap_repaired", "numbers_stale"}
    assert said["gap_repaired"].endswith("из её журналов взято 3 звонка.")
    assert said["link_lost"].startswith(f"Нет связи с АТС «main» с {at.astimezone(zone):%H:%M}")


# who sees what


def busy_morning() -> Scene:
    story = desk().calls_in().waits_in("sales").after(3).rings("101").calls_in(OTHER).waits_in("sales")
    debts = (debt(), debt(call="main.2", owner="103"), debt(call="main.3", owner=None))
    tallies = {("main", "101"): Tally(8, 2), ("main", "103"): Tally(5, 5)}
    calls = Calls(received=41, answered=30, lost=10, short=1, waited_s=300.0)
    owed: Mapping[str | None, tuple[int, int]] = {"101": (4, 1), "103": (4, 3)}
    return scene(story, today=Today(tallies=tallies, debts=debts, calls=calls, owed=owed))


def seen(viewer: Viewer) -> View:
    whole = busy_morning()
    return seen_by(viewer, Board().view(whole), whole)


def test_a_manager_sees_everything() -> None:
    mine = seen(MANAGER)
    assert (set(mine["tiles"]), set(mine["queues"])) == ({"101", "102", "103"}, {"main/sales", "main/lab"})
    figures = mine["figures"]
    assert (figures["calls"]["value"], figures["calls"]["seconds"]) == (40, 10.0)
    assert (figures["missed"]["value"], figures["missed"]["share"], figures["missed"]["bad"]) == (10, 0.25, True)
    assert (figures["callbacks"]["value"], figures["callbacks"]["share"]) == (3, 0.5)
    assert (figures["waiting"]["value"], figures["waiting"]["since"]) == (2, after(0))


def test_an_employee_sees_his_own_and_what_is_nobodys() -> None:
    mine = seen(ANNA)
    assert (set(mine["tiles"]), set(mine["queues"])) == ({"101"}, {"main/sales"})
    assert set(mine["callbacks"]) == {"main/main.1", "main/main.3"}
    figures = mine["figures"]
    assert (figures["calls"]["value"], figures["missed"]["value"], figures["callbacks"]["share"]) == (10, 2, 0.25)
    assert mine["queues"]["main/sales"]["agents"] == ["101"]


def test_an_employee_knows_who_waits_only_of_whom_his_own_phone_rings() -> None:
    callers = seen(ANNA)["queues"]["main/sales"]["callers"]
    assert [each["caller"] for each in callers] == [CLIENT, None]
    boris = replace(ANNA, person="102")
    assert [each["caller"] for each in seen(boris)["queues"]["main/sales"]["callers"]] == [None, None]


def test_a_supervisor_sees_his_teams() -> None:
    mine = seen(LENA)
    assert (set(mine["tiles"]), set(mine["queues"])) == ({"101", "102"}, {"main/sales"})
    assert mine["figures"]["calls"]["value"] == 10


def test_numbers_are_hidden_wherever_they_stand() -> None:
    whole = seen(MANAGER)
    masked = [masked_item(section, item) for section, items in whole.items() for item in items.values()]
    assert CLIENT[1:] in str(whole)
    assert CLIENT[1:] not in str(masked)
    assert OTHER[1:] not in str(masked)


def test_viewers_who_see_the_same_are_of_one_kind() -> None:
    other = Viewer(account="other", role=Role.ADMIN, person="9", csrf="x")
    assert kind_of(MANAGER, said=True) == kind_of(other, said=True)
    assert kind_of(ANNA, said=True) != kind_of(replace(ANNA, person="102"), said=True)
    assert kind_of(MANAGER, said=True) != kind_of(MANAGER, said=True, masked=True)


# words


@pytest.mark.parametrize(("language", "word", "who"), [("ru", "Звонит", "от"), ("en", "Ringing", "from")])
def test_a_tile_speaks_both_languages(language: str, word: str, who: str) -> None:
    said = words(language).said("tiles", tile(desk().calls_in().waits_in("sales").rings("101")))
    assert (said["word"], said["who"]) == (word, f"{who} +7 916 123-45-01")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_item_can_be_said(language: str) -> None:
    shape, channel = words(language), Channel(kind_of(MANAGER, said=True))
    channel.show(seen(MANAGER), shape.said, MONDAY_NOON)
    items = [item for items in channel.view.values() for item in items.values()]
    assert items
    assert all(isinstance(item["order"], str) and item["key"] for item in items)


def test_time_is_counted_as_the_script_counts_it() -> None:
    seconds = {7: "0:07", 750: "12:30", 3723: "1:02:03", 100_000: "1 d 3 h"}
    assert [lapse(after(0), MONDAY_NOON + timedelta(seconds=s), "en") for s in seconds] == list(seconds.values())
    assert lapse(None, MONDAY_NOON, "en") == ""
    assert countdown(after(90), MONDAY_NOON, "ru") == (False, "осталось 1:30")
    assert countdown(after(-5), MONDAY_NOON, "en") == (True, "0:05 overdue")


# the day's numbers


async def test_the_day_is_counted_as_the_reports_count_it(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    shop.story.at(NOW - timedelta(days=1))
    await shop.misses("+79160000009")
    shop.story.at(NOW)
    await shop.answers("101", talks=40)
    await shop.misses(CLIENT)
    await shop.misses(OTHER, agent="102")
    await shop.calls_back("101", CLIENT, talks=0, rings=20)
    await shop.calls_back("102", OTHER)
    now = shop.now
    today = await reading(engine, lambda connection: read_today(connection, Policy(), now))
    begin, end = Policy().hours.day_span(now.date())
    sums = await reading(engine, lambda c: rolled.sums(c, Period(begin=begin, end=end), Policy()))
    counted = {key: Tally(each.answered, each.missed) for key, each in sums.items() if each.offered}
    assert today.tallies == counted == {("main", "101"): Tally(1, 1), ("main", "102"): Tally(0, 1)}
    assert (today.calls.received, today.calls.answered, today.calls.lost) == (3, 1, 2)
    assert today.calls.waited_s == pytest.approx(2.0)
    assert today.owed == {"101": (1, 1), "102": (1, 1)}
    assert [(each.number, each.owner, each.attempts) for each in today.debts] == [
        ("+79160000009", "101", 0),
        (CLIENT, "101", 1),
    ]


async def test_gaps_of_the_day_are_read_in_their_order(engine: AsyncEngine) -> None:
    ledger, hour = Ledger(engine, "main", Policy()), timedelta(hours=1)
    gaps = [(NOW - 20 * hour, NOW - 19 * hour), (NOW - 2 * hour, NOW - hour), (NOW - 4 * hour, NOW - 3 * hour)]
    for lost_at, restored_at in gaps:
        await ledger.gap(lost_at, restored_at, "lost")
    today = await reading(engine, lambda connection: read_today(connection, Policy(), NOW))
    assert [gap[1] for gap in today.gaps] == [NOW - 4 * hour, NOW - 2 * hour]


# pages


def with_floor(site: Site, story: Story) -> None:
    feeds: Any = site.feeds
    feeds["main"] = Feed(story.floor)


async def test_the_page_shows_who_rings_and_is_small(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk().calls_in().waits_in("sales").rings("101"))
    client = await client_of(Role.MANAGER)
    page = await client.get("/now")
    assert page.status_code == 200
    assert 'data-state="ringing"' in page.text
    assert "+7 916 123-45-01" in page.text
    parts = [page, *[await client.get(f"/static/{name}") for name in ("site.css", "now.css", "now.js", "states.svg")]]
    assert sum(len(gzip.compress(part.content)) for part in parts) < 30_000


async def test_an_employees_page_holds_nothing_of_the_others(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk().calls_in(OTHER).waits_in("sales").rings("102"))
    for path in ("/now", "/wallboard", "/api/v1/now"):
        text = (await (await client_of(Role.EMPLOYEE)).get(path)).text
        assert "Борис" not in text
        assert "777" not in text
        assert "Анна" in text


async def test_the_wallboard_never_shows_a_whole_number(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk().calls_in().waits_in("sales").rings("101"))
    page = await (await client_of(Role.ADMIN)).get("/wallboard")
    assert page.status_code == 200
    assert "+7916***4501" in page.text
    assert "123-45-01" not in page.text


async def test_the_page_speaks_english_to_the_english(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk())
    page = await (await client_of(Role.MANAGER, language="en")).get("/now")
    assert "Employees" in page.text
    assert "Сотрудники" not in page.text


async def test_nobody_who_is_not_logged_in_sees_anything(site: Site, browser: Any) -> None:
    with_floor(site, desk())
    answers = [await browser().get(path) for path in ("/now", "/wallboard", "/stream", "/api/v1/now", "/api/v1/stream")]
    assert [answer.status_code for answer in answers[:2]] == [303, 303]
    assert [answer.status_code for answer in answers[2:]] == [401, 401, 401]


async def test_the_api_gives_bare_values_and_says_when_nothing_has_changed(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk().calls_in().waits_in("sales").rings("101"))
    client = await client_of(Role.MANAGER)
    answer = await client.get("/api/v1/now")
    assert answer.json()["tiles"]["101"]["peer"] == CLIENT
    assert answer.json()["figures"]["waiting"]["value"] == 1
    again = await client.get("/api/v1/now", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_callback_is_taken_from_the_page_and_called_where_we_can_ring(site: Site, client_of: ClientOf) -> None:
    shop = Shop(site.database, policy=site.policy, duties=site.duties)
    key = await shop.misses(CLIENT)
    with_floor(site, shop.story)
    page = (await (await client_of(Role.EMPLOYEE)).get("/now")).text
    assert f'formaction="/callbacks/main/{key}/take"' in page
    assert '/call"' not in page


async def test_a_name_from_outside_cannot_become_part_of_the_page(site: Site, client_of: ClientOf) -> None:
    with_floor(site, desk().calls_in("<script>alert(1)</script>").waits_in("sales").rings("101"))
    assert "<script>alert" not in (await (await client_of(Role.MANAGER)).get("/now")).text
