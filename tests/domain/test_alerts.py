"""One trouble is one alert: it lasts, it is told, it is repeated, it ends; and what the rules see on a floor."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alert_floor import opened_at, peak_began_at, signs_of_floor, signs_of_links
from pbxmonitor.domain.alerting import Alert, AlertState, Said, What, advance, dropped
from pbxmonitor.domain.alerts import Kind, Rule, Seen, Sign, keys_of, limit_of, of_count, of_share, rule_of
from pbxmonitor.domain.policy import Policy, Team, WorkingHours
from tests.domain.story import MONDAY_NOON, Story

MINUTE = timedelta(minutes=1)
NOW = MONDAY_NOON
MOSCOW = ZoneInfo("Europe/Moscow")
RULE = rule_of(
    Kind.AWAY, hold=2 * MINUTE, clear_after=3 * MINUTE, cool_down=10 * MINUTE, remind_every=30 * MINUTE, name="away"
)


class Watch:
    """One subject of one rule, looked at again and again."""

    def __init__(self, rule: Rule = RULE) -> None:
        self.rule = rule
        self.now = NOW
        self.alert: Alert | None = None
        self.said: list[Said] = []
        self.ended: list[Alert] = []

    def see(self, seen: Seen | None, minutes: float = 0) -> "Watch":
        """What is seen now (None: nothing at all), and again each minute for so long."""
        last = self.now + minutes * MINUTE
        while True:
            sign = None if seen is None else Sign(rule="away", node="main", subject="101", agent="101", seen=seen)
            self.alert, said = advance(self.rule, self.alert, sign, self.now)
            self.said += [said] if said is not None else []
            if self.alert is not None and self.alert.state is AlertState.RESOLVED:
                self.ended.append(self.alert)
                self.alert = None  # as the store does: what is over is not loaded
            if self.now >= last:
                return self
            self.now += MINUTE

    def later(self, minutes: float = 1) -> "Watch":
        self.now += minutes * MINUTE
        return self

    @property
    def told(self) -> list[tuple[str, float]]:
        """What was said, and so many minutes after the beginning."""
        return [(said.name, (said.alert.told_at - NOW) / MINUTE) for said in self.said if said.alert.told_at]


def test_what_lasts_as_long_as_it_must_is_told_once() -> None:
    watch = Watch().see(Seen.OVER, 20)
    assert watch.told == [("fired", 2)]
    assert watch.alert is not None
    assert (watch.alert.state, watch.alert.began_at) == (AlertState.FIRING, NOW)


def test_what_is_over_too_soon_is_never_told_and_leaves_nothing() -> None:
    for soon in (Seen.WELL, Seen.BETWEEN, Seen.MOOT, None):
        watch = Watch().see(Seen.OVER, 1).later().see(soon)
        assert (watch.told, watch.alert, watch.ended) == ([], None, [])


def test_a_value_between_the_limits_neither_begins_nor_ends_an_alert() -> None:
    assert Watch().see(Seen.BETWEEN, 20).alert is None
    watch = Watch().see(Seen.OVER, 2).later().see(Seen.BETWEEN, 20)
    assert watch.told == [("fired", 2)]
    assert watch.alert is not None


def test_it_is_over_when_it_has_been_well_for_a_while_and_dated_back_to_then() -> None:
    watch = Watch().see(Seen.OVER, 5).later().see(Seen.WELL, 2)
    assert watch.told == [("fired", 2)]
    watch.later().see(Seen.WELL)
    assert watch.told == [("fired", 2), ("resolved", 9)]
    assert watch.said[-1].alert.ended_at == NOW + 6 * MINUTE


def test_flapping_is_one_alert() -> None:
    watch = Watch().see(Seen.OVER, 3)
    for _ in range(8):
        watch.later().see(Seen.WELL, 1).later().see(Seen.OVER, 1)
    assert watch.told == [("fired", 2), ("reminder 1", 34)]  # not while it looks over


def test_it_is_not_told_again_until_it_has_cooled_down_and_then_it_is() -> None:
    watch = Watch().see(Seen.OVER, 3).later().see(Seen.WELL, 3)
    watch.later().see(Seen.OVER, 9)
    assert watch.told == [("fired", 2), ("resolved", 7)]
    watch.later().see(Seen.OVER, 3)
    assert watch.told == [("fired", 2), ("resolved", 7), ("fired", 20)]
    assert [alert.state for alert in watch.ended] == [AlertState.RESOLVED]


def test_reminders_are_numbered_and_come_at_their_pace() -> None:
    watch = Watch().see(Seen.OVER, 95)
    assert watch.told == [("fired", 2), ("reminder 1", 32), ("reminder 2", 62), ("reminder 3", 92)]
    quiet = Watch(replace(RULE, remind_every=None)).see(Seen.OVER, 95)
    assert quiet.told == [("fired", 2)]


def test_after_a_long_absence_there_is_one_reminder_not_one_for_each_that_was_due() -> None:
    watch = Watch().see(Seen.OVER, 3).later(600).see(Seen.OVER, 3)
    assert watch.told == [("fired", 2), ("reminder 1", 603)]


def test_what_cannot_be_judged_any_more_ends_without_a_word_and_may_begin_again_at_once() -> None:
    watch = Watch().see(Seen.OVER, 3).later().see(Seen.MOOT)
    assert watch.told == [("fired", 2)]
    assert [(alert.state, alert.ended_at) for alert in watch.ended] == [(AlertState.RESOLVED, NOW + 4 * MINUTE)]
    watch.later().see(Seen.OVER, 2)
    assert watch.told == [("fired", 2), ("fired", 7)]


def test_no_sign_at_all_is_well_but_without_calls_nobody_can_say_so() -> None:
    assert Watch().see(Seen.OVER, 2).later().see(None, 3).told[-1][0] == "resolved"
    calls = Watch(rule_of(Kind.MISSED_SHARE)).see(Seen.OVER, 2).later().see(None, 30)
    assert [name for name, _ in calls.told] == ["fired"]
    assert calls.ended


def test_an_alert_whose_rule_is_gone_ends_without_a_word() -> None:
    pending, firing = Watch().see(Seen.OVER).alert, Watch().see(Seen.OVER, 2).alert
    assert pending is not None
    assert firing is not None
    assert dropped(pending, NOW) is None
    after = dropped(firing, NOW + MINUTE)
    assert after is not None
    assert (after.state, after.ended_at) == (AlertState.RESOLVED, NOW + MINUTE)


SEEN = st.lists(st.tuples(st.sampled_from([*Seen, None]), st.integers(1, 400)), max_size=80)
SPANS = st.integers(0, 15).map(lambda n: n * 20).map(lambda n: timedelta(seconds=n))


@given(SEEN, SPANS, SPANS, SPANS)
def test_whatever_happens_what_is_told_makes_sense(
    told: list[tuple[Seen | None, int]], hold: timedelta, clear_after: timedelta, cool_down: timedelta
) -> None:
    rule = replace(RULE, hold=hold, clear_after=clear_after, cool_down=cool_down, remind_every=5 * MINUTE)
    watch = Watch(rule)
    for seen, seconds in told:
        watch.see(seen).later(seconds / 60)
    alive: datetime | None = None
    over: tuple[Said, datetime] | None = None
    seen_alerts: set[tuple[datetime, str]] = set()
    for said in watch.said:
        at = said.alert.told_at
        assert at is not None
        assert (said.alert.began_at, said.name) not in seen_alerts, "the same thing said twice"
        seen_alerts.add((said.alert.began_at, said.name))
        if said.what is What.FIRED:
            assert at - said.alert.began_at >= hold
            assert over is None or at - over[1] >= cool_down, "told again before it has cooled down"
            alive = said.alert.began_at
        else:
            assert alive == said.alert.began_at, "a reminder or an end of what is not going on"
        if said.what is What.RESOLVED:
            alive, over = None, (said, at)
            assert said.alert.ended_at is not None
            assert at - said.alert.ended_at >= clear_after


@given(st.integers(0, 60), st.integers(1, 60))
def test_a_share_is_never_both_too_much_and_well(part: int, more: int) -> None:
    rule, whole = rule_of(Kind.MISSED_SHARE, above=0.12, clear=0.1), part + more
    seen = of_share(rule, part, whole, 0.12)
    assert (seen is Seen.WELL) == (part / whole <= 0.1)
    if seen is Seen.OVER:
        assert whole >= rule.least
        assert part / whole > 0.12


def test_a_share_counts_only_on_enough_calls_and_beyond_chance() -> None:
    rule = rule_of(Kind.MISSED_SHARE, least=10)
    assert of_share(rule, 9, 24, 0.12) is Seen.OVER
    assert of_share(rule, 9, 9, 0.12) is Seen.BETWEEN  # too few
    assert of_share(rule, 4, 24, 0.12) is Seen.BETWEEN  # 17 %, which may be chance
    assert of_share(replace(rule, beyond_chance=False), 4, 24, 0.12) is Seen.OVER
    assert of_share(rule, 2, 24, 0.12) is Seen.WELL
    assert of_share(rule, 0, 0, 0.12) is Seen.MOOT


def test_a_count_is_well_below_its_limit_or_where_the_rule_says() -> None:
    rule = rule_of(Kind.CALLERS_WAITING, more_than=3)
    assert [of_count(rule, count, 4) for count in (4, 3)] == [Seen.OVER, Seen.WELL]
    rule = replace(rule, clear=1)
    assert [of_count(rule, count, 4) for count in (4, 3, 2, 1)] == [Seen.OVER, Seen.BETWEEN, Seen.BETWEEN, Seen.WELL]


def test_the_limit_is_the_rules_own_else_the_teams_goal_else_everybodys() -> None:
    team = Team(key="sales", name="Sales", members=frozenset({"101"}), max_missed_share=0.2)
    policy, rule = Policy(teams=(team,)), rule_of(Kind.MISSED_SHARE)
    assert [limit_of(rule, agent, policy) for agent in ("101", "102")] == [0.2, 0.12]
    assert limit_of(replace(rule, above=0.5), "101", policy) == 0.5


def test_of_two_limits_on_waiting_the_one_that_is_not_given_is_none() -> None:
    both, many, long = (
        rule_of(Kind.CALLERS_WAITING, **given) for given in ({}, {"more_than": 2}, {"longer": 5 * MINUTE})
    )
    assert (both.more_than, both.longer) == (3, 2 * MINUTE)
    assert (many.more_than, many.longer) == (2, None)
    assert (long.more_than, long.longer) == (None, 5 * MINUTE)


def test_every_kind_has_a_rule_whose_keys_are_its_fields() -> None:
    for kind in Kind:
        assert set(keys_of(kind)) <= set(Rule.__dataclass_fields__)
        assert rule_of(kind).name == kind


# what is seen on a floor


def seen(story: Story, rule: Rule, policy: Policy | None = None, after: float = 0) -> dict[str, str]:
    """By subject, what that rule sees on the story's floor some seconds later."""
    now = story.now + timedelta(seconds=after)
    signs = signs_of_floor(story.floor, [rule], policy or Policy(), now)
    assert len({sign.subject for sign in signs}) == len(signs)
    return {sign.subject: sign.seen.value for sign in signs}


