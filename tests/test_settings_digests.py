"""The tables of digests and money in the settings."""

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.domain.digest import DigestKind, DigestPlan, Money
from pbxmonitor.settings_digests import DigestSettings, MoneySettings, to_digests, to_money


def plan(**table: Any) -> DigestPlan:
    (found,) = to_digests([DigestSettings(**table)])
    return found


def refused(**table: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        DigestSettings(**table)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


def test_an_empty_table_is_the_daily_digest_of_managers_and_directors_at_half_past_eight() -> None:
    found = plan()
    assert (found.kind, found.at, found.to, found.top) == (DigestKind.DAILY, time(8, 30), ("manager", "director"), 5)


def test_everything_can_be_said() -> None:
    table = {
        "kind": "weekly",
        "at": "7:05",
        "to": ["supervisor", "team:sales", "anna"],
        "on": "fri",
        "top": 10,
        "channels": ["email"],
        "charts": False,
        "only_working_days": True,
    }
    assert plan(**table) == DigestPlan(
        kind=DigestKind.WEEKLY,
        at=time(7, 5),
        to=("supervisor", "team:sales", "anna"),
        on=4,
        top=10,
        channels=("email",),
        charts=False,
        only_working_days=True,
    )


def test_a_weekly_one_comes_on_monday_and_a_monthly_one_on_the_first_unless_said_otherwise() -> None:
    assert (plan(kind="weekly").on, plan(kind="monthly").on, plan(kind="monthly", on=28).on) == (0, 1, 28)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"at": "25:00"}, 'must be a time of day such as "08:30"'),
        ({"at": 830}, 'must be a time of day such as "08:30"'),
        ({"kind": "weekly", "on": "monday"}, 'must be a weekday such as "mon", or a day of the month from 1 to 28'),
        ({"kind": "monthly", "on": 31}, 'must be a weekday such as "mon", or a day of the month from 1 to 28'),
        ({"kind": "monthly", "on": "mon"}, 'on must be a weekday such as "mon" if weekly'),
        ({"on": 1}, 'on must be a weekday such as "mon" if weekly'),
        ({"days": 3}, 'days is for kind = "callbacks" alone'),
        ({"kind": "callbacks", "days": 4}, "less than or equal to 3"),
        ({"top": 7}, "Input should be 5 or 10"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["manager", "owner"]}, "to: owner is nobody for a digest"),
    ],
)
def test_what_cannot_be_is_refused_in_words(table: dict[str, Any], said: str) -> None:
    assert said in refused(**table)


def test_money_is_what_a_call_is_worth_and_nothing_until_somebody_says() -> None:
    assert to_money(None) is None
    table = MoneySettings.model_validate({"call_value": 4000, "conversion": "30 %"})
    assert to_money(table) == Money(call_value=4000, conversion=0.3, currency="₽")
    for wrong in ({"call_value": 0}, {"call_value": 1, "conversion": 1.5}, {"call_value": float("inf")}):
        with pytest.raises(ValidationError):
            MoneySettings.model_validate(wrong)
