"""People are warned once, in their language, of what their rules see in rows and on floors; a storm is one message."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import Kind, Rule, rule_of
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.policy import Policy, Team, WorkingHours
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.templates import Templates, Written
from pbxmonitor.settings_alerts import DEFAULT_ALERTS, to_rules
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.alert_pile import LINES, TEMPLATES
from pbxmonitor.store.alert_signs import working_ago
from pbxmonitor.store.notices import unpacked
from pbxmonitor.store.types import writing
from pbxmonitor.texts import LANGUAGES
from pbxmonitor.work.alerts import Alerts
from tests.work.shop import NODE, NOW, Shop, rows

MOSCOW = ZoneInfo("Europe/Moscow")
MINUTE = timedelta(minutes=1)
HOURS = WorkingHours(zone=MOSCOW)
POLICY = Policy(hours=HOURS, short_hangup=timedelta(seconds=3))
PEOPLE = (
    Person(key="101", name="Анна", team="desk", channels=("telegram",)),
    Person(key="102", name="Борис", channels=("telegram",)),
    Person(key="lena", name="Лена", role=Role.SUPERVISOR, leads=frozenset({"desk"}), channels=("telegram",)),
    Person(key="oleg", name="Олег", role=Role.SUPERVISOR, leads=frozenset({"field"}), channels=("telegram",)),
    Person(key="boss", name="Boss", role=Role.MANAGER, language="en", channels=("email", "sms")),
)
ROSTER = Roster(people={each.key: each for each in PEOPLE}, hours=HOURS)
AT_ONCE = {"hold": timedelta(), "clear_after": timedelta()}


class Desk:
    """A shop that is watched by rules; `looks` is one sweep at the story's time."""

    def __init__(self, engine: AsyncEngine, *rules: Rule, policy: Policy = POLICY, roster: Roster = ROSTER) -> None:
        self.engine = engine
        self.shop = Shop(engine, Duties(), policy)
        self.clock = ManualClock(NOW)
        self.lost: dict[str, datetime] = {}
        self.rules, self.policy, self.roster = rules, policy, roster
        self.alerts = self.born()

    @property
    def story(self) -> Any:
        return self.shop.story

    def born(self) -> Alerts:
        """The sweeps of a daemon that has just started."""
        floors = lambda: [self.story.floor]  # noqa: E731
        return Alerts(self.engine, self.rules, self.roster, self.policy, self.clock, floors, lambda: self.lost)

    async def looks(self, minutes: float = 0) -> int:
        """Some time later, all that was told recorded, one sweep; how many messages are owed."""
        self.story.after(minutes * 60)
        await self.shop.recorded()
        self.clock.advance((self.story.now - self.clock.now()).total_seconds())
        return await self.alerts.sweep()

    async def owed(self, state: str | None = "waiting") -> list[Any]:
        found = [row for row in await rows(self.engine, schema.delivery) if row.template in TEMPLATES]
        chosen = [row for row in found if state is None or row.state == state]
        return sorted(chosen, key=lambda row: (row.created_at, row.recipient, row.template))

    async def to(self, person: str = "boss") -> list[Written]:
        """What that person is owed, as it will be written."""
        mine = [row for row in await self.owed() if row.recipient == person]
        return [written(row, self.roster.people[person].language) for row in mine]

    async def all_go_out(self) -> list[str]:
        """The dispatcher takes what is due and sends it; its templates."""
        now = self.clock.now()

        def work(connection: sa.Connection) -> list[str]:
            taken = outbox.claim(connection, now, MINUTE, ["telegram", "email", "sms"], 100)
            assert all(outbox.sent(connection, each, now, None) for each in taken)
            return [each.template for each in taken]

        return await writing(self.engine, work)

    async def states(self) -> list[str]:
        return [row.state for row in await rows(self.engine, schema.alert)]


def written(row: Any, language: str) -> Written:
    return Templates(MOSCOW).render(Name(row.template), language, unpacked(json.loads(row.details)))


async def misses(desk: Desk, count: int, agent: str = "101") -> None:
    for number in range(count):
        await desk.shop.misses(f"+7916000{number:04d}", agent)


async def answers(desk: Desk, count: int, agent: str = "101", talks: float = 30) -> None:
    for number in range(count):
        await desk.shop.answers(agent, f"+7916100{number:04d}", talks)


