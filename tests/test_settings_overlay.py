"""Settings kept in the program under those of the file: who wins, what is fixed, what is left out."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.domain.alerts import Kind
from pbxmonitor.settings import Settings, load
from pbxmonitor.settings_alerts import DEFAULT_ALERTS
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.settings_fixed import FIXED, SITE, is_fixed
from pbxmonitor.settings_overlay import Effective, Stored, overlaid


def kept(section: str, key: str, value: Any) -> Stored:
    return Stored(section=section, key=key, value=value)


def over(file: dict[str, Any], *entries: tuple[str, str, Any]) -> Effective:
    return overlaid(Settings(**file), [kept(*entry) for entry in entries])


def told(found: Effective) -> dict[str, str]:
    """What is left out, and why."""
    return {".".join(each.name): str(each.fault) for each in found.left_out}


def test_nothing_kept_is_the_file_itself() -> None:
    people: Any = {"101": {"name": "Анна"}}
    file = Settings(people=people)
    assert overlaid(file, []).settings is file


def test_of_a_persons_table_the_file_wins_key_by_key() -> None:
    found = over(
        {"people": {"anna": {"name": "Анна", "devices": ["PJSIP/101"]}}},
        ("people", "anna", {"name": "Ann", "mobiles": ["+79161234501"]}),
        ("people", "boris", {"devices": ["PJSIP/102", "PJSIP/202"]}),
    )
    anna, boris = found.settings.people["anna"], found.settings.people["boris"]
    assert (anna.name, anna.devices, anna.mobiles) == ("Анна", ("PJSIP/101",), ("+79161234501",))
    assert boris.devices == ("PJSIP/102", "PJSIP/202")
    assert told(found) == {}


def test_tables_within_a_table_are_joined_key_by_key_too() -> None:
    file = {
        "people": {"anna": {"addresses": {"email": "anna@clinic.example"}}},
        "notify": {"email": {}, "sms_ru": {}},
        "policy": {"queues": {"sales": {"hours": {"mon-fri": "09:00-18:00"}}}},
    }
    found = over(
        file,
        ("people", "anna", {"addresses": {"email": "other@clinic.example", "sms_ru": "+79161234501"}}),
        ("queues", "sales", {"min_ring": "5 s", "hours": {"mon": "10:00-11:00", "sat": "10:00-14:00"}}),
    )
    assert found.settings.people["anna"].addresses == {"email": "anna@clinic.example", "sms_ru": "+79161234501"}
    sales = found.settings.policy.queues["sales"]
    assert sales.hours is not None
    assert (sales.hours.mon[0][0].hour, sales.hours.sat[0][0].hour, sales.min_ring) == (9, 10, timedelta(seconds=5))


def test_thresholds_and_days_are_kept_one_by_one_and_what_the_file_sets_is_told_to_be_fixed() -> None:
    found = over(
        {"policy": {"min_ring": "4 s", "hours": {"mon-tue": "09:00-18:00"}}},
        ("policy", SITE, {"min_ring": "9 s", "callback_norm": "15 min"}),
        ("hours", SITE, {"tue": "", "wed": "09:00-12:00", "holidays": ["2027-01-01"]}),
        ("messages", SITE, {"quiet_hours": "22:00-08:00"}),
    )
    policy = found.settings.policy
    assert (policy.min_ring, policy.callback_norm) == (timedelta(seconds=4), timedelta(minutes=15))
    assert (len(policy.hours.tue), len(policy.hours.wed), len(policy.hours.holidays)) == (1, 1, 1)
    assert len(found.settings.messages.quiet_hours) == 2
    assert told(found) == {"policy.site.min_ring": FIXED, "hours.site.tue": FIXED}


MANAGER = [{"after": "5 min", "to": ["manager"]}]


def test_steps_of_the_file_win_whole_and_an_empty_list_is_none() -> None:
    entry = ("steps", SITE, MANAGER)
    assert over({}, entry).settings.callbacks.steps[0].to == ("manager",)
    assert over({"callbacks": {"steps": [], "snooze": "5 min"}}, entry).settings.callbacks.steps[0].to == ("manager",)
    found = over({"callbacks": {"steps": [{"after": "norm", "to": ["owner"]}]}}, entry)
    assert found.settings.callbacks.steps[0].to == ("owner",)
    assert told(found) == {"steps.site": FIXED}


def test_digests_count_where_the_file_has_none_in_the_order_of_their_numbers() -> None:
    entries = [("digests", str(number), {"kind": "daily", "at": f"{number:02}:00"}) for number in (10, 9)]
    assert [each.at.hour for each in over({}, *entries).settings.digests] == [9, 10]
    assert told(over({"digests": [{"kind": "weekly"}]}, *entries)) == {"digests.9": FIXED, "digests.10": FIXED}


def test_rules_are_joined_by_name_with_the_usual_ones() -> None:
    found = over(
        {},
        ("alerts", "missed_share", {"kind": "missed_share", "above": "20 %"}),
        ("alerts", "offline", None),
        ("alerts", "night", {"kind": "away", "longer": "5 min"}),
    )
    rules = {rule.key: rule for rule in found.settings.alerts}
    assert rules["missed_share"].above == pytest.approx(0.2)
    assert "offline" not in rules
    assert rules["night"].kind is Kind.AWAY
    assert len(rules) == len(DEFAULT_ALERTS)


def test_rules_of_the_file_are_fixed_and_others_stand_beside_them() -> None:
    found = over(
        {"alerts": [{"kind": "away", "name": "night"}]},
        ("alerts", "night", {"kind": "away", "longer": "5 min"}),
        ("alerts", "offline", {"kind": "offline"}),
    )
    assert [rule.key for rule in found.settings.alerts] == ["night", "offline"]
    assert found.settings.alerts[0].longer is None
    assert told(found) == {"alerts.night": FIXED}


BITRIX = {"webhook": "https://portal.example/rest/1/crm-code/", "default_user": 1, "users": {"101": 17}}


def test_a_crms_users_are_added_person_by_person() -> None:
    found = over({"crm": {"bitrix24": BITRIX}}, ("crm_users", "bitrix24", {"101": 5, "102": 6}))
    assert found.settings.crm["bitrix24"]["users"] == {"101": 17, "102": 6}
    assert found.settings.crm["bitrix24"]["webhook"] == BITRIX["webhook"]
    assert told(found) == {"crm_users.bitrix24.101": FIXED}
    assert told(over({}, ("crm_users", "bitrix24", {"101": 5}))) == {
        "crm_users.bitrix24.101": "there is no CRM bitrix24 in the settings file"
    }


def test_what_does_not_fit_is_left_out_alone_and_told_with_its_key() -> None:
    found = over(
        {"people": {"boris": {"devices": ["PJSIP/102"]}}},
        ("people", "anna", {"devices": ["PJSIP/101"]}),
        ("people", "thief", {"devices": ["PJSIP/102"]}),
        ("policy", SITE, {"callback_norm": "soon", "min_ring": "4 s", "gone_since_2.0": 1, "hours": {}}),
        ("teams", "desk", {"people": ["anna"], "supervisors": ["nobody"]}),
    )
    assert set(found.settings.people) == {"anna", "boris"}
    assert found.settings.policy.min_ring == timedelta(seconds=4)
    left = told(found)
    assert left.pop("policy.site.gone_since_2.0").startswith("unknown key")
    assert left == {
        "policy.site.hours": "hours: unknown key",
        "people.thief": "people: PJSIP/102 cannot belong to both boris and thief",
        "policy.site.callback_norm": 'must be seconds, or text such as "10 min" or "7 d", not \'soon\'',
        "teams.desk": "supervisors: there is no person nobody; allowed: anna, boris",
    }


def test_what_names_something_that_is_left_out_is_left_out_with_it() -> None:
    found = over(
        {},
        ("teams", "desk", {"supervisors": ["anna"]}),
        ("people", "anna", {"role": "emperor"}),
        ("people", "boris", {"role": "manager"}),
    )
    assert set(told(found)) == {"people.anna", "teams.desk"}
    assert list(found.settings.people) == ["boris"]


def test_sections_that_this_version_does_not_know_say_nothing() -> None:
    assert over({}, ("phases_of_the_moon", "x", 1)).settings.people == {}


def test_a_check_of_others_leaves_out_what_it_refuses() -> None:
    def check(settings: Settings) -> None:
        if "102" in settings.crm["bitrix24"]["users"]:
            raise SettingsError("settings: crm.bitrix24: users.102: must be a number")

    entries = [kept("crm_users", "bitrix24", {"102": "x", "103": 7})]
    found = overlaid(Settings(crm={"bitrix24": BITRIX}), entries, check)
    assert found.settings.crm["bitrix24"]["users"] == {"101": 17, "103": 7}
    assert list(told(found)) == ["crm_users.bitrix24.102"]


def test_laying_again_begins_with_the_file() -> None:
    first = over({"people": {"anna": {}}}, ("people", "boris", {}))
    again = overlaid(first.settings, [kept("people", "vera", {})])
    assert set(again.settings.people) == {"anna", "vera"}
    assert overlaid(again.settings, []).settings is first.settings.file


def test_the_environment_is_as_fixed_as_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pbxmonitor.toml"
    file.write_text('[database]\nurl = "postgresql://me@host/base"\n', "utf-8")
    monkeypatch.setenv("PBXMONITOR_POLICY__MIN_RING", "8 s")
    monkeypatch.setenv("PBXMONITOR_DATABASE__PASSWORD", "of no use")
    settings = load(file)
    found = overlaid(settings, [kept("policy", SITE, {"min_ring": "1 s", "callback_norm": "1 min"})])
    assert (found.settings.policy.min_ring, found.settings.policy.callback_norm.seconds) == (timedelta(seconds=8), 60)
    assert found.settings.database.full_url == settings.database.full_url
    assert is_fixed(found.settings, "policy", "min_ring")
    assert not is_fixed(found.settings, "policy", "callback_norm")


def test_what_is_fixed_is_told_for_every_kind_of_path() -> None:
    file: dict[str, Any] = {
        "people": {"anna": {"name": "Анна"}},
        "policy": {"hours": {"mon-fri": "09:00-18:00"}, "queues": {"sales": {"min_ring": 5}}},
        "callbacks": {"steps": []},
        "alerts": [{"kind": "offline"}],
        "crm": {"bitrix24": BITRIX},
    }
    settings = over(file, ("people", "anna", {"role": "manager"}), ("crm_users", "bitrix24", {"102": 6})).settings
    fixed = [
        *(("people",), ("people", "anna"), ("people", "anna", "name"), ("policy", "hours", "wed")),
        *(("policy", "queues", "sales", "min_ring"), ("alerts",), ("alerts", "offline")),
        *(("crm", "bitrix24", "users", "101"), ("callbacks",)),
    ]
    free = [
        *(("people", "boris"), ("people", "anna", "role"), ("policy", "hours", "sat"), ("policy", "min_ring")),
        *(("policy", "queues", "sales", "hours"), ("alerts", "away"), ("crm", "bitrix24", "users", "102")),
        *(("callbacks", "steps"), ("digests",), ("teams", "desk")),
    ]
    assert [path for path in fixed if not is_fixed(settings, *path)] == []
    assert [path for path in free if is_fixed(settings, *path)] == []


LEAVES = st.dictionaries(
    st.sampled_from(["name", "devices", "role", "mobiles"]),
    st.one_of(st.sampled_from(["employee", "manager", "x"]), st.lists(st.sampled_from(["1", "2", "3"])), st.none()),
)
PEOPLE = st.dictionaries(st.sampled_from(["anna", "boris", "vera"]), LEAVES)


@given(file=PEOPLE, stored=PEOPLE)
def test_whatever_is_kept_the_file_holds_and_the_rest_is_laid_or_told(file: Any, stored: Any) -> None:
    try:
        settings = Settings(people=file)
    except ValueError:
        return
    found = overlaid(settings, [kept("people", key, value) for key, value in stored.items()])
    left = {each.key for each in found.left_out}
    for key, table in file.items():
        for name in table:
            assert getattr(found.settings.people[key], name) == getattr(settings.people[key], name)
    assert set(found.settings.people) == set(file) | (set(stored) - left)
