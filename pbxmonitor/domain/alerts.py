"""What people are warned of: rules as data, and what one of them sees now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.kpi import wilson
from pbxmonitor.domain.policy import Policy


class Kind(StrEnum):
    """What a rule looks at."""

    MISSED_SHARE = "missed_share"
    MISSES_IN_A_ROW = "misses_in_a_row"
    ABANDONED_SHARE = "abandoned_share"
    CALLERS_WAITING = "callers_waiting"
    CALLBACK_OVERDUE = "callback_overdue"
    AWAY = "away"
    OFFLINE = "offline"
    NOBODY_AVAILABLE = "nobody_available"
    SHORT_HANGUPS = "short_hangups"
    LINK_LOST = "link_lost"


# Asked of the rows; the others are seen on the floor, or are the link's.
COUNTED: Final = frozenset(
    {Kind.MISSED_SHARE, Kind.MISSES_IN_A_ROW, Kind.ABANDONED_SHARE, Kind.SHORT_HANGUPS, Kind.CALLBACK_OVERDUE}
)
OF_QUEUES: Final = frozenset({Kind.ABANDONED_SHARE, Kind.CALLERS_WAITING, Kind.NOBODY_AVAILABLE})
_SHARES: Final = frozenset({Kind.MISSED_SHARE, Kind.ABANDONED_SHARE})
# Without a call nobody can say that it is well again: these end without a word then.
_NEEDS_CALLS: Final = _SHARES | {Kind.MISSES_IN_A_ROW, Kind.SHORT_HANGUPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is watched, when it is too much, and who is told; docs/alerts.md says what each kind uses.

    `above` None is the team's goal, `longer` and `more_than` None are no limit, empty filters let everybody through.
    """

    name: str
    kind: Kind
    title: str | None = None
    to: tuple[str, ...] = ("manager", "supervisor")
    channels: tuple[str, ...] = ()
    urgent: bool = False
    nodes: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    window: timedelta = timedelta(hours=1)
    above: float | None = None
    least: int = 10
    beyond_chance: bool = True
    count: int = 3
    more_than: int | None = None
    longer: timedelta | None = None
    clear: float | None = None
    states: frozenset[AgentState] = frozenset()
    reason: frozenset[str] = frozenset()
    in_peak: bool = False
    hold: timedelta = timedelta()
    clear_after: timedelta = timedelta(minutes=1)
    cool_down: timedelta = timedelta(minutes=30)
    remind_every: timedelta | None = timedelta(hours=1)

    def watches_node(self, node: str) -> bool:
        return not self.nodes or node in self.nodes

    def watches_queue(self, queue: str) -> bool:
        return not self.queues or queue in self.queues

    def watches(self, agent: str | None, policy: Policy) -> bool:
        """Whether that agent is one of the people or in one of the teams; nobody at all is in none."""
        if not self.people and not self.teams:
            return True
        if agent is None:
            return False
        return agent in self.people or any(agent in team.members for team in policy.teams if team.key in self.teams)