def missed_share(**given: Any) -> Rule:
    return rule_of(Kind.MISSED_SHARE, **{**AT_ONCE, **given})


# each kind of rule, on real rows


async def test_a_missed_share_is_told_to_the_manager_and_to_the_supervisor_of_his_team(engine: AsyncEngine) -> None:
    desk = Desk(engine, missed_share())
    await answers(desk, 15)
    await misses(desk, 9)
    assert await desk.looks() == 2
    assert [(row.template, row.recipient, row.channel) for row in await desk.owed()] == [
        ("alert", "boss", "email"),
        ("alert", "lena", "telegram"),
    ]
    (russian,), (english,) = await desk.to("lena"), await desk.to("boss")
    assert russian.subject == "Внимание: Много пропущенных: Анна"
    assert "Пропущено 9 из 24 за 1 ч — 38 %, порог 12 %." in russian.text
    assert english.subject == "Attention: Many missed calls: Анна"
    assert "9 of 24 missed within 1 h: 38%, the limit is 12%." in english.text


async def test_few_calls_and_what_may_be_chance_are_told_to_nobody(engine: AsyncEngine) -> None:
    desk = Desk(engine, missed_share())
    await misses(desk, 9)
    assert await desk.looks() == 0
    await answers(desk, 40)
    assert await desk.looks(0.5) == 0  # 9 of 49: 18 %, whose interval holds 12 %


async def test_a_share_ends_well_with_its_new_numbers_and_without_calls_in_silence(engine: AsyncEngine) -> None:
    desk = Desk(engine, missed_share(to=("boss",), cool_down=timedelta()))
    await misses(desk, 10)
    assert await desk.looks() == 1
    await answers(desk, 3)
    assert await desk.looks(55) == 0  # the misses grow old: 3 of 3 are answered soon
    assert await desk.looks(3.3) == 1
    resolved = (await desk.to())[-1]
    assert "Well again: Many missed calls" in resolved.text
    assert "0 of 3 missed within 1 h: 0%." in resolved.text
    await misses(desk, 10)
    assert await desk.looks(1) == 1
    assert await desk.looks(70) == 0
    assert await desk.states() == ["resolved", "resolved"]


async def test_the_goal_of_the_team_is_the_limit_of_its_people(engine: AsyncEngine) -> None:
    team = Team(key="desk", name="Desk", members=frozenset({"101"}), max_missed_share=0.9)
    desk = Desk(engine, missed_share(), policy=replace(POLICY, teams=(team,)))
    await misses(desk, 10)
    await misses(desk, 10, agent="102")
    await desk.looks()
    assert [row.subject for row in await rows(engine, schema.alert)] == ["102"]


async def test_misses_in_a_row_are_broken_by_an_answer(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.MISSES_IN_A_ROW, to=("boss",)))
    await misses(desk, 2)
    await answers(desk, 1)
    await misses(desk, 2)
    assert await desk.looks() == 0
    await misses(desk, 1)
    assert await desk.looks(0.5) == 1
    (alert,) = await desk.to()
    assert "3 missed calls in a row" in alert.text
    await desk.all_go_out()
    await misses(desk, 2)
    assert await desk.looks(0.5) == 0  # the same row of misses
    await answers(desk, 1)
    assert await desk.looks(0.5) == 1
    assert "was answered" in (await desk.to())[-1].text


async def test_those_who_give_up_in_a_queue_are_told_of_but_not_those_who_leave_at_once(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.ABANDONED_SHARE, to=("lena",), least=5, **AT_ONCE))
    for number in range(8):
        desk.story.calls_in(f"+7916200{number:04d}").waits_in("sales").after(2).caller_leaves()
    await desk.shop.recorded()
    assert await desk.looks() == 0
    await answers(desk, 3)
    await misses(desk, 4)
    assert await desk.looks(0.5) == 1
    (alert,) = await desk.to("lena")
    assert alert.subject == "Внимание: Клиенты не дожидаются ответа: очередь «sales»"
    assert "Не дождались 4 из 7 за 1 ч — 57 %, порог 15 %." in alert.text


