"""The `[[alerts]]` tables of the settings: what people are warned of, each table a rule."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import STATES, Kind, Rule, keys_of, rule_of
from pbxmonitor.settings_errors import did_you_mean
from pbxmonitor.settings_values import Seconds, Share, Table, share

LONGEST_WINDOW = timedelta(days=1)
# What `to` may say beside people and `team:KEY`.
TOLD = frozenset({"owner", "supervisor", "reserve", "employee", "manager", "director"})


def listed(value: object) -> object:
    """One word is a list of one."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(listed)]
Count = Annotated[int, Field(ge=1)]


class AlertSettings(Table):
    """One rule; a key that is not set has the default of its kind, and a kind knows its own keys only.

    `clear` is a share where the kind looks at one, else a count. `remind_every` 0 is never.
    """

    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    title: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    to: Annotated[Words, Field(min_length=1)] | None = None
    channels: Words | None = None
    urgent: bool | None = None
    nodes: Words | None = None
    queues: Words | None = None
    teams: Words | None = None
    people: Words | None = None
    window: Seconds | None = None
    above: Share | None = None
    least: Count | None = None
    beyond_chance: bool | None = None
    count: Count | None = None
    more_than: Annotated[int, Field(ge=0)] | None = None
    longer: Seconds | None = None
    clear: Any = None
    states: Annotated[tuple[AgentState, ...], BeforeValidator(listed), Field(min_length=1)] | None = None
    reason: Words | None = None
    in_peak: bool | None = None
    hold: Seconds | None = None
    clear_after: Seconds | None = None
    cool_down: Seconds | None = None
    remind_every: Seconds | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = keys_of(self.kind)
        for key in sorted(self.model_fields_set - set(known)):
            raise ValueError(f"{key} means nothing to {self.kind}; {did_you_mean(key, known)}")
        for complaint in _complaints(self):
            raise ValueError(complaint)
        return self

    @property
    def key(self) -> str:
        """Its name: the kind's, until it has one of its own."""
        return self.name or self.kind.value


def _complaints(table: AlertSettings) -> Iterator[str]:
    if table.window is not None and not timedelta() < table.window <= LONGEST_WINDOW:
        yield "window must be longer than nothing and at most a day"
    odd = set(table.states or ()) - STATES.get(table.kind, frozenset())
    if odd:
        yield f"states of {table.kind} must be of {', '.join(sorted(STATES[table.kind]))}, not {min(odd)}"
    clear, limit = cleared(table), _limit(table)
    if clear is not None and limit is not None and clear > limit:
        yield f"clear must not be above {limit:g}: it is well again there"


def cleared(table: AlertSettings) -> float | None:
    """From where on it is well again; ValueError when that is no share or no count."""
    if table.clear is None:
        return None
    if table.kind in (Kind.MISSED_SHARE, Kind.ABANDONED_SHARE):
        try:
            return share(table.clear)
        except ValueError as error:
            raise ValueError(f"clear {error}, not {table.clear!r}") from None
    if isinstance(table.clear, bool) or not isinstance(table.clear, int) or table.clear < 0:
        raise ValueError(f"clear must be a whole number from 0 on, not {table.clear!r}")
    return table.clear


def _limit(table: AlertSettings) -> float | None:
    """The largest value that is not too much yet; None where another table of the settings says it."""
    rule = rule_of(table.kind, **_given(table))
    match table.kind:
        case Kind.MISSED_SHARE | Kind.ABANDONED_SHARE:
            return rule.above
        case Kind.SHORT_HANGUPS:
            return rule.count - 1
    return rule.more_than


def _given(table: AlertSettings) -> dict[str, Any]:
    """What the table says, but for the kind and `clear`, as a rule has it."""
    given = {key: getattr(table, key) for key in table.model_fields_set - {"kind", "clear", "name"}}
    given = {key: value for key, value in given.items() if value is not None}
    for key in given.keys() & {"nodes", "queues", "teams", "people", "states", "reason"}:
        given[key] = frozenset(given[key])
    if given.get("remind_every") == timedelta():
        given["remind_every"] = None
    return given


def to_rules(settings: Sequence[AlertSettings]) -> tuple[Rule, ...]:
    """The rules of the domain."""
    return tuple(_rule(table) for table in settings)


def _rule(table: AlertSettings) -> Rule:
    given, clear = _given(table), cleared(table)
    if clear is not None:
        given["clear"] = clear
    return rule_of(table.kind, name=table.key, **given)


def _unique(tables: tuple[AlertSettings, ...]) -> tuple[AlertSettings, ...]:
    names = [table.key for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"must have names that differ: two are {name}; give one of them a name of its own")
    return tables


def people_named(tables: Iterable[AlertSettings]) -> Iterator[tuple[str, str]]:
    """Where people are named, and who."""
    for number, table in enumerate(tables):
        words = (word for word in table.to or () if word not in TOLD and not word.startswith("team:"))
        yield from ((f"alerts.{number}.to", name) for name in words)


def teams_named(tables: Iterable[AlertSettings]) -> Iterator[tuple[str, str]]:
    """Where teams are named, and which."""
    for number, table in enumerate(tables):
        yield from ((f"alerts.{number}.teams", name) for name in table.teams or ())
        words = (word for word in table.to or () if word.startswith("team:"))
        yield from ((f"alerts.{number}.to", word.removeprefix("team:")) for word in words)


def channels_named(tables: Iterable[AlertSettings]) -> Iterator[tuple[str, str]]:
    """Where channels are named, and which."""
    for number, table in enumerate(tables):
        yield from ((f"alerts.{number}.channels", name) for name in table.channels or ())


AlertsSettings = Annotated[tuple[AlertSettings, ...], AfterValidator(_unique)]

# What a site is warned of until it says otherwise; an empty list is nothing.
DEFAULT_ALERTS = (
    AlertSettings(kind=Kind.MISSED_SHARE),
    AlertSettings(kind=Kind.MISSES_IN_A_ROW),
    AlertSettings(kind=Kind.ABANDONED_SHARE),
    AlertSettings(kind=Kind.CALLERS_WAITING),
    AlertSettings(kind=Kind.NOBODY_AVAILABLE),
    AlertSettings(kind=Kind.CALLBACK_OVERDUE, more_than=4),
    AlertSettings(kind=Kind.AWAY, longer=timedelta(minutes=45)),
    AlertSettings(kind=Kind.AWAY, name="dnd_in_peak", states=(AgentState.DND,), in_peak=True),
    AlertSettings(kind=Kind.OFFLINE),
    AlertSettings(kind=Kind.SHORT_HANGUPS),
    AlertSettings(kind=Kind.LINK_LOST),
)