_COMMON: Final = ("name", "kind", "title", "to", "channels", "urgent", "nodes")
_TIMES: Final = ("hold", "clear_after", "cool_down", "remind_every")
_OF_AGENT: Final = ("teams", "people")
_OF_SHARE: Final = ("window", "above", "least", "beyond_chance", "clear")
# The keys that each kind knows beside the common ones.
_KEYS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.MISSED_SHARE: (*_OF_SHARE, *_OF_AGENT),
    Kind.MISSES_IN_A_ROW: ("window", "count", *_OF_AGENT),
    Kind.ABANDONED_SHARE: (*_OF_SHARE, "queues"),
    Kind.CALLERS_WAITING: ("more_than", "longer", "clear", "queues"),
    Kind.CALLBACK_OVERDUE: ("more_than", "longer", "clear", *_OF_AGENT),
    Kind.AWAY: ("states", "reason", "longer", "in_peak", *_OF_AGENT),
    Kind.OFFLINE: ("states", "longer", *_OF_AGENT),
    Kind.NOBODY_AVAILABLE: ("queues",),
    Kind.SHORT_HANGUPS: ("window", "count", "clear", *_OF_AGENT),
    Kind.LINK_LOST: ("longer",),
}
# What a kind has otherwise than Rule has it.
_DEFAULTS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.MISSED_SHARE: {"clear_after": timedelta(minutes=5)},
    Kind.MISSES_IN_A_ROW: {"window": timedelta(hours=2), "clear_after": timedelta()},
    Kind.ABANDONED_SHARE: {"above": 0.15, "clear_after": timedelta(minutes=5)},
    Kind.CALLERS_WAITING: {"hold": timedelta(seconds=15), "remind_every": timedelta(minutes=15)},
    Kind.CALLBACK_OVERDUE: {"more_than": 0, "longer": timedelta(minutes=30), "clear_after": timedelta()},
    Kind.AWAY: {"states": frozenset({AgentState.DND, AgentState.PAUSED}), "longer": timedelta(minutes=30)},
    Kind.OFFLINE: {"states": frozenset({AgentState.OFFLINE}), "longer": timedelta(minutes=10)},
    Kind.NOBODY_AVAILABLE: {"hold": timedelta(minutes=1), "remind_every": timedelta(minutes=15)},
    Kind.SHORT_HANGUPS: {"clear": 0},
    Kind.LINK_LOST: {"longer": timedelta(minutes=1), "urgent": True, "clear_after": timedelta(seconds=10)},
}
_WAITING: Final = {"more_than": 3, "longer": timedelta(minutes=2)}
STATES: Final[Mapping[Kind, frozenset[AgentState]]] = {
    Kind.AWAY: frozenset({AgentState.DND, AgentState.PAUSED}),
    Kind.OFFLINE: frozenset({AgentState.OFFLINE, AgentState.LOGGED_OUT}),
}


def keys_of(kind: Kind) -> tuple[str, ...]:
    """Everything that a rule of that kind may say."""
    return (*_COMMON, *_KEYS[kind], *_TIMES)


def rule_of(kind: Kind, **given: Any) -> Rule:
    """A rule of that kind with its defaults, but for what is given.

    Of the two limits on waiting callers the one that is not given is none, if the other is.
    """
    defaults = dict(_DEFAULTS[kind])
    if kind is Kind.CALLERS_WAITING and not given.keys() & _WAITING.keys():
        defaults |= _WAITING
    if kind is Kind.AWAY and given.get("in_peak"):
        defaults["longer"] = timedelta(minutes=10)
    return Rule(**{"name": kind.value, "kind": kind, **defaults, **given})


class Seen(StrEnum):
    """Too much; neither too much nor well; well; or nothing that anybody could say."""

    OVER = "over"
    BETWEEN = "between"
    WELL = "well"
    MOOT = "moot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a rule sees of one subject (an agent, a queue, a node); `since` when that began, where it is known.

    `words` are what the text about it is written with: counts, shares 0..1, spans and moments as they are.
    """

    rule: str
    node: str
    subject: str
    seen: Seen
    agent: str | None = None
    value: float = 0.0
    threshold: float = 0.0
    since: datetime | None = None
    words: Mapping[str, Any] = field(default_factory=dict)


def seen_of(rule: Rule, sign: Sign | None) -> Seen:
    """What it means; that nothing is seen at all is well, but not where calls should tell."""
    if sign is not None:
        return sign.seen
    return Seen.MOOT if rule.kind in _NEEDS_CALLS else Seen.WELL


def of_share(rule: Rule, part: int, whole: int, limit: float) -> Seen:
    """A share that is above its limit, by more than chance where the rule wants that, on enough calls."""
    if not whole:
        return Seen.MOOT
    share = wilson(part, whole)[0] if rule.beyond_chance else part / whole
    if whole >= rule.least and share > limit:
        return Seen.OVER
    return Seen.WELL if part / whole <= (limit if rule.clear is None else rule.clear) else Seen.BETWEEN


def of_count(rule: Rule, count: int, least: int) -> Seen:
    """A count that is too much from `least` on, and well below that or at `clear`."""
    if count >= least:
        return Seen.OVER
    return Seen.WELL if rule.clear is None or count <= rule.clear else Seen.BETWEEN


def limit_of(rule: Rule, agent: str, policy: Policy) -> float:
    """The share that the rule allows the agent: its own, or the goal of his team."""
    if rule.above is not None:
        return rule.above
    team = policy.team_of(agent)
    return policy.max_missed_share if team is None or team.max_missed_share is None else team.max_missed_share
