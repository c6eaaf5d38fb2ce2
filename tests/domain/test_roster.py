"""Whom the words of the settings mean, and when nobody may be disturbed."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.domain.policy import WorkingHours
from pbxmonitor.domain.roster import Person, Role, Roster

MOSCOW = ZoneInfo("Europe/Moscow")
NIGHT = ((time(0), time(8)), (time(22), time.max))
ANNA = Person(key="anna", name="Анна", team="desk")
BORIS = Person(key="boris", name="Борис", team="sales")
LENA = Person(key="lena", name="Лена", role=Role.SUPERVISOR, leads=frozenset({"desk"}))
OLEG = Person(key="oleg", name="Олег", role=Role.SUPERVISOR)
VERA = Person(key="vera", name="Вера", role=Role.MANAGER)
CHIEF = Person(key="chief", name="Шеф", role=Role.DIRECTOR)
ROSTER = Roster(
    people={each.key: each for each in (ANNA, BORIS, LENA, OLEG, VERA, CHIEF)},
    reserve=("boris",),
    team_reserve={"sales": ("anna", "nobody")},
    hours=WorkingHours(zone=MOSCOW),
)


@pytest.mark.parametrize(
    ("words", "agent", "people"),
    [
        (["owner"], "anna", ["anna"]),
        (["owner"], "104", []),
        (["supervisor"], "anna", ["lena"]),
        (["supervisor"], "boris", ["oleg"]),
        (["supervisor"], None, ["oleg"]),
        (["reserve"], "anna", ["boris"]),
        (["reserve"], "boris", ["anna"]),
        (["manager", "director"], None, ["vera", "chief"]),
        (["team:sales"], None, ["boris"]),
        (["vera", "owner", "vera"], "anna", ["vera", "anna"]),
        (["nobody"], "anna", []),
    ],
)
def test_a_word_means_these_people(words: list[str], agent: str | None, people: list[str]) -> None:
    assert [each.key for each in ROSTER.told(words, agent)] == people


def test_a_supervisor_leads_his_teams_and_one_without_teams_everybody() -> None:
    assert [ROSTER.leads(LENA, agent) for agent in ("anna", "boris", "104")] == [True, False, False]
    assert [ROSTER.leads(OLEG, agent) for agent in ("anna", "boris", "104")] == [True] * 3
    assert [ROSTER.leads(each, "boris") for each in (VERA, CHIEF, ANNA)] == [True, True, False]


@pytest.mark.parametrize(
    ("local", "awake"),
    [("12:00", "12:00"), ("21:59", "21:59"), ("22:00", "08:00+1"), ("23:59", "08:00+1"), ("03:00", "08:00")],
)
def test_who_sleeps_is_told_in_the_morning(local: str, awake: str) -> None:
    at = datetime.combine(datetime(2026, 11, 24, tzinfo=UTC).date(), time.fromisoformat(local), MOSCOW)
    sleeper = Person(key="s", name="s", quiet=NIGHT)
    found = ROSTER.awake(sleeper, at.astimezone(UTC)).astimezone(MOSCOW)
    day = "+1" if found.date() > at.date() else ""
    assert f"{found:%H:%M}{day}" == awake


def test_a_name_is_the_persons_or_the_extension() -> None:
    assert [ROSTER.name_of(each) for each in ("anna", "104", None)] == ["Анна", "104", None]