async def test_callers_who_wait_are_told_of_while_they_do(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.CALLERS_WAITING, longer=MINUTE, to=("boss",), **AT_ONCE))
    desk.story.calls_in().waits_in("sales")
    assert await desk.looks(1) == 0
    assert await desk.looks(0.1) == 1
    assert "1 caller is waiting, the longest for 1 min." in (await desk.to())[0].text
    desk.story.caller_leaves()
    assert await desk.looks(0.1) == 1
    assert (await desk.to())[-1].subject.startswith("Well again: Callers are waiting: queue “sales”")


async def test_callbacks_that_are_overdue_are_counted_by_their_owner(engine: AsyncEngine) -> None:
    rule = rule_of(Kind.CALLBACK_OVERDUE, more_than=1, longer=30 * MINUTE, to=("boss", "owner"))
    desk = Desk(engine, rule)
    await misses(desk, 2)
    await misses(desk, 1, agent="102")
    assert await desk.looks(39) == 0
    assert await desk.looks(1) == 2
    assert [row.recipient for row in await desk.owed()] == ["101", "boss"]
    assert "2 callbacks are overdue, the oldest was due at 12:10." in (await desk.to())[0].text
    await desk.all_go_out()
    await desk.shop.calls_back("102", "+79160000000")
    assert await desk.looks(0.5) == 2
    assert {row.template for row in await desk.owed()} == {"alert_resolved"}


async def test_callbacks_age_in_working_time_only(engine: AsyncEngine) -> None:
    hours = WorkingHours(zone=MOSCOW, week=(((time(9), time(20)),),) * 7)
    monday, opening = datetime(2026, 3, 2, 16, 50, tzinfo=UTC), datetime(2026, 3, 3, 6, tzinfo=UTC)
    ago = working_ago(hours, opening + 20 * MINUTE, 30 * MINUTE)
    assert abs(ago - monday) < timedelta(seconds=2)
    assert working_ago(HOURS, opening, 30 * MINUTE) == opening - 30 * MINUTE


async def test_who_is_away_is_told_of_with_his_reason(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.AWAY, longer=45 * MINUTE, to=("lena", "boss"), **AT_ONCE))
    desk.story.works_in("101", "sales").pauses("101", "sales", reason="lunch")
    assert await desk.looks(45) == 0
    assert await desk.looks(1) == 2
    (russian,), (english,) = await desk.to("lena"), await desk.to("boss")
    assert "Долго не принимает звонки: Анна" in russian.text
    assert "Пауза (lunch) уже 46 мин, порог 45 мин." in russian.text
    assert "Paused (lunch) for 46 min, the limit is 45 min." in english.text
    desk.story.unpauses("101", "sales")
    assert await desk.looks(1) == 2
    assert "lasted 47 min" in (await desk.to())[-1].text


async def test_without_peak_hours_of_the_settings_the_load_tells_them(engine: AsyncEngine) -> None:
    rule = rule_of(Kind.AWAY, states=frozenset({AgentState.DND}), in_peak=True, to=("boss",), **AT_ONCE)
    desk = Desk(engine, rule)
    for number in range(12):  # yesterday from 12 to 13 in Moscow; one call at 15
        await desk.shop.answers("101", f"+7916300{number:04d}")
    desk.story.at(NOW + timedelta(hours=3))
    await answers(desk, 5)
    desk.story.at(NOW + timedelta(hours=23, minutes=40)).works_in("101", "sales").dnd("101")
    assert await desk.looks(19) == 0  # not a peak hour yet
    assert await desk.looks(11) == 0
    assert await desk.looks(1) == 1
    assert "DND in peak hours for 11 min, the limit is 10 min." in (await desk.to())[0].text


async def test_a_phone_offline_in_working_hours_is_told_of_and_the_end_of_the_day_ends_it_in_silence(
    engine: AsyncEngine,
) -> None:
    hours = WorkingHours(zone=MOSCOW, week=(((time(9), time(13)),),) * 7)
    desk = Desk(engine, rule_of(Kind.OFFLINE, **AT_ONCE), policy=replace(POLICY, hours=hours))
    desk.story.works_in("101", "sales").phone_is("101", online=False)
    assert await desk.looks(10) == 0
    assert await desk.looks(1) == 2
    assert "The phone is offline for 11 min" in (await desk.to())[0].text
    assert await desk.looks(60) == 0
    assert await desk.states() == ["resolved"]


