"""The reference story of a clinic, told as AMI bytes: what the real code reads from them is the story, to the digit."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from phonenumbers import geocoder

from pbxmonitor.clock import SystemClock
from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
from pbxmonitor.pbx.asterisk.frames import Cutter, Frame, parse
from pbxmonitor.replay import replay
from pbxmonitor.settings import Settings
from pbxmonitor.simulator.clinic import Month, Truth, lists, plan, plan_day, recorded, stream, truth_of
from pbxmonitor.simulator.clinic.cast import LINES, PEOPLE, RUSH, ZONE
from pbxmonitor.simulator.pbx import Login, simulated_pbx
from tests.clinic.conftest import NODE

# The month is some hundred thousand messages, and the machine may have others to serve.
pytestmark = pytest.mark.timeout(400)
SCENARIOS = Path(__file__).parents[1] / "scenarios"
ANNA = "101"
COLLEAGUES = [extension for extension in PEOPLE if extension != ANNA]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def told(tape: Path, settings: Settings) -> "Told":
    return Told(replay([tape], site_of(settings, NODE), policy_of(settings)))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(ZONE)


def counted(call: Json) -> bool:
    return any(attempt["result"] != "too_short" for attempt in call["attempts"])


@dataclass(eq=False)
class Told:
    """What replay printed, and plain counting in it."""

    json: Json

    @cached_property
    def inbound(self) -> list[Json]:
        return [call for call in self.json["calls"] if call["direction"] == "inbound"]

    @cached_property
    def callback_of(self) -> dict[str, Json]:
        return {call: callback for callback in self.json["callbacks"] for call in callback["missed_calls"]}

    def with_verdict(self, agent: str, verdict: str) -> list[Json]:
        return [call for call in self.inbound if call["verdicts"].get(agent) == verdict]

    def pickups(self, agent: str) -> list[float]:
        offers = (offer for call in self.inbound for offer in call["offers"])
        return [offer["ring_s"] for offer in offers if (offer["agent"], offer["result"]) == (agent, "answered")]

    def short_hangups(self, agent: str) -> int:
        talks = [talk for call in self.inbound for talk in call["talks"] if talk["agent"] == agent]
        return sum(talk["ended_by"] == "agent" and talk["talk_s"] <= 3 for talk in talks)

    def stretches(self, agent: str, *states: str) -> list[tuple[datetime, datetime]]:
        return [
            (moment(each["began_at"]), moment(each["ended_at"]))
            for each in self.json["intervals"]
            if each["agent"] == agent and each["state"] in states
        ]

    def truth(self, agent: str) -> Truth:
        answered, missed = self.with_verdict(agent, "answered"), self.with_verdict(agent, "missed")
        fates = Counter(self.fate(call) for call in missed)
        dnd, pickups = self.stretches(agent, "dnd"), self.pickups(agent)
        return Truth(
            offered=len(answered) + len(missed),
            answered=len(answered),
            missed=len(missed),
            pickup_mean_s=round(sum(pickups) / len(pickups), 3),
            short_hangups=self.short_hangups(agent),
            called_back=fates["called_back"],
            returned=fates["returned"],
            passed=fates["passed"],
            forgotten=fates["forgotten"],
            dnd_s=round(sum((end - begin).total_seconds() for begin, end in dnd), 3),
            dnd_rush_s=round(sum(in_the_rush(begin, end) for begin, end in dnd), 3),
        )

    def fate(self, call: Json) -> str:
        if not call["lost"]:
            return "passed"
        callback = self.callback_of[call["call"]]
        if counted(callback):
            return "called_back"
        return "returned" if callback["state"] == "client_returned" else "forgotten"


def in_the_rush(begin: datetime, end: datetime) -> float:
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    windows = [(midnight + timedelta(seconds=first), midnight + timedelta(seconds=last)) for first, last in RUSH]
    return sum(max((min(end, last) - max(begin, first)).total_seconds(), 0.0) for first, last in windows)


# --- the story


def test_anna_is_offered_214_calls_answers_135_and_misses_79(told: Told) -> None:
    answered, missed = told.with_verdict(ANNA, "answered"), told.with_verdict(ANNA, "missed")
    assert (len(answered) + len(missed), len(answered), len(missed)) == (214, 135, 79)
    assert f"{len(missed) / 214:.0%}" == "37%"


def test_anna_picks_up_after_28_seconds_on_average_and_never_twice_the_same(told: Told) -> None:
    pickups = told.pickups(ANNA)
    assert round(sum(pickups) / len(pickups), 3) == 28.0
    assert 8.0 <= min(pickups) < 12.0
    assert 45.0 < max(pickups) <= 55.0
    assert len(set(pickups)) > 130


def test_anna_hangs_up_within_3_seconds_on_42_of_those_she_answered(told: Told) -> None:
    assert told.short_hangups(ANNA) == 42
    assert sum(call["short_hangup"] for call in told.with_verdict(ANNA, "answered")) == 42


def test_of_annas_misses_11_were_called_back_by_anybody_and_68_forgotten(told: Told) -> None:
    callbacks = [told.callback_of[call["call"]] for call in told.with_verdict(ANNA, "missed")]
    assert len({callback["number"] for callback in callbacks}) == len(callbacks) == 79
    assert {callback["owner"] for callback in callbacks} == {ANNA}
    assert sum(counted(callback) for callback in callbacks) == 11
    assert sum(not callback["attempts"] and callback["state"] == "open" for callback in callbacks) == 68
    callers = Counter(attempt["agent"] for callback in callbacks for attempt in callback["attempts"])
    assert 0 < callers[ANNA] < callers.total() - callers[ANNA]


def test_nobody_ever_talked_to_the_forgotten_clients(told: Told) -> None:
    missed = told.with_verdict(ANNA, "missed")
    forgotten = {call["caller"] for call in missed if told.fate(call) == "forgotten"}
    assert len(forgotten) == 68
    calls = [call for call in told.json["calls"] if {call["caller"], call["called"]} & forgotten]
    assert len(calls) == 68
    assert {(call["lost"], call["colour"]) for call in calls} == {(True, "red")}


def test_anna_is_in_dnd_for_40_to_60_minutes_of_each_rush(told: Told) -> None:
    stretches = told.stretches(ANNA, "dnd")
    days = {begin.date() for begin, _ in stretches}
    assert len(days) == 18
    assert {day.weekday() for day in days} == {0, 1, 3, 4}
    for day in days:
        for first, last in ((10, 13), (17, 20)):
            window = [(begin, end) for begin, end in stretches if begin.date() == day and first <= begin.hour < last]
            assert 40 * 60 <= sum((end - begin).total_seconds() for begin, end in window) <= 60 * 60
            assert all(end.hour < last for _, end in window)


@pytest.mark.parametrize("agent", COLLEAGUES)
def test_a_colleague_misses_8_to_11_percent_and_picks_up_after_8_to_12_seconds(told: Told, agent: str) -> None:
    answered, missed = len(told.with_verdict(agent, "answered")), len(told.with_verdict(agent, "missed"))
    pickups = told.pickups(agent)
    assert answered + missed >= 380
    assert 0.08 <= missed / (answered + missed) <= 0.11
    assert 8.0 <= sum(pickups) / len(pickups) <= 12.0
    assert told.short_hangups(agent) <= 3


@pytest.mark.parametrize("agent", PEOPLE)
def test_what_was_intended_is_what_was_read(month: Month, told: Told, agent: str) -> None:
    assert told.truth(agent) == month.truth[agent]


def test_the_clients_of_the_colleagues_are_mostly_called_back_within_ten_minutes(told: Told) -> None:
    missed = {call["call"] for agent in COLLEAGUES for call in told.with_verdict(agent, "missed") if call["lost"]}
    callbacks = [callback for callback in told.json["callbacks"] if missed & set(callback["missed_calls"])]
    states = Counter(callback["state"] for callback in callbacks)
    assert states["reached"] > 0.7 * len(callbacks)
    assert states["attempted"] > 5
    assert states["client_returned"] > 5
    started = {call["call"]: call["started_at"] for call in told.json["calls"]}
    first = [(b["due_at"], started[b["attempts"][0]["call"]]) for b in callbacks if b["attempts"]]
    assert sum(at <= due for due, at in first) > 0.85 * len(first)
    results = Counter(attempt["result"] for callback in callbacks for attempt in callback["attempts"])
    assert {"reached", "no_answer", "busy", "too_short"} <= set(results)


def test_every_cause_occurs_that_does_not_need_a_transfer(told: Told) -> None:
    causes = Counter(call["cause"] for call in told.inbound)
    assert set(causes) - {None} == {
        *("after_hours", "short_abandon", "ivr", "no_agents", "technical", "refused"),
        *("overload", "dropped", "declined", "ignored", "caller_gave_up"),
    }
    assert {call["colour"] for call in told.inbound} == {"red", "yellow", "green", None}


# --- the clinic


def test_120_to_180_calls_come_in_on_every_working_day_and_mostly_at_the_rush(told: Told, month: Month) -> None:
    days = Counter(moment(call["started_at"]).date() for call in told.inbound)
    worked = {day.date for day in month.days if day.shifts}
    assert worked == {date(2026, 10, day) for day in range(1, 32) if date(2026, 10, day).weekday() < 6}
    assert {day for day, count in days.items() if not 120 <= count <= 180} == set(days) - worked
    hours = Counter(moment(call["started_at"]).hour for call in told.inbound if call["cause"] != "after_hours")
    rush = {hour for hour in range(24) if any(first <= hour * 3600 < last for first, last in RUSH)}
    assert min(hours[hour] for hour in rush) > max(hours[hour] for hour in set(hours) - rush)
    assert month.calls == len(told.inbound) == sum(days.values())


def test_callers_are_of_several_regions_on_two_lines_and_a_few_are_withheld(told: Told) -> None:
    assert {call["called"] for call in told.inbound} == {f"+{line}" for line in LINES}
    numbers = [call["caller"] for call in told.inbound]
    assert 20 < numbers.count(None) < 100
    parsed = [phonenumbers.parse(number) for number in numbers if number is not None]
    assert all(phonenumbers.is_valid_number(number) for number in parsed)
    mobile = sum(phonenumbers.number_type(number) is phonenumbers.PhoneNumberType.MOBILE for number in parsed)
    assert 0.4 < mobile / len(parsed) < 0.9
    regions = Counter(geocoder.description_for_number(number, "en") for number in parsed)
    assert {"Moscow", "St Petersburg", "Tver"} <= set(regions)


def test_the_settings_name_the_people_and_the_clinics_rules(settings: Settings) -> None:
    policy = policy_of(settings)
    assert policy.short_hangup == timedelta(seconds=3)
    assert (policy.max_missed_share, policy.callback_norm) == (0.12, timedelta(minutes=10))
    assert (settings.language, settings.timezone) == ("ru", "Europe/Moscow")
    assert policy.hours.open_at(datetime(2026, 10, 31, 19, 59, tzinfo=ZONE))
    assert not policy.hours.open_at(datetime(2026, 11, 1, 12, tzinfo=ZONE))
    assert len(settings.people) == 10
    assert settings.people[ANNA].name == "Анна Иванова"


@pytest.mark.parametrize("agent", PEOPLE)
def test_nobody_is_rung_twice_at_once_nor_while_away(told: Told, agent: str) -> None:
    rings = sorted(
        (moment(offer["began_at"]), moment(offer["ended_at"]))
        for call in told.inbound
        for offer in call["offers"]
        if offer["agent"] == agent
    )
    talks = [
        (moment(talk["began_at"]), moment(talk["ended_at"]))
        for call in told.inbound
        for talk in call["talks"]
        if talk["agent"] == agent
    ]
    outwards = [
        (moment(call["started_at"]), moment(call["ended_at"]))
        for call in told.json["calls"]
        if call["direction"] == "outbound" and call["caller"] == agent
    ]
    away = told.stretches(agent, "dnd", "paused", "offline")
    assert len(away) >= 20
    taken = sorted([*rings, *talks, *outwards, *away])
    assert all(one[1] <= other[0] for one, other in pairwise(taken))


@pytest.mark.parametrize(("year", "number", "seed"), [(2026, 2, 214), (2027, 5, 214), (2026, 10, 7)])
def test_any_month_and_any_seed_have_the_same_story(year: int, number: int, seed: int) -> None:
    other = plan(year, number, seed)
    anna = other.truth[ANNA]
    assert (anna.offered, anna.answered, anna.missed, anna.pickup_mean_s) == (214, 135, 79, 28.0)
    assert (anna.short_hangups, anna.called_back, anna.forgotten) == (42, 11, 68)
    assert all(0.08 <= other.truth[each].missed / other.truth[each].offered <= 0.11 for each in COLLEAGUES)
    assert all(120 <= len(day.inbound) <= 180 for day in other.days if day.shifts)


def test_a_single_day_has_its_share_of_the_story() -> None:
    day = plan_day(date(2026, 11, 24))
    assert 120 <= len(day.inbound) <= 180
    anna = truth_of([day])[ANNA]
    assert (anna.offered, anna.missed, anna.called_back) == (13, 5, 1)
    assert 2 * 40 * 60 <= anna.dnd_rush_s <= 2 * 60 * 60


def test_on_sunday_nobody_works_and_whoever_calls_hears_so() -> None:
    sunday = plan_day(date(2026, 11, 22))
    assert [*sunday.shifts, *sunday.aways, *sunday.outbound] == []
    assert len(sunday.inbound) > 0
    assert all(call.closed for call in sunday.inbound)


# --- the bytes


def frames_of(raws: Iterable[bytes]) -> Iterator[Frame]:
    cutter = Cutter()
    for raw in raws:
        for message in cutter.feed(raw):
            frame = parse(message, 0.0)
            assert frame is not None, message
            yield frame


def test_the_same_seed_says_the_same_bytes_and_another_one_others() -> None:
    day = date(2026, 11, 24)
    said = [b"".join(stream(plan_day(day, seed))) for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


def test_time_never_goes_back_and_every_message_is_followed(tape: Path) -> None:
    stamps = [frame.timestamp or 0.0 for frame in frames_of([tape.read_bytes()])]
    assert len(stamps) > 90_000
    assert stamps == sorted(stamps)


def shapes(raws: Iterable[bytes]) -> set[tuple[str, ...]]:
    """What each event looks like: its privilege and its headers, in order."""
    cutter = Cutter()
    messages = [message for raw in raws for message in cutter.feed(raw)]
    dated = [frame for each in messages if b"\nTimestamp: " in each and (frame := parse(each, 0.0)) is not None]
    return {
        (frame.event, frame["Privilege"], *frame.headers) for frame in dated if frame.event and not frame["ActionID"]
    }


def test_every_message_has_the_headers_of_a_real_one_in_their_order() -> None:
    real = shapes(path.read_bytes() for path in SCENARIOS.glob("*/*.ami"))
    day = shapes(stream(plan_day(date(2026, 11, 23))))
    assert {shape[0] for shape in day} >= {"QueueMemberPause", "PresenceStateChange", "AgentComplete", "VarSet"}
    assert day <= real


def events_of_an_answered_call(raws: Iterable[bytes]) -> Counter[tuple[str, str]]:
    """Those of the first one that rang one phone and heard no menu."""
    calls: dict[str, list[tuple[str, str]]] = {}
    for frame in frames_of(raws):
        calls.setdefault(frame["Linkedid"], []).append((frame.event, frame["ChannelState"]))
    told = (Counter(call) for link, call in calls.items() if link)
    return next(each for each in told if each["AgentConnect", "6"] == each["AgentCalled", "6"] == each["Newexten", "6"])


def test_an_answered_call_is_told_in_the_events_of_a_recorded_one() -> None:
    cut = Cutter().feed((SCENARIOS / "22/phone_offline.ami").read_bytes())
    followed = [raw + b"\r\n\r\n" for raw in cut if b"\nTimestamp: " in raw and parse(raw, 0.0) is not None]
    ours = list(stream(plan_day(date(2026, 11, 24))))
    assert events_of_an_answered_call(ours) == events_of_an_answered_call(followed)


def test_a_recording_of_a_day_has_the_times_of_its_messages() -> None:
    tape = recorded(plan_day(date(2026, 11, 24)), "day")
    frames = [parse(raw, 0.0) for _, raw in tape.events]
    assert [at for at, _ in tape.events] == pytest.approx([frame.timestamp for frame in frames if frame], abs=1e-6)
    assert tape.lists == lists()
    assert 10 * 3600 < tape.seconds < 15 * 3600


async def test_the_simulated_pbx_can_be_begun_with_the_clinic() -> None:
    tape = recorded(plan_day(date(2026, 11, 24)))
    async with simulated_pbx(SystemClock(), Login(username="demo", secret="s3cret-of-the-test")) as pbx:
        pbx.board.begin(tape.lists)
        assert pbx.board.rows("QueueMember") == []
        noon = datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp()
        for at, raw in tape.events:
            if at < noon:
                pbx.board.take(raw)
        members = {row["Location"]: row["Name"] for row in pbx.board.rows("QueueMember")}
    assert members["PJSIP/101"] == "Анна Иванова"