def callers(count: int, queue: str = "sales") -> Story:
    story = Story()
    for number in range(count):
        story.calls_in(f"+7916000000{number}").waits_in(queue).after(10)
    return story


def test_too_many_callers_and_one_who_waits_too_long_are_seen_in_their_queue() -> None:
    many, long = (rule_of(Kind.CALLERS_WAITING, **each) for each in ({"more_than": 2}, {"longer": MINUTE}))
    assert seen(callers(2), many) == {"sales": "well"}
    assert seen(callers(3), many) == {"sales": "over"}
    assert seen(callers(1), long, after=50) == {"sales": "well"}
    assert seen(callers(1), long, after=51) == {"sales": "over"}
    assert seen(callers(3), replace(many, queues=frozenset({"support"}))) == {}
    (sign,) = signs_of_floor(callers(3).floor, [many], Policy(), NOW + MINUTE)
    assert sign.words == {"n": 3, "longest": MINUTE}


def test_who_has_been_answered_or_has_left_waits_no_more() -> None:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").after(90)
    rule = rule_of(Kind.CALLERS_WAITING, longer=MINUTE)
    assert seen(story, rule) == {"sales": "over"}
    assert seen(story.answers("101"), rule) == {}
    assert seen(callers(1).after(90).caller_leaves(), rule) == {}