async def test_a_queue_without_anybody_is_told_of_after_a_minute(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.NOBODY_AVAILABLE, to=("lena",)))
    desk.story.works_in("101", "sales").dnd("101").calls_in().waits_in("sales")
    assert await desk.looks(0) == 0
    assert await desk.states() == ["pending"]
    assert await desk.looks(1) == 1
    (alert,) = await desk.to("lena")
    assert "В очереди некому ответить: очередь «sales»" in alert.text
    assert "Сотрудников в очереди: 1, принять звонок не может никто. Ждут ответа: 1." in alert.text


async def test_a_burst_of_short_hangups_is_told_of(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.SHORT_HANGUPS, to=("lena",)))
    for number in range(3):
        story = desk.story.calls_in(f"+7916400{number:04d}").waits_in("sales").rings("101").after(2)
        story.answers("101").after(1).hangs_up("101")
        assert await desk.looks(0.5) == (number == 2)
    (alert,) = await desk.to("lena")
    assert "За 1 ч — 3 звонка, сброшенных сразу после ответа." in alert.text


async def test_of_a_lost_link_it_is_told_how_long_nobody_listened(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.LINK_LOST, to=("boss",)))
    desk.lost = {NODE: NOW}
    assert await desk.looks(1) == 0
    assert await desk.looks(1) == 1
    (alert,) = await desk.to()
    assert alert.subject == "Attention: No link to the PBX: PBX “main”"
    assert "Not heard for 2 min" in alert.text
    await desk.all_go_out()
    desk.lost = {}
    assert await desk.looks(5) == 0
    assert await desk.looks(1) == 1
    (end,) = await desk.to()
    assert "It was not heard for 7 min: from 12:00 to 12:07." in end.text


async def test_of_a_pbx_that_is_not_heard_nothing_else_is_judged(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.AWAY, longer=MINUTE, **AT_ONCE), rule_of(Kind.LINK_LOST))
    desk.story.works_in("101", "sales").works_in("102", "sales").dnd("101")
    assert await desk.looks(2) == 2
    desk.lost = {NODE: desk.story.now}
    desk.story.dnd("101", on=False).dnd("102")
    await desk.looks(5)
    assert {(row.kind, row.subject, row.state) for row in await rows(engine, schema.alert)} == {
        ("away", "101", "firing"),
        ("link_lost", NODE, "firing"),
    }


# what is told, and when


async def test_sweeps_repeat_nothing_and_a_restart_changes_nothing(engine: AsyncEngine) -> None:
    rule = rule_of(Kind.AWAY, longer=MINUTE, hold=2 * MINUTE, clear_after=2 * MINUTE, to=("boss",), remind_every=None)
    desk = Desk(engine, rule)
    desk.story.works_in("101", "sales").dnd("101")
    told = []
    for minute in range(12):
        if minute == 8:
            desk.story.dnd("101", on=False)
        desk.alerts = desk.born()
        told.append(await desk.looks(1))
        assert await desk.alerts.sweep() == 0
    assert told == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]


async def test_a_sweep_that_fails_leaves_nothing_and_the_next_one_tells_it_all(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.AWAY, longer=MINUTE, to=("boss",), **AT_ONCE))
    desk.story.works_in("101", "sales").dnd("101")
    broken = replace(desk.roster, people={**desk.roster.people, "boss": replace(PEOPLE[4], language="xx")})
    desk.roster = broken
    desk.alerts = desk.born()
    with pytest.raises(FileNotFoundError):
        await desk.looks(2)
    assert (await desk.states(), await desk.owed()) == ([], [])
    desk.roster = ROSTER
    desk.alerts = desk.born()
    assert await desk.looks() == 1
    assert await desk.states() == ["firing"]


async def test_reminders_say_since_when_and_which_one_they_are(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.AWAY, longer=MINUTE, to=("boss",), remind_every=30 * MINUTE, **AT_ONCE))
    desk.story.works_in("101", "sales").dnd("101")
    assert [await desk.looks(minutes) for minutes in (2, 29, 1)] == [1, 0, 1]
    assert "Reminder 1: so since 12:00." in (await desk.to())[0].text


