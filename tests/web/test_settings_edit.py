"""Settings changed in a browser: people, teams, queues, hours, steps, alerts, digests; what the file says stays."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from pbxmonitor.in_force import arranged_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.settings_fixed import SITE
from pbxmonitor.store import schema
from pbxmonitor.store.stored_settings import Kept, Wish, change, kept
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, PEOPLE, ClientOf, audited, settings_of
from tests.web.test_settings_page import totals_in
from tests.work.shop import Shop

CRM = {"webhook": "https://portal.example/rest/1/crm-code/", "default_user": 1, "users": {"101": 17}}
FILE: dict[str, Any] = {
    "people": PEOPLE | {"102": PEOPLE["102"] | {"addresses": {"hook": "https://hook.example/topic-of-boris"}}},
    "notify": {
        "telegram": {"token": "1234567890:tg-secret-token_of_35_letters_and_mo"},
        "email": {"host": "mail.example", "sender": "pbx@clinic.example"},
        "hook": {"kind": "webhook", "secret": "hook-secret-of-32-letters-and-more"},
    },
    "crm": {"bitrix24": CRM},
    "policy": {"callback_norm": "15 min", "hours": {"mon": "09:00-20:00"}},
}


@pytest.fixture
def site(site: Site) -> Site:
    settings = settings_of(site.settings.database.full_url, **FILE)
    return replace(site, settings=settings, duties=to_duties(settings))


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def now(site: Site) -> Settings:
    """The settings that hold."""
    return (await arranged_of(site.settings, site.database)).settings


async def stored(site: Site) -> Kept:
    return await reading(site.database, kept)


async def fill(
    client: httpx.AsyncClient, section: str, key: str = "", called: str = "", of: str = "", **fields: Any
) -> httpx.Response:
    """The form of that entry, with those fields, sent; a new one is `called` so, an alert is `of` that kind."""
    more = {"kind": of} if of else {}
    form = await client.get("/settings/edit", params={"section": section, "key": key, **more})
    assert form.status_code == 200, form.text[:500]
    data = {**hidden_in(form.text), "name": called} | {f"f.{field}": value for field, value in fields.items()}
    return await client.post("/settings/edit", data={**shown_in(form.text), **data, "step": "save"})


def hidden_in(text: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(section|key|revision|kind|tried)" value="([^"]*)"', text)
    return dict(found)


def shown_in(text: str) -> dict[str, Any]:
    """What the fields of a form show."""
    shown: dict[str, Any] = dict(re.findall(r'<input id="[^"]*" name="(f\.[^"]*)" value="([^"]*)"', text))
    shown |= dict(re.findall(r'<textarea [^>]*name="(f\.[^"]*)"[^>]*>([^<]*)</textarea>', text))
    for name, options in re.findall(r'<select id="[^"]*" name="(f\.[^"]*)"[^>]*>(.*?)</select>', text, re.DOTALL):
        shown[name] = "".join(re.findall(r'value="([^"]*)" selected', options))
    for name, value in re.findall(r'<input type="checkbox" name="(f\.[^"]*)" value="([^"]*)" checked', text):
        shown.setdefault(name, []).append(value)
    return shown


def fault_at(text: str, label: str) -> str:
    """What is said beside the field of that label."""
    found = re.search(rf">{label}</label>.*?(?=<label|$)", text, re.DOTALL)
    assert found is not None, label
    fault = re.search(r'<p class="fault" id="[^"]+">([^<]+)</p>', found[0])
    return fault[1] if fault else ""


def kept_ok(answer: httpx.Response, done: str = "setting_put") -> bool:
    return answer.status_code == 303 and f"done={done}" in answer.headers["location"]


async def test_a_person_of_many_phones_is_made_renamed_and_removed(admin: httpx.AsyncClient, site: Site) -> None:
    made = await fill(admin, "people", called="olga", devices="PJSIP/105\r\nSIP/205", role="supervisor")
    assert kept_ok(made), made.text
    assert made.headers["location"].endswith("#people")
    olga = (await now(site)).people["olga"]
    assert (olga.devices, olga.role.value, olga.name) == (("PJSIP/105", "SIP/205"), "supervisor", "")
    assert "olga" in (await admin.get("/settings")).text
    assert kept_ok(await fill(admin, "people", "olga", name="Ольга", mobiles="8 916 123-45-77"))
    olga = (await now(site)).people["olga"]
    assert (olga.name, olga.devices, olga.mobiles) == ("Ольга", ("PJSIP/105", "SIP/205"), ("8 916 123-45-77",))
    page = await admin.get("/settings/remove", params={"section": "people", "key": "olga"})
    assert "Человек: Ольга" in page.text
    gone = await admin.post("/settings/remove", data={**hidden_in(page.text), "how": "remove"})
    assert kept_ok(gone, "setting_removed")
    assert "olga" not in (await now(site)).people
    assert await audited(site, "setting_put") == ["admin-nobody"] * 2
    assert await audited(site, "setting_removed") == ["admin-nobody"]


async def test_the_audit_says_what_was_and_what_is(admin: httpx.AsyncClient, site: Site) -> None:
    await fill(admin, "messages", quiet_hours="22:00-08:00")
    await fill(admin, "messages", quiet_hours="23:00-07:00")
    lines = await reading(
        site.database,
        lambda c: (
            c.execute(sa.select(schema.audit.c.details).where(schema.audit.c.action == "setting_put")).scalars().all()
        ),
    )
    told = [json.loads(line) for line in lines]
    assert sorted(str(each.get("before")) for each in told) == ["None", "{'quiet_hours': '22:00-08:00'}"]
    assert all(each["section"] == "messages" and each["address"] == "192.0.2.1" for each in told)
    assert "изменил настройку" in (await admin.get("/audit")).text


async def test_what_the_file_says_of_a_person_is_locked_and_the_rest_is_not(
    admin: httpx.AsyncClient, site: Site
) -> None:
    page = (await admin.get("/settings/edit", params={"section": "people", "key": "101"})).text
    assert 'name="f.name"' not in page
    assert page.count("из файла настроек") == 2  # the name and the phone
    assert 'name="f.mobiles"' in page
    answer = await fill(admin, "people", "101", mobiles="+79161234577", devices="PJSIP/999")
    assert kept_ok(answer)
    anna = (await now(site)).people["101"]
    assert (anna.devices, anna.mobiles) == (("PJSIP/101",), ("+79161234577",))
    entry = (await stored(site)).of("people", "101")
    assert entry is not None
    assert entry.value == {"mobiles": ["+79161234577"]}


async def test_secrets_are_no_fields_and_an_address_that_is_one_is_not_kept(
    admin: httpx.AsyncClient, site: Site
) -> None:
    text = (await admin.get("/settings/edit", params={"section": "people", "key": "102"})).text
    assert "topic-of-boris" not in text
    assert 'name="f.addresses/email"' in text
    assert 'name="f.addresses/hook"' not in text
    answer = await fill(admin, "people", "102", **{"addresses/email": "boris@clinic.example", "addresses/hook": "x"})
    assert kept_ok(answer)
    assert (await now(site)).people["102"].addresses == {
        "hook": "https://hook.example/topic-of-boris",
        "email": "boris@clinic.example",
    }
    assert "topic-of-boris" not in repr((await stored(site)).entries)


@pytest.mark.parametrize(
    ("section", "key", "name", "fields", "label", "why"),
    [
        ("teams", "", "hall", {"max_missed_share": "many"}, "Пропущено не больше", "Нужна доля от 0 до 100 %"),
        ("teams", "", "hall", {"callback_norm": "soon"}, "Перезвонить за", "Нужна длительность: 30 s"),
        ("messages", "", "", {"channels": "telegram, pigeon"}, "Каналы", "Нет такого канала: pigeon"),
        ("messages", "", "", {"quiet_hours": "from dusk"}, "Тихие часы", "Нужны часы вида"),
        ("hours", "", "", {"tue": "20:00-09:00"}, "Вт", "Промежутки должны идти по порядку"),
        ("hours", "", "", {"holidays": "New Year"}, "Нерабочие дни", "Нужны даты вида"),
        ("policy", "", "", {"peak_hours": "10:30-12:00"}, "Часы пик", "Нужны целые часы"),
        ("policy", "", "", {"min_offered_for_rating": "-1"}, "Сколько звонков нужно, чтобы сравнивать", "не меньше 0"),
        ("policy", "", "", {"service_levels": "20 s, x"}, "Ответ за", "Нужна длительность"),
        ("queues", "", "sales", {"min_ring": "x"}, "Звонок короче не считается предложенным", "Нужна длительность"),
        ("digests", "", "", {"kind": "weekly", "on": "15"}, None, "Для недельной сводки нужен день недели"),
        ("digests", "", "", {"at": "at nine"}, "Во сколько", "Нужно время вида 08:30"),
        ("callbacks", "", "", {"owner": "missed, whoever"}, "Чей перезвон", "Такого значения нет: whoever"),
        ("crm_users", "bitrix24", "", {"102": "the second"}, None, "102"),
        ("people", "", "olga", {"devices": "PJSIP/101"}, None, "PJSIP/101 уже принадлежит другому"),
        ("alerts", "", "night", {"longer": "x"}, "Дольше", "Нужна длительность"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    admin: httpx.AsyncClient,
    site: Site,
    section: str,
    key: str,
    name: str,
    fields: Mapping[str, str],
    label: str | None,
    why: str,
) -> None:
    of = "away" if section == "alerts" else ""
    answer = await fill(admin, section, key, name, of, **fields)
    assert answer.status_code == 422
    assert why in (fault_at(answer.text, label) if label else answer.text)
    typed = [value for field, value in fields.items() if field not in ("kind", "on")]
    assert all(value in answer.text for value in typed)
    assert (await stored(site)).entries == []


async def test_names_must_be_names_and_free(admin: httpx.AsyncClient, site: Site) -> None:
    for name, why in (("", "Нужно имя"), ("a/b", "Нужно имя"), ("x" * 81, "Нужно имя"), ("101", "уже занято")):
        answer = await fill(admin, "people", "", name)
        assert (answer.status_code, why in answer.text) == (422, True), name
    assert (await fill(admin, "people", "", "olga", role="\0")).status_code == 422
    assert (await stored(site)).entries == []


async def test_a_phone_that_belongs_to_nobody_makes_a_person_whose_history_goes_on(
    admin: httpx.AsyncClient, site: Site
) -> None:
    rows = [
        {"node": "main", "endpoint": f"PJSIP/{agent}", "agent": agent, "online": True}
        for agent in ("101", "105", "106")
    ]
    await writing(site.database, lambda c: c.execute(sa.insert(schema.agent_device), rows))
    page = (await admin.get("/settings")).text
    links = re.findall(r'href="([^"]+device=[^"]+)"', page)
    assert [link.replace("&amp;", "&") for link in links] == [
        f"/settings/edit?section=people&key={agent}&device=PJSIP%2F{agent}" for agent in ("105", "106")
    ]
    form = (await admin.get(links[0].replace("&amp;", "&"))).text
    assert re.search(r'name="name" value="105"', form)
    sent = {**hidden_in(form), **shown_in(form), "name": "105", "f.name": "Ольга"}
    both = [sent["f.devices"], "PJSIP/106"]  # typed, and one of those that are offered
    assert kept_ok(await admin.post("/settings/edit", data={**sent, "f.devices": both}))
    assert (await now(site)).people["105"].devices == ("PJSIP/105", "PJSIP/106")
    assert "device=" not in (await admin.get("/settings")).text


async def test_two_who_change_the_same_are_told_of_each_other(admin: httpx.AsyncClient, site: Site) -> None:
    await fill(admin, "people", "", "olga")
    old = hidden_in((await admin.get("/settings/edit", params={"section": "people", "key": "olga"})).text)
    wish = Wish(section="people", key="olga", value={"name": "Оля"}, revision=int(old["revision"]))
    await writing(site.database, lambda c: change(c, wish, "boss", NOW))
    answer = await admin.post("/settings/edit", data={**old, "f.name": "Ольга"})
    assert answer.status_code == 409
    assert "изменил boss" in answer.text
    assert shown_in(answer.text)["f.name"] == "Ольга"
    assert (await now(site)).people["olga"].name == "Оля"
    again = await admin.post("/settings/edit", data={**hidden_in(answer.text), "f.name": "Ольга"})
    assert kept_ok(again)
    assert (await now(site)).people["olga"].name == "Ольга"
    assert (await admin.post("/settings/remove", data=old)).status_code == 409


async def test_what_others_need_is_not_removed(admin: httpx.AsyncClient, site: Site) -> None:
    await fill(admin, "people", "", "olga", role="supervisor")
    assert kept_ok(await fill(admin, "teams", "", "hall", supervisors=["olga"], people=["101", "103"]))
    page = await admin.get("/settings/remove", params={"section": "people", "key": "olga"})
    answer = await admin.post("/settings/remove", data=hidden_in(page.text))
    assert (answer.status_code, "Отдел hall: Нет такого человека: olga" in answer.text) == (422, True)
    assert "olga" in (await now(site)).people


async def test_steps_are_added_and_taken_away_and_are_as_usual_again(admin: httpx.AsyncClient, site: Site) -> None:
    form = (await admin.get("/settings/edit", params={"section": "steps"})).text
    usual = shown_in(form)
    assert (usual["f.0/after"], usual["f.1/after"], usual["f.1/to"]) == ("0 s", "norm", ["owner", "supervisor"])
    sent = {**hidden_in(form), **usual, "f.2/after": "", "f.3/after": "", "f.4/after": "2 h", "f.5/after": "1 h"}
    answer = await admin.post("/settings/edit", data={**sent, "f.5/to": ["chief"]})
    assert (answer.status_code, "расставьте шаги по времени" in answer.text) == (422, True)
    answer = await admin.post("/settings/edit", data={**sent, "f.5/after": "3 h", "f.5/to": ["chief", "team:desk"]})
    assert kept_ok(answer)
    steps = (await now(site)).callbacks.steps
    assert [step.to for step in steps] == [("owner",), ("owner", "supervisor"), ("crm",), ("chief", "team:desk")]
    page = await admin.get("/settings/remove", params={"section": "steps", "key": SITE})
    assert kept_ok(await admin.post("/settings/remove", data=hidden_in(page.text)), "setting_removed")
    assert (await now(site)).callbacks.steps == ()


async def test_a_usual_alert_is_changed_switched_off_and_as_usual_again(admin: httpx.AsyncClient, site: Site) -> None:
    assert kept_ok(await fill(admin, "alerts", "missed_share", above="20 %", to=["chief"]))
    rule = next(each for each in (await now(site)).alerts if each.key == "missed_share")
    assert rule.to == ("chief",)
    assert rule.above == pytest.approx(0.2)
    page = await admin.get("/settings/remove", params={"section": "alerts", "key": "offline"})
    off = await admin.post("/settings/remove", data={**hidden_in(page.text), "how": "off"})
    assert kept_ok(off, "setting_off")
    assert "offline" not in {each.key for each in (await now(site)).alerts}
    assert "Выключены: Нет на связи" in (await admin.get("/settings")).text
    page = await admin.get("/settings/remove", params={"section": "alerts", "key": "offline"})
    assert kept_ok(await admin.post("/settings/remove", data=hidden_in(page.text)), "setting_removed")
    assert "offline" in {each.key for each in (await now(site)).alerts}


async def test_a_new_alert_begins_with_what_it_warns_of(admin: httpx.AsyncClient, site: Site) -> None:
    kinds = (await admin.get("/settings/edit", params={"section": "alerts"})).text
    assert "/settings/edit?section=alerts&amp;kind=callers_waiting" in kinds
    answer = await fill(admin, "alerts", "", "long-queue", of="callers_waiting", more_than="5", longer="3 min")
    assert kept_ok(answer), answer.text
    rule = next(each for each in (await now(site)).alerts if each.key == "long-queue")
    assert (rule.kind.value, rule.more_than) == ("callers_waiting", 5)
    assert kept_ok(await fill(admin, "alerts", "long-queue", urgent="true"))
    rule = next(each for each in (await now(site)).alerts if each.key == "long-queue")
    assert (rule.urgent, rule.more_than) == (True, 5)


async def test_digests_are_numbered_by_themselves(admin: httpx.AsyncClient, site: Site) -> None:
    for at in ("08:00", "09:00"):
        assert kept_ok(await fill(admin, "digests", kind="weekly", on="mon", at=at, to=["chief"]))
    assert [each.at.hour for each in (await now(site)).digests] == [8, 9]
    page = (await admin.get("/settings")).text
    assert re.findall(r"section=digests&amp;key=(\d)\"", page)[::2] == ["1", "2"]
    assert kept_ok(await fill(admin, "digests", "2", kind="monthly", on="15"))
    assert [each.on for each in (await now(site)).digests] == ["mon", 15]


async def test_who_is_who_in_a_crm_is_kept_beside_the_files_own(admin: httpx.AsyncClient, site: Site) -> None:
    assert kept_ok(await fill(admin, "crm_users", "bitrix24", **{"101": "5", "102": "18"}))
    found = await now(site)
    assert found.crm["bitrix24"]["users"] == {"101": 17, "102": "18"}
    assert "crm-code" not in repr((await stored(site)).entries)
    assert kept_ok(await fill(admin, "crm_users", "bitrix24", **{"102": ""}))
    assert (await stored(site)).entries == []


async def test_what_is_emptied_is_as_by_default_again(admin: httpx.AsyncClient, site: Site) -> None:
    await fill(admin, "messages", quiet_hours="22:00-08:00", channels="email, telegram")
    assert (await now(site)).messages.channels == ("email", "telegram")
    assert kept_ok(await fill(admin, "messages", quiet_hours="", channels=""))
    assert (await stored(site)).entries == []


@pytest.fixture
async def shop(site: Site) -> Shop:
    """Two clients whom nobody called back: the phone of Anna rang for each of them for twelve seconds."""
    made = Shop(site.database, duties=site.duties, policy=site.policy)
    await made.misses()
    await made.misses("+79161234509")
    return made


async def test_a_queues_thresholds_are_kept_once_it_was_seen_what_they_change(
    admin: httpx.AsyncClient, site: Site, shop: Shop
) -> None:
    answer = await fill(admin, "queues", "", "sales", min_ring="20 s")
    assert answer.status_code == 200
    assert totals_in(answer.text)["Пропущено сотрудниками"] == (2, 0)
    assert (await stored(site)).entries == []
    seen = {**hidden_in(answer.text), **shown_in(answer.text), "name": "sales", "step": "save"}
    other = await admin.post("/settings/edit", data={**seen, "f.min_ring": "5 s", "f.short_abandon": "100 s"})
    assert (other.status_code, (await stored(site)).entries) == (200, [])
    assert kept_ok(await admin.post("/settings/edit", data=seen))
    assert (await now(site)).policy.queues["sales"].min_ring is not None


async def test_thresholds_are_saved_after_their_trial_and_only_by_an_administrator(
    client_of: ClientOf, site: Site, shop: Shop, app: FastAPI
) -> None:
    admin, chief = await client_of(Role.ADMIN), await client_of(Role.MANAGER)
    said = {"min_ring": "20 s", "callback_norm": "33 min", "days": "7"}
    blind = await admin.post("/settings/policy/save", data={**said, "revision": "0", "tried": ""})
    assert (blind.status_code, "Сначала посмотрите" in blind.text) == (422, True)
    assert "settings/policy/save" not in (await chief.post("/settings/policy", data=said)).text
    tried = (await admin.post("/settings/policy", data=said)).text
    assert "Задано в файле настроек и меняется только там: callback_norm" in tried
    form = tried[tried.index("settings/policy/save") :]
    seen = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    assert (await chief.post("/settings/policy/save", data=seen)).status_code == 403
    assert kept_ok(await admin.post("/settings/policy/save", data=seen))
    policy = (await now(site)).policy
    assert (policy.min_ring.seconds, policy.callback_norm.seconds) == (20, 900)
    assert kept_ok(await fill(admin, "policy", max_missed_share="10 %"))
    policy = (await now(site)).policy
    assert policy.min_ring.seconds == 20
    assert policy.max_missed_share == pytest.approx(0.1)


async def test_what_does_not_fit_any_more_is_shown_and_can_be_removed(admin: httpx.AsyncClient, site: Site) -> None:
    wish = Wish(section="people", key="thief", value={"devices": ["PJSIP/101"]})
    await writing(site.database, lambda c: change(c, wish, "boss", NOW))
    page = (await admin.get("/settings")).text
    assert "Сохранено, но не действует" in page
    assert "PJSIP/101 уже принадлежит другому" in page
    form = await admin.get("/settings/remove", params={"section": "people", "key": "thief"})
    assert kept_ok(await admin.post("/settings/remove", data=hidden_in(form.text)), "setting_removed")
    assert "Сохранено, но не действует" not in (await admin.get("/settings")).text


async def test_a_manager_looks_and_changes_nothing(client_of: ClientOf, site: Site) -> None:
    chief = await client_of(Role.MANAGER)
    page = (await chief.get("/settings")).text
    assert "/settings/edit" not in page
    assert "/settings/remove" not in page
    for path in ("edit", "remove"):
        assert (await chief.get(f"/settings/{path}", params={"section": "people", "key": "101"})).status_code == 403
        sent = {"section": "messages", "revision": "0", "f.quiet_hours": "22:00-08:00"}
        assert (await chief.post(f"/settings/{path}", data=sent)).status_code == 403
    assert (await stored(site)).entries == []


async def test_who_sees_no_numbers_has_no_fields_for_them_and_loses_none(client_of: ClientOf, site: Site) -> None:
    admin, other = await client_of(Role.ADMIN), await client_of(Role.ADMIN, person="lena", whole_numbers=False)
    await fill(admin, "people", "", "olga", mobiles="+79161234577")
    form = (await other.get("/settings/edit", params={"section": "people", "key": "olga"})).text
    assert "1234577" not in form
    assert kept_ok(await fill(other, "people", "olga", name="Ольга", mobiles="+70000000000"))
    olga = (await now(site)).people["olga"]
    assert (olga.name, olga.mobiles) == ("Ольга", ("+79161234577",))


async def test_a_form_without_its_token_or_of_another_session_changes_nothing(client_of: ClientOf, site: Site) -> None:
    admin = await client_of(Role.ADMIN)
    stale = admin.headers.pop("X-CSRF")
    sent = {"section": "messages", "key": SITE, "revision": "0", "f.quiet_hours": "22:00-08:00"}
    assert (await admin.post("/settings/edit", data=sent)).status_code == 403
    other = await client_of(Role.ADMIN, person="lena")
    other.headers["X-CSRF"] = stale
    assert (await other.post("/settings/edit", data=sent)).status_code == 403
    assert (await stored(site)).entries == []


async def test_what_is_nothing_is_not_found(admin: httpx.AsyncClient) -> None:
    for asked in (
        {"section": "moon"},
        {"section": "crm_users", "key": "pigeon"},
        {"section": "alerts", "key": "no_such"},
        {"section": "people", "key": "a\0b"},
    ):
        assert (await admin.get("/settings/edit", params=asked)).status_code == 404, asked
        assert (await admin.get("/settings/remove", params=asked)).status_code == 404, asked
        assert (await admin.post("/settings/edit", data=asked)).status_code == 404, asked
    for section in ("people", "steps"):
        assert (await admin.get("/settings/remove", params={"section": section, "key": "101"})).status_code == 404


async def test_in_english_too(client_of: ClientOf) -> None:
    client = await client_of(Role.ADMIN, language="en")
    for section in ("people", "teams", "queues", "policy", "hours", "messages", "callbacks", "steps", "digests"):
        text = (await client.get("/settings/edit", params={"section": section})).text
        assert 'lang="en"' in text
        body = text[text.index("<main") :].replace("Русский", "")
        names = "|".join(person["name"] for person in PEOPLE.values())
        assert re.search(r"[А-Яа-я]{3}", re.sub(f"{names}|Регистратура|Лаборатория", "", body)) is None, section


async def test_the_daemon_hears_of_it_before_the_answer_goes_out(site: Site, app: FastAPI, client_of: ClientOf) -> None:
    heard: list[str] = []

    async def settle() -> None:
        heard.append(((await now(site)).messages.quiet_hours and "settled") or "too early")

    app.state.site = replace(site, settle=settle)
    admin = await client_of(Role.ADMIN)
    assert kept_ok(await fill(admin, "messages", quiet_hours="22:00-08:00"))
    assert heard == ["settled"]