def test_a_queue_whose_members_are_all_away_has_nobody() -> None:
    rule = rule_of(Kind.NOBODY_AVAILABLE)
    story = Story().works_in("101", "sales").works_in("102", "sales", "support")
    assert seen(story, rule) == {}
    story.pauses("101", "sales").dnd("102")
    assert seen(story, rule) == {"sales": "over", "support": "over"}
    story.dnd("102", on=False).phone_is("102", online=False)
    assert seen(story, rule) == {"sales": "over", "support": "over"}
    story.phone_is("102", online=True)
    assert seen(story, rule) == {}
    story.leaves_queues("102", "sales", "support")
    assert seen(story, rule) == {"sales": "over", "support": "over"}


def test_somebody_who_talks_is_somebody() -> None:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").answers("101")
    assert seen(story, rule_of(Kind.NOBODY_AVAILABLE)) == {}


def test_outside_working_hours_nobody_is_expected() -> None:
    hours = WorkingHours(zone=MOSCOW, week=(((time(9), time(20)),),) * 7)
    story = Story(at=datetime(2026, 3, 2, 16, 50, tzinfo=UTC)).works_in("101", "sales").dnd("101")
    for rule in (rule_of(Kind.NOBODY_AVAILABLE), rule_of(Kind.AWAY, longer=MINUTE)):
        assert list(seen(story, rule, Policy(hours=hours), after=300).values()) == ["over"]
        assert list(seen(story, rule, Policy(hours=hours), after=600).values()) == ["moot"]