async def test_a_rule_may_name_its_channels_its_title_and_whom_it_tells(engine: AsyncEngine) -> None:
    rule = rule_of(Kind.AWAY, longer=MINUTE, to=("boss",), channels=("sms",), title="Dentists!", **AT_ONCE)
    nobody = rule_of(Kind.AWAY, name="nobody", longer=MINUTE, to=("boss",), channels=("telegram",), **AT_ONCE)
    desk = Desk(engine, rule, nobody)
    desk.story.works_in("101", "sales").dnd("101")
    assert await desk.looks(2) == 1
    assert [(row.channel, row.recipient) for row in await desk.owed()] == [("sms", "boss")]
    assert (await desk.to())[0].subject == "Attention: Dentists!: Анна"


async def test_an_alert_of_a_rule_that_is_gone_ends_without_a_word(engine: AsyncEngine) -> None:
    desk = Desk(engine, rule_of(Kind.AWAY, longer=MINUTE, **AT_ONCE))
    desk.story.works_in("101", "sales").dnd("101")
    assert await desk.looks(2) == 2
    desk.rules = ()
    desk.alerts = desk.born()
    assert await desk.looks(1) == 0
    assert await desk.states() == ["resolved"]


# storms and quiet hours


def away(desk: Desk, *agents: str) -> None:
    for agent in agents:
        desk.story.works_in(agent, "sales").dnd(agent)


AWAY = rule_of(Kind.AWAY, longer=MINUTE, to=("boss",), **AT_ONCE)


async def test_three_at_once_are_three_messages_and_four_are_one_summary(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY)
    away(desk, "101", "102", "103")
    assert await desk.looks(2) == 3
    await desk.all_go_out()
    for agent in ("101", "102", "103"):
        desk.story.dnd(agent, on=False)
    away(desk, "104")
    await desk.looks(2)
    (summary,) = await desk.owed()
    assert (summary.template, summary.recipient, summary.due_at) == ("summary", "boss", desk.clock.now())
    words = unpacked(json.loads(summary.details))
    assert words["title"] == "4 alerts"
    assert words["more"] == 0
    assert sorted(words["lines"]) == [
        "Away from calls for long: 104. DND for 2 min, the limit is 1 min.",
        "Well again: Away from calls for long: 103, from 12:00 to 12:04.",
        "Well again: Away from calls for long: Анна, from 12:00 to 12:04.",
        "Well again: Away from calls for long: Борис, from 12:00 to 12:04.",
    ]


async def test_what_follows_within_a_minute_comes_together_a_minute_later(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY)
    away(desk, "101", "102")
    desk.story.after(30)
    away(desk, "103", "104")
    assert await desk.looks(0.6) == 2
    assert await desk.all_go_out() == ["alert", "alert"]
    assert await desk.looks(0.5) == 1
    (summary,) = await desk.owed()
    assert (summary.template, summary.due_at) == ("summary", desk.clock.now() + MINUTE)
    assert len(json.loads(summary.details)["lines"]) == 2


async def test_a_storm_that_goes_on_fills_one_summary_that_waits_for_it(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY)
    away(desk, "101", "102", "103", "104", "105")
    desk.story.after(20)
    away(desk, "106")
    desk.story.after(20)
    away(desk, "107")
    assert await desk.looks(0.4) == 1  # 64 s after the first five
    assert await desk.all_go_out() == ["summary"]
    first = desk.clock.now()
    assert await desk.looks(0.3) == 1
    assert await desk.looks(0.4) == 1
    (waiting,) = await desk.owed()
    assert (waiting.template, waiting.due_at - first) == ("summary", timedelta(seconds=78))
    assert len(json.loads(waiting.details)["lines"]) == 2
    assert await desk.all_go_out() == []
    assert await desk.looks(1) == 0
    assert await desk.all_go_out() == ["summary"]
    states = [(row.template, row.state) for row in await desk.owed(None)]
    assert sorted(states) == [("summary", "cancelled"), ("summary", "sent"), ("summary", "sent")]


async def test_a_great_storm_says_how_many_more_there_are(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY)
    away(desk, *(str(200 + number) for number in range(LINES + 5)))
    assert await desk.looks(2) == 1
    (row,) = await desk.owed()
    words = unpacked(json.loads(row.details))
    assert (len(words["lines"]), words["more"], words["title"]) == (LINES, 5, f"{LINES + 5} alerts")
    assert "…" in written(row, "ru").text


