"""Digests: their figures are those of the reports, each is written once, and everybody reads what is his to read."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import reporting
from pbxmonitor.charts import Chart
from pbxmonitor.clock import ManualClock
from pbxmonitor.columns import Kind, spelled
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Attempt, AttemptResult, Callback, State
from pbxmonitor.domain.digest import DigestKind, DigestPlan, Money
from pbxmonitor.domain.policy import Policy, Team, WorkingHours
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.templates import Templates
from pbxmonitor.store import schema
from pbxmonitor.store.debts import debt_row
from pbxmonitor.store.notices import unpacked
from pbxmonitor.store.types import insert_new, reading, write, writing
from pbxmonitor.texts import speak
from pbxmonitor.work.digest_words import amount
from pbxmonitor.work.digests import Digests, drawn
from tests.store.test_queue_report import Story, keep

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TUESDAY_MORNING = datetime(2026, 3, 3, 8, 30, tzinfo=UTC)
TEAMS = (
    Team(key="front", name="Front", members=frozenset({"anna", "boris"}), max_missed_share=0.3),
    Team(key="back", name="Back", members=frozenset({"vera", "101"})),
)
POLICY = Policy(min_offered_for_rating=3, teams=TEAMS, hours=WorkingHours(zone=UTC))
MONEY = Money(call_value=4000, conversion=0.25, currency="₽")
CALLBACKS = DigestPlan(kind=DigestKind.CALLBACKS, days=3)


def person(key: str, name: str, role: Role, **more: Any) -> Person:
    return Person(key=key, name=name, role=role, **{"language": "ru", "channels": ("telegram",), **more})


ROSTER = Roster(
    people={
        each.key: each
        for each in (
            person("anna", "Анна", Role.EMPLOYEE, team="front"),
            person("boris", "Борис", Role.EMPLOYEE, team="front"),
            person("vera", "Вера", Role.EMPLOYEE, team="back"),
            person("sergey", "Сергей", Role.SUPERVISOR, leads=frozenset({"back"})),
            person("maria", "Мария", Role.MANAGER),
            person("dan", "Dan", Role.DIRECTOR, language="en", channels=("email", "telegram")),
        )
    }
)


def at(hour: float, day: datetime = MONDAY) -> datetime:
    return day + timedelta(hours=hour)


def missed(key: str, agent: str, when: datetime) -> Call:
    return Story(key, when).queue("sales", 0, 30, "abandoned").leave(agent, "sales", 2, 30)


def answered(key: str, agent: str, when: datetime, after: float = 8) -> Call:
    return Story(key, when).queue("sales", 0, after, "answered").answer(agent, "sales", 2, after, after + 60).end(70)


def day_of_calls(day: datetime = MONDAY, prefix: str = "") -> list[Call]:
    """Anna misses 4 of 6, Boris 1 of 4, Vera 2 of 5, 101 the one that he is offered."""
    told = {"anna": (4, 2), "boris": (1, 3), "vera": (2, 3), "101": (1, 0)}
    calls: list[Call] = []
    for agent, (lost, taken) in told.items():
        for number in range(lost + taken):
            make = missed if number < lost else answered
            key = f"{prefix}{agent}-{number}"
            calls.append(make(key, agent, at(9 + len(calls) / 3, day)))
    return calls


def debt(key: str, owner: str | None, opened_at: datetime, tried_after: float | None = None, **more: Any) -> Callback:
    """A callback of ten minutes; `tried_after` minutes somebody tried and was not answered, unless said otherwise."""
    tries: tuple[Attempt, ...] = ()
    if tried_after is not None:
        tried_at = opened_at + timedelta(minutes=tried_after)
        result = AttemptResult.NO_ANSWER
        tries = (Attempt(agent="boris", call=f"try-{key}", at=tried_at, rang_s=20, talk_s=0, result=result),)
    made = Callback(
        node="main",
        number=f"+7495{crc32(key.encode()) % 10**7:07}",
        line="1001",
        state=State.ATTEMPTED if tries else State.OPEN,
        missed_calls=(key,),
        owner=owner,
        opened_at=opened_at,
        due_at=opened_at + timedelta(minutes=10),
        attempts=tries,
    )
    return replace(made, **more)


def reached(key: str, owner: str | None, opened_at: datetime, after: float, by: str) -> Callback:
    closed_at = opened_at + timedelta(minutes=after)
    return debt(key, owner, opened_at, after, state=State.REACHED, rescuer=by, closed_at=closed_at, closed_by_call="x")


async def owe(engine: AsyncEngine, *debts: Callback) -> None:
    await writing(engine, lambda connection: insert_new(connection, schema.node, [{"name": "main"}]))
    rows = [debt_row(each) for each in debts]
    await writing(engine, lambda connection: write(connection, schema.callback, rows))


def digests(engine: AsyncEngine, *plans: DigestPlan, now: datetime = TUESDAY_MORNING, **more: Any) -> Digests:
    given: dict[str, Any] = {"money": MONEY, "roster": ROSTER, "policy": POLICY, "draw": lambda _: None, **more}
    return Digests(database=engine, digests=plans or (DigestPlan(),), clock=ManualClock(now), **given)


async def told(engine: AsyncEngine) -> dict[str, dict[str, Any]]:
    """What is owed to each person, unpacked; one message each."""
    rows = await reading(engine, lambda connection: connection.execute(sa.select(schema.delivery)).all())
    found = {row.recipient: {**row._mapping, "words": unpacked(json.loads(row.details))} for row in rows}
    assert len(found) == len(rows)
    return found


def figure(words: dict[str, Any], title: str) -> dict[str, Any]:
    return next(each for each in words["figures"] if each["title"] == title)


async def test_the_figures_of_a_digest_are_those_of_the_reports_of_that_day(engine: AsyncEngine, url: str) -> None:
    await keep(engine, POLICY, *day_of_calls(), *day_of_calls(MONDAY - timedelta(days=1), "sun-")[2:])
    assert await digests(engine).sweep() == 2
    words = (await told(engine))["maria"]["words"]
    rows = await reporting.agents(url, MONDAY, at(24))
    stages = await reporting.stages(url, MONDAY, at(24))
    lost, offered = sum(row["missed"] for row in rows), sum(row["offered"] for row in rows)
    pickup = sum(row["pickup_mean_s"] * row["answered"] for row in rows if row["answered"]) / (offered - lost)
    expected = {
        "Входящих звонков": (str(stages["calls"]), "14", None),
        "Потеряно звонков": (str(stages["lost"]), "6", None),
        "Пропущено сотрудниками": (str(lost), "6", None),
        "Доля пропущенных": (spelled(lost / offered, Kind.SHARE), "42,9 %", "≤ 12,0 %"),
        "Снимают трубку за": (f"{spelled(pickup, Kind.SECONDS)} с", "6,0 с", None),
    }
    found = {each["title"]: (each["value"], each["before"], each["norm"]) for each in words["figures"]}
    assert {title: found[title] for title in expected} == expected
    assert (words["begin"], words["end"]) == (date(2026, 3, 2), None)
    assert words["stuck"] == ({"place": "очередь sales", "calls": lost},)


async def test_who_misses_most_is_told_of_those_alone_who_were_offered_enough(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    await digests(engine).sweep()
    words = (await told(engine))["maria"]["words"]
    assert [(each["name"], each["missed"], each["offered"]) for each in words["worst"]] == [
        ("Анна", 4, 6),
        ("Вера", 2, 5),
        ("Борис", 1, 4),
    ]
    assert words["few"] == "Мало звонков, чтобы сравнивать (меньше 3): 101"


async def test_a_few_unlucky_calls_do_not_outrank_a_steady_habit(engine: AsyncEngine) -> None:
    """Two of three are two thirds, 12 of 20 less than that; of the second one can be surer."""
    unlucky = [missed("b-0", "boris", at(9)), missed("b-1", "boris", at(9.1)), answered("b-2", "boris", at(9.2))]
    steady = [(missed if n < 12 else answered)(f"a-{n}", "anna", at(10 + n / 10)) for n in range(20)]
    await keep(engine, POLICY, *unlucky, *steady)
    await digests(engine, DigestPlan(top=5)).sweep()
    assert [each["name"] for each in (await told(engine))["maria"]["words"]["worst"]] == ["Анна", "Борис"]


async def test_who_reached_most_clients_is_told_whosever_they_were(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    own = reached("1", "vera", at(10), 5, "vera")
    await owe(engine, own, *(reached(f"{n}", "anna", at(10 + n / 10), 20, "boris") for n in (2, 3)))
    await digests(engine).sweep()
    words = (await told(engine))["maria"]["words"]
    assert words["rescuers"] == ({"name": "Борис", "reached": 2}, {"name": "Вера", "reached": 1})


def three_days_of_debts() -> list[Callback]:
    saturday, sunday = MONDAY - timedelta(days=2), MONDAY - timedelta(days=1)
    return [
        reached("in-norm", "anna", at(10), 10, "boris"),
        debt("tried", "anna", at(11), 3),
        reached("late", "anna", at(12, saturday), 11, "anna"),
        debt("lost", "anna", at(13)),
        debt("expired", "boris", at(14, sunday), state=State.EXPIRED),
        debt("returned", "boris", at(15), state=State.CLIENT_RETURNED, closed_at=at(16), rescuer="vera"),
        debt("dismissed", None, at(16), state=State.DISMISSED, closed_at=at(17)),
        debt("waiting", "vera", at(17), due_at=at(40)),
        debt("too old", "anna", at(-49)),
        debt("too new", "anna", at(24)),
    ]


async def test_the_callback_report_of_three_days_adds_up(engine: AsyncEngine, url: str) -> None:
    await owe(engine, *three_days_of_debts())
    assert await digests(engine, CALLBACKS).sweep() == 2
    words = (await told(engine))["maria"]["words"]
    fates = ("in_norm", "late", "lost", "returned", "dismissed", "waiting")
    assert {fate: words[fate] for fate in fates} == dict(zip(fates, (2, 1, 2, 1, 1, 1), strict=True))
    assert words["opened"] == sum(words[fate] for fate in fates) == 8
    for name in ("opened", *fates):
        assert words[name] == sum(each[name] for each in words["people"])
    assert [(each["name"], each["opened"], each["in_norm"]) for each in words["people"]] == [
        ("Анна", 4, 2),
        ("Борис", 2, 0),
        ("Вера", 1, 0),
        ("без ответственного", 1, 0),
    ]
    rows = {row["agent"]: row for row in await reporting.agents(url, at(-48), at(24))}
    assert (rows["anna"]["owned"], rows["anna"]["in_norm"]) == (4, 2)
    text = Templates(ZoneInfo("UTC")).render(Name.CALLBACK_REPORT, "ru", words).text
    assert text.startswith("Перезвоны за 28.02.2026 — 02.03.2026")
    assert "В срок: 2 (25 %)" in text


async def test_a_teams_own_norm_decides_what_is_in_time(engine: AsyncEngine) -> None:
    await owe(engine, debt("1", "anna", at(10), 4), debt("2", "anna", at(11), 6), debt("3", "vera", at(12), 6))
    front = replace(TEAMS[0], callback_norm=timedelta(minutes=5))
    await digests(engine, CALLBACKS, policy=replace(POLICY, teams=(front, TEAMS[1]))).sweep()
    people = (await told(engine))["maria"]["words"]["people"]
    assert {each["name"]: (each["in_norm"], each["late"]) for each in people} == {"Анна": (1, 1), "Вера": (1, 0)}


@pytest.mark.parametrize(
    ("reader", "said"), [("maria", "2\u00a0000\u00a0₽ за 2 клиентов"), ("dan", "₽2,000 for 2 customers")]
)
async def test_clients_whom_nobody_reached_are_money_in_the_readers_language(
    engine: AsyncEngine, reader: str, said: str
) -> None:
    """Lost, and tried in vain; not those reached, come back, dismissed or still in time. Lost twice is one client."""
    lost = debt("lost", "anna", at(13))
    again = replace(lost, line="2002", missed_calls=("again",), opened_at=at(14))
    await owe(engine, *(each for each in three_days_of_debts() if each.missed_calls[0] != "lost"), lost, again)
    await digests(engine).sweep()
    assert (await told(engine))[reader]["words"]["money"] == said
    await writing(engine, lambda connection: connection.execute(sa.delete(schema.digest)))
    await writing(engine, lambda connection: connection.execute(sa.delete(schema.delivery)))
    await digests(engine, money=None).sweep()
    assert (await told(engine))[reader]["words"]["money"] is None


@pytest.mark.parametrize(
    ("language", "currency", "said"),
    [
        ("ru", "₽", "1\u00a0234\u00a0568\u00a0₽"),
        ("en", "$", "$1,234,568"),
        ("en", "KZT", "1,234,568\u00a0KZT"),
        ("ru", "сум", "1\u00a0234\u00a0568\u00a0сум"),
    ],
)
def test_an_amount_is_written_as_its_language_writes_it(
    language: str, currency: str, said: str, language_restored: None
) -> None:
    speak(language)
    assert amount(1234567.8, currency) == said


async def test_nothing_that_happened_is_no_digest_and_is_not_looked_for_again(engine: AsyncEngine) -> None:
    work = digests(engine, DigestPlan(), CALLBACKS)
    assert await work.sweep() == 0
    assert await told(engine) == {}
    await keep(engine, POLICY, *day_of_calls())
    await owe(engine, debt("1", "anna", at(10)))
    assert await work.sweep() == 0


async def test_figures_without_calls_say_so_instead_of_nought_per_cent(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, Story("1", at(10)).stage("ivr", "menu", 0, 12, "abandoned").end(12, left=True))
    await digests(engine).sweep()
    words = (await told(engine))["maria"]["words"]
    assert figure(words, "Доля пропущенных") == {
        "title": "Доля пропущенных",
        "value": "нет данных",
        "before": None,
        "norm": "≤ 12,0 %",
    }
    assert (words["worst"], words["rescuers"], words["callbacks"], words["money"]) == ((), (), None, None)


async def test_a_supervisor_reads_of_his_team_and_an_employee_of_himself(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    await owe(engine, debt("1", "anna", at(10)), debt("2", "vera", at(11), 2))
    assert await digests(engine, DigestPlan(to=("supervisor", "anna"))).sweep() == 2
    found = await told(engine)
    assert found.keys() == {"sergey", "anna"}
    his, hers = found["sergey"]["words"], found["anna"]["words"]
    assert [each["name"] for each in his["worst"]] == ["Вера"]
    assert (figure(his, "Предложено сотрудникам")["value"], his["callbacks"]["opened"]) == ("6", 1)
    assert (his["stuck"], his["few"]) == ((), "Мало звонков, чтобы сравнивать (меньше 3): 101")
    assert not {"Анна", "Борис"} & {name for name in ("Анна", "Борис") if name in str(his)}
    assert figure(hers, "Доля пропущенных")["norm"] == "≤ 30,0 %"
    assert (figure(hers, "Пропущено сотрудниками")["value"], hers["worst"], hers["money"]) == ("4", (), None)


async def test_what_was_missed_while_we_were_down_is_made_up_once_and_only_the_last(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *(call for day in range(4) for call in day_of_calls(at(24 * day), f"{day}-")))
    plans = DigestPlan(to=("maria",)), DigestPlan(kind=DigestKind.WEEKLY, to=("maria",))
    work = digests(engine, *plans, now=at(24 * 4 + 23))
    assert await work.sweep() == 1
    assert await digests(engine, *plans, now=at(24 * 4 + 23)).sweep() == 0
    found = (await told(engine))["maria"]
    assert found["words"]["begin"] == date(2026, 3, 5)
    assert found["expires_at"] == at(24 * 5 + 8.5)
    rows = await reading(engine, lambda connection: connection.execute(sa.select(schema.digest)).all())
    assert sorted((row.kind, row.begin.isoformat()) for row in rows) == [
        ("daily", "2026-03-05"),
        ("weekly", "2026-02-23"),
    ]


async def test_two_sweeps_at_a_time_make_one_digest(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    both = [digests(engine, DigestPlan(to=("maria", "dan", "sergey"))) for _ in range(2)]
    async with asyncio.timeout(20):
        written = await asyncio.gather(*(each.sweep() for each in both))
    assert sum(written) == 3
    assert (await told(engine)).keys() == {"maria", "dan", "sergey"}


@pytest.mark.parametrize("changes", [date(2026, 3, 29), date(2026, 10, 25)])
async def test_days_on_which_clocks_change_are_told_once_and_whole(engine: AsyncEngine, changes: date) -> None:
    """Swept every half hour for four days, at a moment that the clocks leave out or tell twice."""
    policy = replace(POLICY, hours=WorkingHours(zone=BERLIN))
    edges = [policy.hours.day_span(changes + timedelta(days=ahead)) for ahead in (-1, 0, 1)]
    calls = [call for begin, end in edges for call in (begin, end - timedelta(minutes=2))]
    await keep(engine, policy, *(missed(f"{n}", "anna", when) for n, when in enumerate(calls)))
    work = digests(engine, DigestPlan(at=time(2, 30), to=("maria",)), policy=policy, now=edges[0][0])
    clock = work.clock
    assert isinstance(clock, ManualClock)
    written = []
    while clock.now() < edges[2][1] + timedelta(hours=4):
        if await work.sweep():
            written.append(clock.now().astimezone(BERLIN).date())
        clock.advance(1800)
    assert written == [changes + timedelta(days=ahead) for ahead in (0, 1, 2)]
    rows = await reading(
        engine, lambda connection: connection.execute(sa.select(schema.delivery.c.details)).scalars().all()
    )
    assert [figure(unpacked(json.loads(row)), "Входящих звонков")["value"] for row in rows] == ["2", "2", "2"]


async def test_quiet_hours_are_kept_and_the_channels_of_the_plan_are_used(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    people = {"dan": replace(ROSTER.people["dan"], quiet=((time(0), time(10)),)), "maria": ROSTER.people["maria"]}
    plan = DigestPlan(channels=("email",))
    work = digests(engine, plan, roster=replace(ROSTER, people=people))
    assert await work.sweep() == 1
    row = (await told(engine))["dan"]
    assert (row["channel"], row["due_at"], row["template"]) == ("email", at(34), "digest")
    assert work.next_at(TUESDAY_MORNING) == TUESDAY_MORNING + timedelta(days=1)
    assert digests(engine).next_at(at(5)) == at(8.5)
    assert replace(work, digests=()).next_at(at(5)) is None


async def test_charts_go_with_it_drawn_once_for_all_who_see_the_same(engine: AsyncEngine) -> None:
    drawn_titles: list[str] = []

    def draw(chart: Chart) -> bytes | None:
        drawn_titles.append(chart.title)
        return chart.title.encode()

    await keep(engine, POLICY, *day_of_calls())
    people = {**ROSTER.people, "olga": person("olga", "Ольга", Role.DIRECTOR)}
    await digests(engine, draw=draw, roster=replace(ROSTER, people=people)).sweep()
    found = await told(engine)
    images = found["maria"]["words"]["images"]
    assert [each["name"] for each in images] == ["missed.png", "load.png", "funnel.png"]
    assert images == found["olga"]["words"]["images"]
    assert all(each["png"] == each["alt"].encode() for each in images)
    assert len(drawn_titles) == len(set(drawn_titles)) == 6  # in two languages


async def test_without_charts_nothing_is_drawn(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *day_of_calls())
    await digests(engine, DigestPlan(charts=False), draw=_refuse).sweep()
    assert "images" not in (await told(engine))["maria"]["words"]


def _refuse(chart: Chart) -> bytes | None:
    raise AssertionError(chart)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_digest_reads_as_a_message(language: str) -> None:
    """A whole one is shown by the examples of the templates; here, that our extra words are in the text."""
    words: dict[str, Any] = {
        "begin": date(2026, 3, 2),
        "end": None,
        "figures": (),
        "worst": (),
        "few": "FEW",
        "rescuers": (),
        "callbacks": {"opened": 9, "in_norm": 1, "late": 1, "lost": 1, "returned": 2, "dismissed": 3, "waiting": 4},
        "stuck": (),
        "money": None,
    }
    text = Templates(ZoneInfo("UTC")).render(Name.DIGEST, language, words).text
    assert "FEW" in text
    assert all(str(number) in text.split("9,")[-1] for number in (1, 2, 3, 4))


def test_a_picture_is_a_png() -> None:
    pytest.importorskip("matplotlib")
    from pbxmonitor.charts import Bars

    png = drawn(Bars(title="Пропущено", labels=("Анна",), values=(0.4,), kind=Kind.SHARE))
    assert png is not None
    assert png.startswith(b"\x89PNG")
