"""The board of callbacks as it is kept up: what is told of a change, to whom, and what a page makes of a card."""

import json
from dataclasses import replace
from typing import Any

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.types import writing
from pbxmonitor.web.channel import Kind, kind_of
from pbxmonitor.web.live_board import CSRF, MOST, ONCE, LiveBoard, cards_of
from pbxmonitor.web.now import View
from pbxmonitor.web.site import Site
from pbxmonitor.web.stream import Live
from pbxmonitor.web.viewer import Role, Viewer
from tests.web.conftest import ClientOf
from tests.work.shop import Shop, rows

CHIEF = kind_of(Viewer(account="chief", role=Role.MANAGER, person="chief"), said=True, board=True)
ANNA = kind_of(Viewer(account="anna", role=Role.EMPLOYEE, person="101"), said=True, board=True)
BORIS = kind_of(Viewer(account="boris", role=Role.EMPLOYEE, person="102"), said=True, board=True)


async def missed(site: Site, count: int = 1, agent: str = "101") -> tuple[Shop, list[str]]:
    """So many clients whom that agent has missed; the site's clock says what the story's does."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    keys = [await shop.misses(f"+791612300{number:02}", agent) for number in range(count)]
    passes(site, (shop.now - site.clock.now()).total_seconds())
    return shop, keys


def passes(site: Site, seconds: float) -> None:
    assert isinstance(site.clock, ManualClock)
    site.clock.advance(seconds)


async def do(site: Site, shop: Shop, key: str, hand: Hand, who: str, **more: str) -> None:
    deed, now = Deed(hand=hand, who=who, **more), site.clock.now()
    await writing(site.database, lambda c: act(c, shop.duties, site.policy, ("main", key), deed, now))


def columns(view: View) -> dict[str, list[str]]:
    """Which calls stand where, in their order."""
    return {
        column: [item["key"].removeprefix("main/") for item in sorted(items.values(), key=lambda each: each["order"])]
        for column, items in view.items()
        if items
    }


async def seen(board: LiveBoard, site: Site, *kinds: Kind) -> list[dict[str, list[str]]]:
    await board.read(site, kinds)
    return [columns(board.view(site, kind, site.clock.now())) for kind in kinds]


def patches(raw: bytes) -> list[Any]:
    lines = raw.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_time_alone_moves_a_card_to_the_overdue_ones_and_the_last_one_stands_first(site: Site) -> None:
    _, keys = await missed(site, 3)
    live = Live(site)
    channel = await live.look(CHIEF)
    assert columns(channel.view) == {"open": keys}
    version = channel.version
    passes(site, site.policy.callback_norm.total_seconds() + 1)
    await live.look(CHIEF)
    (patch,) = patches(channel.since(version))
    assert columns(channel.view) == {"overdue": keys[::-1]}
    assert patch["patch"]["open"] == dict.fromkeys((f"main/{key}" for key in keys), None)
    assert 'class="card debt overdue"' in patch["patch"]["overdue"][f"main/{keys[0]}"]["html"]


async def test_what_somebody_does_is_told_once_and_only_of_that_card(site: Site) -> None:
    shop, keys = await missed(site, 2)
    live = Live(site)
    channel = await live.look(CHIEF)
    version = channel.version
    await do(site, shop, keys[0], Hand.TAKE, "102")
    live.touch()
    await live.look(CHIEF)
    (patch,) = patches(channel.since(version))
    assert list(patch["patch"]) == ["open"]
    assert list(patch["patch"]["open"]) == [f"main/{keys[0]}"]
    assert "Борис" in patch["patch"]["open"][f"main/{keys[0]}"]["html"]
    live.touch()
    await live.look(CHIEF)
    assert channel.version == version + 1


async def test_each_is_told_of_what_is_his_business_only(site: Site) -> None:
    shop, (key,) = await missed(site)
    board = LiveBoard()
    assert await seen(board, site, CHIEF, ANNA, BORIS) == [{"open": [key]}, {"open": [key]}, {}]
    await do(site, shop, key, Hand.TAKE, "102")
    assert await seen(board, site, BORIS) == [{"open": [key]}]
    passes(site, site.policy.callback_norm.total_seconds() + 1)
    await do(site, shop, key, Hand.DISMISS, "102", reason="a fax")
    assert await seen(board, site, ANNA, BORIS) == [{"closed": [key]}] * 2


async def test_he_who_has_taken_a_client_is_not_asked_to(site: Site) -> None:
    shop, (key,) = await missed(site)
    await do(site, shop, key, Hand.TAKE, "101")
    board = LiveBoard()
    await board.read(site, [ANNA, CHIEF])
    now, asks = site.clock.now(), []
    for kind in (ANNA, CHIEF):
        (item,) = board.view(site, kind, now)["open"].values()
        asks.append('data-act="take"' in board.shape(site, kind, now)("open", item)["html"])
    assert asks == [False, True]
    assert replace(CHIEF.viewer, person=None) == kind_of(CHIEF.viewer, said=True).viewer


async def test_of_more_than_are_read_for_all_everybody_still_sees_his_own(site: Site) -> None:
    _, hers = await missed(site, 2, "101")
    await missed_by_vera(site, 3)
    assert await seen(LiveBoard(at_once=2), site, ANNA) == [{"open": hers}]


async def missed_by_vera(site: Site, count: int) -> None:
    """Callbacks that are due sooner than any other."""
    (row, *_) = await rows(site.database, schema.callback)
    sooner = [
        dict(row._mapping) | {"call": f"vera.{number}", "number": f"+7916999000{number}", "owner": "103"}
        for number in range(count)
    ]
    for each in sooner:
        each["missed_calls"], each["due_at"] = json.dumps([each["call"]]), site.clock.now()
    await writing(site.database, lambda c: c.execute(schema.callback.insert(), sooner))


async def test_a_card_is_made_once_for_many_and_each_window_has_its_own_words_in_it(site: Site) -> None:
    await missed(site)
    channel = await Live(site).look(CHIEF)
    (item,) = channel.view["open"].values()
    assert CSRF in item["html"]
    one, other = (cards_of(channel.view, token, "once")["open"][0]["html"] for token in ("mine", "yours"))
    assert 'value="mine"' in one
    assert one.replace("mine", "yours") == other
    assert CSRF not in one
    assert ONCE not in one


async def test_a_script_is_told_in_one_line_what_became_of_a_deed(site: Site, client_of: ClientOf) -> None:
    _, (key,) = await missed(site)
    client = await client_of(Role.MANAGER)
    client.headers["Accept"] = "application/json"
    taken = await client.post(f"/callbacks/main/{key}/take")
    assert (taken.status_code, taken.json()) == (200, {"said": "Клиент за вами."})
    refused = await client.post(f"/callbacks/main/{key}/dismiss", data={"reason": " "})
    assert (refused.status_code, list(refused.json())) == (409, ["said"])
    assert "Напишите, почему" in refused.json()["said"]


async def test_one_callback_tells_its_whole_history(site: Site, client_of: ClientOf) -> None:
    shop, (key,) = await missed(site)
    again = await shop.misses("+79161230000", "101")
    shop.story.after(700)
    tried = await shop.calls_back("102", "+79161230000", talks=0, rings=15)
    passes(site, (shop.now - site.clock.now()).total_seconds())
    await do(site, shop, key, Hand.DISMISS, "102", reason="сам перезвонил")
    page = (await (await client_of(Role.MANAGER)).get(f"/callbacks/main/{key}")).text
    told = page[page.index('<ol class="history">') :]
    wanted = (
        "Клиент позвонил, и с ним никто не поговорил (очередь sales)",
        "Клиент позвонил снова",
        "Срок перезвонить вышел",
        "Борис звонит клиенту: нет ответа",
        "Борис: снято: сам перезвонил",
    )
    places = [told.index(text) for text in wanted]
    assert places == sorted(places)
    assert all(f'href="/journal/main/{call}"' in told for call in (key, again, tried))
    assert "Закрыт" not in told  # the deed has said so
    lines = (await (await client_of(Role.EMPLOYEE)).get(f"/callbacks/main/{key}")).text
    assert f'href="/journal/main/{tried}"' not in lines


async def test_a_column_shows_so_many_and_no_more(site: Site) -> None:
    await missed(site)
    await missed_by_vera(site, MOST + 1)
    passes(site, 3600)
    board = LiveBoard()
    await board.read(site, [CHIEF])
    assert len(board.view(site, CHIEF, site.clock.now())["overdue"]) == MOST