async def test_an_outage_that_ends_is_one_message_not_thirty(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY, rule_of(Kind.LINK_LOST, to=("boss",), urgent=False))
    desk.lost = {NODE: NOW}
    assert await desk.looks(2) == 1
    await desk.all_go_out()
    away(desk, *(str(200 + number) for number in range(30)))
    desk.lost = {}
    desk.story.after(600)
    assert await desk.looks() == 0  # a link that is back first tells what has changed
    assert await desk.looks(0.2) == 1
    (row,) = await desk.owed()
    assert (row.template, json.loads(row.details)["more"]) == ("summary", 11)


NIGHT = ((time.min, time(8)), (time(22), time.max))


def sleeper() -> Roster:
    return replace(ROSTER, people={**ROSTER.people, "boss": replace(PEOPLE[4], quiet=NIGHT)})


async def test_in_quiet_hours_messages_wait_until_the_morning_unless_they_are_urgent(engine: AsyncEngine) -> None:
    urgent = rule_of(Kind.LINK_LOST, to=("boss",))
    desk = Desk(engine, AWAY, urgent, roster=sleeper())
    desk.story.at(datetime(2026, 11, 24, 20, tzinfo=UTC))  # 23:00 in Moscow
    away(desk, "101")
    assert await desk.looks(2) == 1
    desk.lost = {NODE: desk.story.now}
    assert await desk.looks(2) == 1
    due = {row.details: row.due_at for row in await desk.owed()}
    assert sorted(due.values()) == [desk.clock.now(), datetime(2026, 11, 25, 5, tzinfo=UTC)]
    assert await desk.all_go_out() == ["alert"]


async def test_what_ended_in_the_night_is_one_line_of_the_morning_each(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY, roster=sleeper())
    desk.story.at(datetime(2026, 11, 24, 20, tzinfo=UTC))
    away(desk, "101")
    assert await desk.looks(2) == 1
    desk.story.dnd("101", on=False)
    assert await desk.looks(30) == 1
    assert [(row.template, row.due_at.hour) for row in await desk.owed()] == [("alert_resolved", 5)]
    for agent in ("102", "103", "104"):
        away(desk, agent)
        assert await desk.looks(2) == 1
    desk.story.dnd("102", on=False)
    assert await desk.looks(10) == 1
    (summary,) = await desk.owed()
    assert (summary.template, summary.due_at) == ("summary", datetime(2026, 11, 25, 5, tzinfo=UTC))
    lines = json.loads(summary.details)["lines"]
    assert [line.partition(":")[0] for line in lines] == [
        "Well again",
        "Away from calls for long",
        "Away from calls for long",
        "Well again",
    ]


async def test_what_somebody_is_sending_already_is_left_alone(engine: AsyncEngine) -> None:
    desk = Desk(engine, AWAY)
    away(desk, "101")
    await desk.looks(2)
    claimed = lambda connection: outbox.claim(connection, desk.clock.now(), MINUTE, ["email"], 9)  # noqa: E731
    (taken,) = await writing(engine, claimed)
    desk.story.dnd("101", on=False)
    assert await desk.looks(0.1) == 1
    assert await writing(engine, lambda connection: outbox.sent(connection, taken, NOW, None))
    assert sorted(row.template for row in await desk.owed(None)) == ["alert", "alert_resolved"]


# the words


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_default_rules_speak_both_languages(engine: AsyncEngine, language: str) -> None:
    """Much goes wrong at once: whatever is said of it has its text."""
    boss = replace(PEOPLE[4], language=language)
    policy = replace(POLICY, peak_hours=frozenset(range(24)))
    desk = Desk(engine, *to_rules(DEFAULT_ALERTS), policy=policy, roster=Roster(people={"boss": boss}, hours=HOURS))
    await answers(desk, 3, agent="102")
    await misses(desk, 10)
    away(desk, "101")
    desk.story.phone_is("102", online=False)
    for number in range(5):
        desk.story.calls_in(f"+7916500{number:04d}").waits_in("sales")
    desk.story.after(55 * 60)
    assert await desk.looks() >= 1
    await desk.looks(3)
    kinds = {row.kind for row in await rows(engine, schema.alert) if row.state == "firing"}
    assert kinds >= {"away", "callers_waiting", "nobody_available", "callback_overdue", "misses_in_a_row"}
    lines = [line for row in await desk.owed(None) for line in json.loads(row.details).get("lines", ())]
    assert lines
    assert not any("{" in line or "None" in line for line in lines)