def test_what_began_before_the_site_opened_is_counted_from_then() -> None:
    hours = WorkingHours(zone=MOSCOW, week=(((time(9), time(20)),),) * 7)
    story = Story(at=datetime(2026, 3, 2, 1, tzinfo=UTC)).works_in("101", "sales").dnd("101")
    rule, opening = rule_of(Kind.AWAY, longer=30 * MINUTE), datetime(2026, 3, 2, 6, tzinfo=UTC)
    story.at(opening)
    assert seen(story, rule, Policy(hours=hours), after=1800) == {"101": "between"}
    assert seen(story, rule, Policy(hours=hours), after=1801) == {"101": "over"}
    (sign,) = signs_of_floor(story.floor, [rule], Policy(hours=hours), opening + 40 * MINUTE)
    assert (sign.since, sign.words["lasts"]) == (opening, 40 * MINUTE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"101": "over", "102": "over"}),
        ({"states": frozenset({AgentState.DND})}, {"101": "over"}),
        ({"reason": frozenset({"lunch"})}, {"102": "over"}),
        ({"reason": frozenset({"smoke"})}, {}),
        ({"longer": timedelta(hours=1)}, {"101": "between", "102": "between"}),
        ({"people": frozenset({"102"})}, {"102": "over"}),
        ({"teams": frozenset({"desk"})}, {"101": "over"}),
        ({"nodes": frozenset({"other"})}, {}),
    ],
)
def test_who_is_away_for_too_long_is_seen(given: dict[str, Any], expected: dict[str, str]) -> None:
    story = Story().works_in("101", "sales").works_in("102", "sales").works_in("103", "sales", "support")
    story.dnd("101").pauses("102", "sales", reason="lunch").pauses("103", "sales")
    policy = Policy(teams=(Team(key="desk", name="Desk", members=frozenset({"101", "103"})),))
    assert seen(story, rule_of(Kind.AWAY, **given), policy, after=1801) == expected


def test_in_peak_hours_only_the_time_within_them_counts() -> None:
    policy = Policy(peak_hours=frozenset({10, 11, 12, 17}), hours=WorkingHours(zone=MOSCOW))
    rule = rule_of(Kind.AWAY, states=frozenset({AgentState.DND}), in_peak=True, longer=10 * MINUTE)
    story = Story(at=datetime(2026, 3, 2, 6, 30, tzinfo=UTC)).works_in("101", "sales").dnd("101")
    assert seen(story, rule, policy) == {"101": "moot"}  # 9:30
    assert seen(story, rule, policy, after=2400) == {"101": "between"}  # 10:10
    assert seen(story, rule, policy, after=2401) == {"101": "over"}
    assert seen(story, rule, policy, after=3.5 * 3600) == {"101": "moot"}  # 13:00
    (sign,) = signs_of_floor(story.floor, [rule], policy, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert sign.since == datetime(2026, 3, 2, 7, tzinfo=UTC)


def test_a_phone_that_is_away_in_working_hours_is_seen_and_a_lobby_phone_is_not() -> None:
    story = Story().works_in("101", "sales").phone_is("101", online=False).phone_is("900", online=False)
    rule = rule_of(Kind.OFFLINE)
    assert seen(story, rule, after=600) == {"101": "between"}
    assert seen(story, rule, after=601) == {"101": "over"}
    assert seen(story, rule, Policy(employees=("900",)), after=601) == {"101": "over", "900": "over"}
    gone = Story().works_in("102", "sales").leaves_queues("102", "sales")
    assert seen(gone, rule, after=601) == {}
    both = frozenset({AgentState.OFFLINE, AgentState.LOGGED_OUT})
    assert seen(gone, replace(rule, states=both), after=601) == {"102": "over"}


def test_a_link_that_is_lost_is_seen_after_a_while() -> None:
    rules: Sequence[Rule] = [rule_of(Kind.LINK_LOST), rule_of(Kind.LINK_LOST, name="x", nodes=frozenset({"b"}))]
    lost = {"a": NOW}
    assert [sign.seen for sign in signs_of_links(lost, rules, NOW + MINUTE)] == [Seen.BETWEEN]
    (sign,) = signs_of_links(lost, rules, NOW + 2 * MINUTE)
    assert (sign.seen, sign.subject, sign.since) == (Seen.OVER, "a", NOW)


def test_the_working_day_and_the_peak_begin_where_they_do() -> None:
    hours = WorkingHours(zone=MOSCOW, week=(((time(9), time(13)), (time(14), time(20))),) * 7)
    assert opened_at(hours, datetime(2026, 3, 2, 11, 30, tzinfo=UTC)) == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert opened_at(hours, datetime(2026, 3, 2, 10, 30, tzinfo=UTC)) is None
    policy = Policy(hours=hours, peak_hours=frozenset({0, 23}))
    assert peak_began_at(policy, datetime(2026, 3, 2, 21, 30, tzinfo=UTC)) == datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert peak_began_at(policy, datetime(2026, 3, 2, 22, 30, tzinfo=UTC)) is None
    assert peak_began_at(Policy(), NOW) is None
