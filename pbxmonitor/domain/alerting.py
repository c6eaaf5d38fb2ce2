"""The life of one alert: it must last, it is told, it is repeated, it is well for a while, it is over, it rests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pbxmonitor.domain.alerts import Kind, Rule, Seen, Sign, seen_of
from pbxmonitor.domain.evolve import evolve


class AlertState(StrEnum):
    """Pending: it has not lasted long enough. Cooling: it is over, and not told again for a while."""

    PENDING = "pending"
    FIRING = "firing"
    COOLING = "cooling"
    RESOLVED = "resolved"


LIVE: Final = (AlertState.PENDING, AlertState.FIRING, AlertState.COOLING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One trouble that a rule saw: `began_at` when we saw it first, `since` when it began as far as is known.

    `value`, `threshold` and `words` are as they were when it was last told; `well_since` while it looks over.
    """

    rule: str
    kind: Kind
    node: str
    subject: str
    began_at: datetime
    since: datetime
    state: AlertState = AlertState.PENDING
    agent: str | None = None
    well_since: datetime | None = None
    told_at: datetime | None = None
    ended_at: datetime | None = None
    reminders: int = 0
    value: float = 0.0
    threshold: float = 0.0
    words: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.rule, self.node, self.subject


class What(StrEnum):
    FIRED = "fired"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that people are to hear of an alert, which is as it has become; the sign is what is seen now."""

    what: What
    alert: Alert
    sign: Sign | None

    @property
    def name(self) -> str:
        """What tells it from everything else said of that alert."""
        return f"{self.what} {self.alert.reminders}" if self.what is What.REMINDER else self.what.value


Step = tuple[Alert | None, Said | None]


def advance(rule: Rule, known: Alert | None, sign: Sign | None, now: datetime) -> Step:
    """The alert after what is seen now, and what is to be said.

    None for an alert that was only pending and is no more. `known` is the subject's last one, if it still lives.
    """
    seen = seen_of(rule, sign)
    if known is None or known.state is AlertState.RESOLVED:
        if sign is None or seen is not Seen.OVER:
            return known, None
        known = _begun(rule, sign, now)
    if known.state is AlertState.PENDING:
        return _pending(rule, known, sign, seen, now)
    if known.state is AlertState.COOLING:
        return _cooling(rule, known, now)
    return _firing(rule, known, sign, seen, now)


def _begun(rule: Rule, sign: Sign, now: datetime) -> Alert:
    return Alert(
        rule=rule.name,
        kind=rule.kind,
        node=sign.node,
        subject=sign.subject,
        agent=sign.agent,
        began_at=now,
        since=sign.since or now,
    )


def _pending(rule: Rule, known: Alert, sign: Sign | None, seen: Seen, now: datetime) -> Step:
    if seen is not Seen.OVER:
        return None, None
    if now - known.began_at < rule.hold:
        return known, None
    return _say(What.FIRED, known, sign, now, state=AlertState.FIRING)


def _firing(rule: Rule, known: Alert, sign: Sign | None, seen: Seen, now: datetime) -> Step:
    if seen is Seen.MOOT:
        return evolve(known, state=AlertState.RESOLVED, ended_at=now, well_since=None), None
    if seen is Seen.WELL:
        return _well(rule, known, sign, now)
    again = evolve(known, well_since=None) if known.well_since is not None else known
    if rule.remind_every is None or now - (known.told_at or now) < rule.remind_every:
        return again, None
    return _say(What.REMINDER, again, sign, now, reminders=known.reminders + 1)


def _well(rule: Rule, known: Alert, sign: Sign | None, now: datetime) -> Step:
    since = known.well_since or now
    if now - since < rule.clear_after:
        return evolve(known, well_since=since), None
    after = AlertState.COOLING if rule.cool_down > timedelta() else AlertState.RESOLVED
    return _say(What.RESOLVED, known, sign, now, state=after, ended_at=since, well_since=None)


def _cooling(rule: Rule, known: Alert, now: datetime) -> Step:
    over = known.told_at is None or now - known.told_at >= rule.cool_down
    return (evolve(known, state=AlertState.RESOLVED) if over else known), None


def _say(what: What, known: Alert, sign: Sign | None, now: datetime, **changes: Any) -> Step:
    seen = {} if sign is None else {"value": sign.value, "threshold": sign.threshold, "words": sign.words}
    alert = evolve(known, told_at=now, **seen, **changes)
    return alert, Said(what=what, alert=alert, sign=sign)


def dropped(known: Alert, now: datetime) -> Alert | None:
    """What becomes of an alert whose rule is no more: it is over without a word."""
    if known.state is AlertState.PENDING:
        return None
    return evolve(known, state=AlertState.RESOLVED, ended_at=known.ended_at or now, well_since=None)
