"""The board of callbacks in a browser and by the API: who sees what, who may do what, and what is left of it."""

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.settings_people import DialSettings
from pbxmonitor.store import schema
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.sessions import ACT, READ, new_token
from pbxmonitor.store.types import writing
from pbxmonitor.web.app import make_app
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from pbxmonitor.work.dialling import Dialling
from tests.web.conftest import ClientOf
from tests.work.shop import CLIENT, Shop, rows

CARD = re.compile(r'<article class="card debt (\w+)" data-key="main/([^"]+)"')


@dataclass
class FakeDialer:
    """Remembers whom it was asked to dial."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def dial(self, endpoint: str, number_e164: str, *, call_id: str, caller_name: str) -> None:
        self.asked.append((endpoint, number_e164))


@dataclass
class Debts:
    """Debts of Anna, Boris and Vera, and one of nobody; the site's clock says what the story's does."""

    shop: Shop
    site: Site
    keys: dict[str, str]

    def at(self, minutes: float = 0) -> None:
        clock = self.site.clock
        assert isinstance(clock, ManualClock)
        clock.advance((self.shop.now - clock.now()).total_seconds() + minutes * 60)

    def named(self, keys: list[str]) -> set[str]:
        return {name for name, key in self.keys.items() if key in keys}


@pytest.fixture
async def debts(site: Site) -> Debts:
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    keys = {}
    for number, (name, agent) in enumerate({"anna": "101", "boris": "102", "vera": "103"}.items()):
        keys[name] = await shop.misses(f"{CLIENT[:-1]}{number + 1}", agent)
    keys["nobody"] = shop.story.calls_in("+79161234509").waits_in("sales").after(40).caller_leaves().key
    await shop.recorded()
    made = Debts(shop, site, keys)
    made.at()
    return made


async def board(client: httpx.AsyncClient) -> dict[str, str]:
    """Key of each card to its column."""
    page = await client.get("/callbacks")
    assert page.status_code == 200
    return {key: column for column, key in CARD.findall(page.text)}


async def row(debts: Debts, name: str) -> Any:
    (found,) = await rows(debts.site.database, schema.callback, call=debts.keys[name])
    return found


async def press(client: httpx.AsyncClient, debts: Debts, name: str, action: str, **fields: str) -> httpx.Response:
    return await client.post(f"/callbacks/main/{debts.keys[name]}/{action}", data=fields)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", ("Перезвоны", "осталось", "звонил", "Анна", "без ответственного", "Беру", "Закрыты сегодня")),
        ("en", ("Callbacks", "left", "called", "Анна", "nobody&#39;s", "Closed today")),
    ],
)
async def test_the_board_speaks_both_languages(
    debts: Debts, client_of: ClientOf, language: str, words: tuple[str, ...]
) -> None:
    page = (await (await client_of(Role.MANAGER, language=language)).get("/callbacks")).text
    assert [word for word in words if word not in page] == []
    assert "+7 916 123-45-01" in page
    assert "style=" not in page


async def test_a_callback_moves_over_the_board_as_time_and_people_go(debts: Debts, client_of: ClientOf) -> None:
    client, keys = await client_of(Role.MANAGER), debts.keys
    assert set((await board(client)).values()) == {"open"}
    await debts.shop.calls_back("101", "+79161234501", talks=0, rings=15)
    await debts.shop.calls_back("102", "+79161234502")
    debts.at()
    found = await board(client)
    assert (found[keys["anna"]], found[keys["boris"]], found[keys["vera"]]) == ("attempted", "closed", "open")
    debts.at(minutes=15)
    found = await board(client)
    assert (found[keys["anna"]], found[keys["boris"]], found[keys["vera"]]) == ("overdue", "closed", "overdue")
    debts.at(minutes=60 * 24)
    assert keys["boris"] not in await board(await client_of(Role.MANAGER))


async def test_each_role_sees_its_own_and_what_is_nobodys(debts: Debts, client_of: ClientOf) -> None:
    seen = {
        Role.EMPLOYEE: {"anna", "nobody"},
        Role.SUPERVISOR: {"anna", "boris", "nobody"},
        Role.MANAGER: set(debts.keys),
    }
    for role, wanted in seen.items():
        client = await client_of(role)
        assert debts.named(list(await board(client))) == wanted
        answer = (await client.get("/api/v1/callbacks")).json()
        assert debts.named([each["call"] for each in answer["callbacks"]]) == wanted
        for name, key in debts.keys.items():
            status = 200 if name in wanted else 404
            assert (await client.get(f"/callbacks/main/{key}")).status_code == status
            assert (await client.get(f"/api/v1/callbacks/main/{key}")).status_code == status


async def test_what_he_took_is_his_and_what_a_colleague_took_is_not_nobodys(debts: Debts, client_of: ClientOf) -> None:
    anna, boris = await client_of(Role.EMPLOYEE), await client_of(Role.EMPLOYEE, person="102")
    assert (await press(anna, debts, "nobody", "take")).status_code == 303
    assert debts.named(list(await board(anna))) == {"anna", "nobody"}
    assert debts.named(list(await board(boris))) == {"boris"}
    assert (await press(boris, debts, "nobody", "take")).status_code == 404
    assert (await row(debts, "nobody")).taken_by == "101"


async def test_deeds_change_the_row_and_are_told_in_its_history(debts: Debts, client_of: ClientOf) -> None:
    client = await client_of(Role.SUPERVISOR)
    taken = await press(client, debts, "anna", "take")
    assert (taken.status_code, taken.headers["location"]) == (303, "/callbacks?done=take")
    assert "Клиент за вами." in (await client.get(taken.headers["location"])).text
    debts.at(minutes=1)
    await press(client, debts, "anna", "snooze")
    found = await row(debts, "anna")
    assert (found.taken_by, found.snoozed_until) == ("lena", debts.site.clock.now() + debts.site.duties.snooze)
    debts.at(minutes=2)
    await press(client, debts, "anna", "dismiss", reason="ошиблись номером <b>")
    found = await row(debts, "anna")
    assert (found.state, found.dismissed_by, found.reason) == ("dismissed", "lena", "ошиблись номером <b>")
    page = (await client.get(f"/callbacks/main/{debts.keys['anna']}")).text
    assert "ошиблись номером &lt;b&gt;" in page
    assert all(word in page for word in ("клиент взят", "отложено", "снято", "Лена"))
    await press(client, debts, "boris", "mobile")
    assert (await row(debts, "boris")).rescuer == "lena"
    form = (await client.get(f"/api/v1/callbacks/main/{debts.keys['anna']}")).json()
    assert [line["action"] for line in form["history"]] == ["take", "snooze", "dismiss"]


async def test_a_dismissal_without_a_reason_and_a_closed_callback_say_why_not(
    debts: Debts, client_of: ClientOf
) -> None:
    client = await client_of(Role.MANAGER)
    refused = await press(client, debts, "anna", "dismiss", reason="  ")
    assert (refused.status_code, "Напишите, почему" in refused.text) == (409, True)
    await press(client, debts, "anna", "mobile")
    refused = await press(client, debts, "anna", "take")
    assert (refused.status_code, "уже закрыт" in refused.text) == (409, True)
    answer = await client.post(f"/api/v1/callbacks/main/{debts.keys['anna']}/take")
    assert (answer.status_code, answer.json()["detail"]) == (409, "Этот перезвон уже закрыт.")


async def test_a_conversation_with_a_machine_is_taken_back(debts: Debts, client_of: ClientOf) -> None:
    call = await debts.shop.calls_back("101", "+79161234501")
    debts.at()
    client = await client_of(Role.EMPLOYEE)
    assert "Это был автоответчик" in (await client.get("/callbacks")).text
    await press(client, debts, "anna", "voicemail", call=call)
    assert (await row(debts, "anna")).state == "attempted"
    assert "автоответчик</span>" in (await client.get("/callbacks")).text
    again = await press(client, debts, "anna", "voicemail", call=call)
    assert again.status_code == 409


async def test_nobody_acts_without_his_csrf_token_or_for_others(
    debts: Debts, client_of: ClientOf, browser: Any
) -> None:
    anna, chief = await client_of(Role.EMPLOYEE), await client_of(Role.MANAGER)
    for action in ("take", "snooze", "mobile", "dismiss", "voicemail", "call"):
        assert (await press(anna, debts, "boris", action, reason="x")).status_code == 404
        path = f"/api/v1/callbacks/main/{debts.keys['boris']}/{action}"
        assert (await anna.post(path, json={"reason": "x"})).status_code == 404
        assert (await browser().post(path)).status_code == 401
        stranger = await browser().post(f"/callbacks/main/{debts.keys['boris']}/{action}")
        assert (stranger.status_code, stranger.headers["location"].startswith("/login")) == (303, True)
    token = chief.headers.pop("X-CSRF")
    for stale in ({}, {"csrf": "x"}, {"csrf": token[:-4] + "AAA="}):
        assert (await press(chief, debts, "boris", "mobile", **stale)).status_code == 403
    assert (await chief.post(f"/api/v1/callbacks/main/{debts.keys['boris']}/mobile")).status_code == 403
    found = await row(debts, "boris")
    assert (found.state, found.taken_by, found.reason) == ("open", None, None)
    assert await rows(debts.site.database, schema.audit, subject=debts.keys["boris"]) == []
    assert (await press(chief, debts, "boris", "mobile", csrf=token)).status_code == 303


async def test_what_is_not_there_is_not_found(debts: Debts, client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER)
    for path in ("main/9.9", "elsewhere/1.0", "main/a%00b"):
        assert (await client.get(f"/callbacks/{path}")).status_code == 404
        assert (await client.post(f"/callbacks/{path}/take")).status_code == 404
        assert (await client.post(f"/api/v1/callbacks/{path}/take")).status_code == 404
    assert (await press(client, debts, "anna", "eat")).status_code == 404
    assert (await client.post(f"/api/v1/callbacks/main/{debts.keys['anna']}/eat")).status_code == 422


async def test_a_click_rings_ones_own_phone_and_a_second_one_not_again(
    debts: Debts, client_of: ClientOf, browser: Any, passwords: Passwords
) -> None:
    dialer, site = FakeDialer(), debts.site
    dialling = Dialling(site.database, {"main": dialer}, {"main": DialSettings()}, site.settings.people, site.clock)
    ringing = make_app(replace(site, dialling=dialling), passwords=passwords)
    known = await client_of(Role.EMPLOYEE)
    anna = browser(to=ringing, cookies=dict(known.cookies))
    page = (await anna.get("/callbacks")).text
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert once is not None
    fields = {"csrf": known.headers["X-CSRF"], "once": once[1]}
    for _ in range(2):
        answer = await press(anna, debts, "anna", "call", **fields)
        assert answer.headers["location"] == "/callbacks?done=call"
    assert dialer.asked == [("PJSIP/101", "+79161234501")]
    busy = await press(anna, debts, "nobody", "call", **fields)
    assert (busy.status_code, "Вы уже звоните" in busy.text) == (409, True)
    silent = await press(known, debts, "anna", "call")
    assert (silent.status_code, "не настроен ARI" in silent.text) == (409, True)


async def test_the_api_lists_by_column_time_and_page(debts: Debts, client_of: ClientOf) -> None:
    await debts.shop.calls_back("102", "+79161234502")
    debts.at(minutes=1)
    client = await client_of(Role.MANAGER)

    async def listed(**query: str) -> list[str]:
        found, cursor = [], None
        while True:
            asked = query | ({"cursor": cursor} if cursor else {})
            answer = await client.get("/api/v1/callbacks", params=asked)
            assert answer.status_code == 200, answer.text
            found += [each["call"] for each in answer.json()["callbacks"]]
            cursor = answer.json()["next"]
            if cursor is None:
                return found

    keys = list(debts.keys.values())
    assert await listed(limit="1") == keys[::-1]
    assert await listed(column="closed") == [debts.keys["boris"]]
    assert set(await listed(column="open")) == set(keys) - {debts.keys["boris"]}
    assert await listed(period="yesterday") == []
    assert await listed(period="today", limit="3") == keys[::-1]
    for wrong in ("column=eaten", "limit=0"):
        assert (await client.get(f"/api/v1/callbacks?{wrong}")).status_code == 422
    for wrong in ("cursor=x", "period=someday"):
        assert (await client.get(f"/api/v1/callbacks?{wrong}")).status_code == 400


async def test_hidden_numbers_are_hidden_on_the_board_and_in_answers(debts: Debts, client_of: ClientOf) -> None:
    deed = Deed(hand=Hand.DISMISS, who="lena", reason="его номер +79161234501, 8 916 123-45-01")
    key, site = ("main", debts.keys["anna"]), debts.site
    await writing(site.database, lambda c: act(c, site.duties, site.policy, key, deed, site.clock.now()))
    client = await client_of(Role.MANAGER, whole_numbers=False)
    for address in ("/callbacks", "/api/v1/callbacks", *(f"/callbacks/main/{key}" for key in debts.keys.values())):
        text = (await client.get(address)).text
        assert re.search(r"9161234\d{3}|916 123-4\d-\d\d", text) is None, address
        assert "***" in text


async def test_a_token_that_may_only_read_changes_nothing(debts: Debts, client_of: ClientOf, browser: Any) -> None:
    await client_of(Role.MANAGER)
    site, path = debts.site, f"/api/v1/callbacks/main/{debts.keys['anna']}"
    told = {}
    for scope in (READ, ACT):
        making = partial(
            new_token,
            account="manager-chief",
            name="a crm",
            scopes=frozenset({READ, scope}),
            by="chief",
            now=site.clock.now(),
        )
        secret = await writing(site.database, making)
        client = browser(headers={"Authorization": f"Bearer {secret}"})
        told[scope] = (await client.get(path)).status_code, (await client.post(f"{path}/take")).status_code
    assert told == {READ: (200, 403), ACT: (200, 200)}
    assert (await row(debts, "anna")).taken_by == "chief"


async def test_the_newest_client_stands_with_how_often_he_was_missed(debts: Debts, client_of: ClientOf) -> None:
    await debts.shop.misses(CLIENT, "101")
    debts.at()
    page = (await (await client_of(Role.EMPLOYEE)).get("/callbacks")).text
    assert "звонил 2 раза" in page
