"""The page of webhooks: an administrator makes, tries, changes and removes them; secrets are shown once."""

import re

import httpx
import pytest

from pbxmonitor.store import webhook_queue
from pbxmonitor.store import webhooks as store
from pbxmonitor.store.types import reading, writing
from pbxmonitor.store.webhook_keeping import not_taken
from pbxmonitor.store.webhooks import Event, Webhook
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, ClientOf, audited
from tests.work.shop import Shop

SECRET = re.compile(r'<code class="secret">([^<]+)</code>')
NEW = {
    "name": "CRM",
    "url": "https://crm.example/pbx?key=ours",
    "events": ["call.missed", "agent.state"],
    "queues": "sales, support",
}


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def kept(site: Site) -> list[Webhook]:
    return await reading(site.database, store.webhooks)


async def made(admin: httpx.AsyncClient, site: Site) -> Webhook:
    assert (await admin.post("/webhooks", data=NEW)).status_code == 200
    [hook] = await kept(site)
    return hook


async def test_a_webhook_is_made_and_its_secret_is_shown_once(admin: httpx.AsyncClient, site: Site) -> None:
    assert "Вебхуков пока нет" in (await admin.get("/webhooks")).text
    shown = await admin.post("/webhooks", data=NEW)
    found = SECRET.search(shown.text)
    assert found is not None
    [hook] = await kept(site)
    assert (found[1], hook.queues, hook.events) == (
        hook.secret,
        ("sales", "support"),
        (Event.CALL_MISSED, Event.AGENT_STATE),
    )
    for page in (await admin.get("/webhooks"), await admin.get("/webhooks/one", params={"id": hook.id})):
        assert hook.secret not in page.text
        assert "crm.example" in page.text
    assert "key=ours" not in (await admin.get("/webhooks")).text
    assert await audited(site, "webhook_added") == ["admin-nobody"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": " "}, "Дайте вебхуку название"),
        ({"url": "crm"}, "Нужен адрес вида"),
        ({"url": "http://192.168.0.7/"}, "внутри вашей сети"),
        ({"events": []}, "хотя бы одно событие"),
        ({"events": ["ping", "nothing"]}, "хотя бы одно событие"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    admin: httpx.AsyncClient, site: Site, wrong: dict[str, object], why: str
) -> None:
    answer = await admin.post("/webhooks", data=NEW | wrong)
    assert (answer.status_code, why in answer.text, "sales, support" in answer.text) == (422, True, True)
    assert await kept(site) == []


async def test_it_is_changed_stopped_and_goes_on(admin: httpx.AsyncClient, site: Site) -> None:
    hook = await made(admin, site)
    form = NEW | {"webhook": hook.id, "events": ["call.ended"], "queues": "", "disabled": "1"}
    answer = await admin.post("/webhooks/change", data=form)
    assert answer.headers["location"] == f"/webhooks/one?id={hook.id}&done=changed"
    [after] = await kept(site)
    assert (after.events, after.queues, after.enabled) == ((Event.CALL_ENDED,), (), False)
    assert "выключен" in (await admin.get("/webhooks")).text
    await admin.post("/webhooks/change", data=form | {"disabled": ""})
    wrong = await admin.post("/webhooks/change", data=form | {"url": "ftp://x"})
    assert (wrong.status_code, "Нужен адрес вида" in wrong.text) == (422, True)


async def test_what_was_sent_is_shown_and_sent_again(admin: httpx.AsyncClient, site: Site) -> None:
    hook = await made(admin, site)
    await Shop(site.database, duties=site.duties, policy=site.policy).misses()
    await admin.post("/webhooks/test", data={"webhook": hook.id})
    text = (await admin.get("/webhooks/one", params={"id": hook.id, "done": "tested"})).text
    for shown in ("клиента пропустили", "проба", "ждёт отправки", "Пробное сообщение отправляется"):
        assert shown in text
    await writing(site.database, lambda c: webhook_queue.give_up(c, hook.id, NOW))
    listed = await reading(site.database, lambda c: webhook_queue.page(c, hook.id, limit=9))
    missed = next(each for each in listed.deliveries if each.event == "call.missed")
    form = {"webhook": hook.id, "delivery": missed.id}
    assert (await admin.post("/webhooks/again", data=form)).status_code == 303
    refused = await admin.post("/webhooks/again", data=form)
    assert (refused.status_code, "и так ждёт отправки" in refused.text) == (422, True)


async def test_trouble_is_seen_on_the_page(admin: httpx.AsyncClient, site: Site) -> None:
    hook = await made(admin, site)
    await writing(site.database, lambda c: not_taken(c, hook.id, "the webhook answered 500", NOW))
    text = (await admin.get("/webhooks/one", params={"id": hook.id})).text
    assert "Не принимает с 24.11.2026 12:00: the webhook answered 500" in text
    await writing(site.database, lambda c: not_taken(c, hook.id, "gone", NOW, gone=True))
    assert "(410)" in (await admin.get("/webhooks/one", params={"id": hook.id})).text
    assert "адреса больше нет" in (await admin.get("/webhooks")).text


async def test_another_secret_and_the_end(admin: httpx.AsyncClient, site: Site) -> None:
    hook = await made(admin, site)
    found = SECRET.search((await admin.post("/webhooks/secret", data={"webhook": hook.id})).text)
    [after] = await kept(site)
    assert found is not None
    assert found[1] == after.secret != hook.secret
    gone = await admin.post("/webhooks/remove", data={"webhook": hook.id})
    assert gone.headers["location"] == "/webhooks?done=removed"
    assert "Вебхук удалён" in (await admin.get("/webhooks?done=removed")).text
    for path in ("change", "secret", "test", "again", "remove"):
        answer = await admin.post(f"/webhooks/{path}", data=NEW | {"webhook": hook.id})
        assert answer.status_code == 404, path
    assert (await admin.get("/webhooks/one", params={"id": hook.id})).status_code == 404


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER])
async def test_it_is_an_administrators_page(site: Site, client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    assert (await client.get("/webhooks")).status_code == 403
    assert (await client.post("/webhooks", data=NEW)).status_code == 403
    assert 'href="/webhooks"' not in (await client.get("/account")).text
    assert await kept(site) == []


async def test_the_page_speaks_english(client_of: ClientOf) -> None:
    client = await client_of(Role.ADMIN, language="en")
    text = (await client.get("/webhooks")).text
    assert "A new webhook" in text
    assert re.search("[а-я]", text.replace("Русский", "")) is None
