"""The `[[alerts]]` tables: what they mean, their defaults, and what is said of one that cannot be."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import Kind, Rule, keys_of, rule_of
from pbxmonitor.settings_alerts import (
    DEFAULT_ALERTS,
    AlertSettings,
    AlertsSettings,
    channels_named,
    people_named,
    teams_named,
    to_rules,
)
from pbxmonitor.settings_errors import one_line

PAGE = Path(__file__).parents[1] / "docs" / "alerts.md"


class Site(BaseModel):
    """What the settings of a site have of it."""

    alerts: AlertsSettings = DEFAULT_ALERTS


def rules(text: str) -> tuple[Rule, ...]:
    return to_rules(Site(**tomllib.loads(text)).alerts)


def complaint(text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        Site(**tomllib.loads(text))
    said = one_line(caught.value, Site, "site.toml", "PBXMONITOR_")
    assert "\n" not in said
    return said.removeprefix("site.toml: ")


def test_a_table_that_names_only_its_kind_has_that_kinds_defaults() -> None:
    for kind in Kind:
        assert rules(f'[[alerts]]\nkind = "{kind}"') == (rule_of(kind),)


def test_thresholds_read_as_people_write_them() -> None:
    text = """
[[alerts]]
kind = "missed_share"
name = "desk"
window = "2 h"
above = "20 %"
clear = "15 %"
least = 5
to = "manager"
teams = ["desk"]
channels = ["telegram"]
hold = "1 min"
remind_every = 0
urgent = true
[[alerts]]
kind = "away"
states = "paused"
reason = "lunch"
longer = "1h 15m"
"""
    share, lunch = rules(text)
    assert (share.name, share.window, share.above, share.clear) == ("desk", timedelta(hours=2), 0.2, 0.15)
    assert (share.least, share.to, set(share.teams), share.channels) == (5, ("manager",), {"desk"}, ("telegram",))
    assert (share.hold, share.remind_every, share.urgent) == (timedelta(minutes=1), None, True)
    assert (set(lunch.states), set(lunch.reason), lunch.longer) == (
        {AgentState.PAUSED},
        {"lunch"},
        timedelta(hours=1, minutes=15),
    )


def test_of_the_limits_on_waiting_the_one_left_out_is_none() -> None:
    (rule,) = rules('[[alerts]]\nkind = "callers_waiting"\nlonger = "5 min"')
    assert (rule.more_than, rule.longer) == (None, timedelta(minutes=5))


def test_a_site_that_says_nothing_is_warned_of_every_kind_and_one_that_wants_none_of_none() -> None:
    found = to_rules(Site().alerts)
    assert {rule.kind for rule in found} == set(Kind)
    assert len({rule.name for rule in found}) == len(found)
    assert to_rules(Site(alerts=()).alerts) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "mised_share"', "alerts.0.kind: must be 'missed_share', "),
        (
            'kind = "missed_share"\nabove = "120 %"',
            'alerts.0.above: must be a share from 0 to 1, such as 0.12 or "12 %"',
        ),
        ('kind = "missed_share"\nlonger = 3', "alerts.0: longer means nothing to missed_share; "),
        ('kind = "away"\nwindow = 3', "alerts.0: window means nothing to away; "),
        ('kind = "away"\nwhatever = 3', "alerts.0.whatever: unknown key (value 3)"),
        ('kind = "away"\nstates = "offline"', "alerts.0: states of away must be of dnd, paused, not offline"),
        ('kind = "offline"\nstates = ["dnd"]', "alerts.0: states of offline must be of logged_out, offline, not dnd"),
        ('kind = "missed_share"\nclear = 7', "alerts.0: clear must be a share from 0 to 1, "),
        ('kind = "short_hangups"\nclear = "2 %"', "alerts.0: clear must be a whole number from 0 on, not '2 %'"),
        ('kind = "short_hangups"\nclear = true', "alerts.0: clear must be a whole number from 0 on, not True"),
        ('kind = "missed_share"\nabove = 0.1\nclear = 0.2', "alerts.0: clear must not be above 0.1"),
        ('kind = "short_hangups"\ncount = 3\nclear = 3', "alerts.0: clear must not be above 2"),
        ('kind = "missed_share"\nwindow = "2 d"', "alerts.0: window must be longer than nothing and at most a day"),
        ('kind = "missed_share"\nwindow = 0', "alerts.0: window must be longer than nothing and at most a day"),
        ('kind = "misses_in_a_row"\ncount = 0', "alerts.0.count: must be greater than or equal to 1, not 0"),
        ('kind = "away"\nto = []', "alerts.0.to: must"),
        ("window = 3", "alerts.0.kind: is missing"),
        (
            'kind = "away"\n[[alerts]]\nkind = "away"',
            "alerts: must have names that differ: two are away; give one of them a name of its own",
        ),
    ],
)
def test_a_table_that_cannot_be_is_one_line_that_says_what_to_do(text: str, said: str) -> None:
    assert complaint(f"[[alerts]]\n{text}").startswith(said)


def test_a_key_that_a_kind_does_not_know_is_answered_with_those_it_knows() -> None:
    said = complaint('[[alerts]]\nkind = "link_lost"\nlonger = 3\nmore_than = 3')
    assert said.endswith(
        "allowed: name, kind, title, to, channels, urgent, nodes, longer, hold, clear_after, cool_down, remind_every"
    )


def test_what_is_named_can_be_looked_up_by_who_knows_it() -> None:
    tables = (
        AlertSettings(kind=Kind.AWAY),
        AlertSettings(kind=Kind.OFFLINE, to=("anna", "team:sales", "manager"), teams=("desk",), channels=("sms",)),
    )
    assert list(people_named(tables)) == [("alerts.1.to", "anna")]
    assert list(teams_named(tables)) == [("alerts.1.teams", "desk"), ("alerts.1.to", "sales")]
    assert list(channels_named(tables)) == [("alerts.1.channels", "sms")]


# the page


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_examples_of_the_page_are_rules_of_every_kind() -> None:
    found: list[Rule] = []
    for text in examples():
        found += rules(text)
    assert {rule.kind for rule in found} == set(Kind)


def test_the_page_says_every_key_of_every_kind() -> None:
    text = PAGE.read_text("utf-8")
    common: set[str] = set.intersection(*(set(keys_of(kind)) for kind in Kind))
    assert all(f"`{key}`" in text for key in common)
    for kind in Kind:
        section = re.search(rf"^\| `{kind}` \|(.*)$", text, re.MULTILINE)
        assert section is not None, kind
        assert all(f"`{key}`" in section[1] for key in set(keys_of(kind)) - common), kind


def test_the_defaults_of_the_page_are_the_defaults() -> None:
    """Wherever the table of kinds gives a key a value, a rule that says so is the rule that does not."""
    text = PAGE.read_text("utf-8")
    for kind in Kind:
        section = re.search(rf"^\| `{kind}` \|(.*)$", text, re.MULTILINE)
        assert section is not None
        given = dict(re.findall(r"`(\w+)` = `([^`]+)`", section[1]))
        values: dict[str, Any] = {key: tomllib.loads(f"x = {value}")["x"] for key, value in given.items()}
        assert to_rules([AlertSettings(kind=kind, **values)]) == (rule_of(kind),), kind


def test_the_default_rules_of_the_page_are_the_defaults() -> None:
    assert rules(examples()[-1]) == to_rules(DEFAULT_ALERTS)
