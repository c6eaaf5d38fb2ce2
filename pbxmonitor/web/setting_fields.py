"""What may be filled in for each group of the settings: which fields there are, and what may be chosen in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import STATES, Kind, keys_of
from pbxmonitor.domain.roster import Role
from pbxmonitor.in_force import OPEN_KINDS, kind_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_values import DAYS
from pbxmonitor.texts import catalogue, tr

Choice = tuple[str, str]
Form = Literal["text", "lines", "words", "many", "one", "flag", "pairs", "long"]
# Who may be told, beside people and teams.
TOLD: Final = ("owner", "supervisor", "reserve", "employee", "manager", "director")
_NOBODYS: Final = frozenset({"owner", "reserve"})
OWNERS: Final = ("missed", "last_rung", "responsible", "fewest_open")
MESSAGES: Final = ("missed", "overdue", "escalated", "task")
# Empty steps to be filled in below those that there are.
MORE_STEPS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of an entry (`path`): how it is filled in, what it is called, what may be chosen.

    `lines` and `words` are lists, one a line or between commas; `many` is a list of choices; `pairs` a table of lists.
    """

    path: tuple[str, ...]
    form: Form = "text"
    label: str
    hint: str = ""
    choices: Sequence[Choice] = ()
    required: bool = False
    group: str = ""

    @property
    def name(self) -> str:
        """What the field of the form is called."""
        return "f." + "/".join(self.path)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Fields of one section in one language, their labels and hints from the catalogue."""

    settings: Settings
    section: str
    language: str

    def text(self, key: str) -> str:
        """The text of the section's own key, else of all sections; nothing where there is none."""
        names = (f"web.settings.{key.replace('@', f'{self.section}.')}", f"web.settings.{key.replace('@', '')}")
        return next((tr(name, language=self.language) for name in names if name in catalogue(self.language)), "")

    def field(self, name: str, form: Form = "text", choices: Sequence[Choice] = (), *, required: bool = False) -> Field:
        label, hint = self.text(f"field.@{name}") or name, self.text(f"hint.@{name}")
        return Field(path=(name,), form=form, label=label, hint=hint, choices=choices, required=required)

    def fields(self, *names: str, form: Form = "text", choices: Sequence[Choice] = ()) -> list[Field]:
        return [self.field(name, form, choices) for name in names]

    def words(self, prefix: str, values: Sequence[str]) -> list[Choice]:
        return [(value, tr(f"{prefix}.{value}", language=self.language)) for value in values]

    @property
    def people(self) -> list[Choice]:
        return [(key, entry.name or key) for key, entry in self.settings.people.items()]

    @property
    def teams(self) -> list[Choice]:
        return [(key, team.name or key) for key, team in self.settings.teams.items()]

    @property
    def channels(self) -> list[Choice]:
        return [(name, name) for name in self.settings.notify]

    def told(self, without: frozenset[str] = frozenset()) -> list[Choice]:
        roles = self.words("value.told", [word for word in TOLD if word not in without])
        teams = [(f"team:{key}", name) for key, name in self.teams]
        return [*roles, *teams, *self.people]

    def ordered(self, name: str, values: Sequence[str]) -> Field:
        """A list whose order means something, with what may stand in it below."""
        field = self.field(name, "words")
        if not values:
            return field
        allowed = tr("web.settings.hint.allowed", language=self.language, names=", ".join(values))
        return replace(field, hint=" ".join(filter(None, (field.hint, allowed))))


def fields_of(settings: Settings, section: str, key: str, language: str, kind: str | None = None) -> list[Field]:
    """The fields of an entry of that section; `kind` is that of an alert rule."""
    make = _Maker(settings, section, language)
    if section == "alerts":
        return list(_alert(make, Kind(kind or key)))
    if section == "crm_users":
        return [Field(path=(person,), label=name) for person, name in make.people]
    return list(_MAKERS[section](make))


def steps_of(settings: Settings, language: str, count: int) -> list[list[Field]]:
    """The fields of so many steps of the chain, and of some more."""
    make = _Maker(settings, "steps", language)
    told = [*make.told(), ("crm", tr("value.told.crm", language=language))]
    plain = [
        make.field("after"),
        make.field("message", "one", make.words("web.settings.message", MESSAGES)),
        make.field("to", "many", told),
        make.field("channels", "many", make.channels),
        make.field("text", "long"),
    ]
    steps = range(count + MORE_STEPS)
    return [[replace(field, path=(str(number), *field.path)) for field in plain] for number in steps]


def _person(make: _Maker) -> Iterator[Field]:
    yield make.field("name")
    yield make.field("devices", "lines")
    yield make.field("mobiles", "lines")
    yield make.field("role", "one", make.words("web.settings.rank", [role.value for role in Role]))
    yield make.ordered("channels", list(make.settings.notify))
    for channel in make.settings.notify:
        if kind_of(make.settings, channel) in OPEN_KINDS:
            label = tr("web.settings.field.address", language=make.language, channel=channel)
            yield Field(path=("addresses", channel), label=label)
    yield make.field("quiet_hours")
    yield make.field("language", "one", [("ru", "Русский"), ("en", "English")])
    yield make.field("may_call_any", "flag")


def _team(make: _Maker) -> Iterator[Field]:
    yield make.field("name")
    yield from make.fields("people", "supervisors", "reserve", form="many", choices=make.people)
    yield from make.fields("max_missed_share", "callback_norm")


def _queue(make: _Maker) -> Iterator[Field]:
    yield from make.fields("min_ring", "short_abandon", "short_hangup", "dropped_within", "callback_norm")
    yield from (replace(field, path=("hours", *field.path), group="hours") for field in _hours(make))


def _hours(make: _Maker) -> Iterator[Field]:
    for day in DAYS:
        yield Field(path=(day,), label=tr(f"value.weekday.{day}", language=make.language))
    yield make.field("holidays", "lines")


def _goals(make: _Maker) -> Iterator[Field]:
    yield from make.fields("max_missed_share", "min_in_norm_share", "min_offered_for_rating")
    yield make.field("service_levels", "words")
    yield make.field("peak_hours")


def _messages(make: _Maker) -> Iterator[Field]:
    yield make.ordered("channels", list(make.settings.notify))
    yield make.field("quiet_hours")


def _callbacks(make: _Maker) -> Iterator[Field]:
    yield make.ordered("owner", OWNERS)
    yield make.field("responsible", "pairs")
    yield make.field("reserve", "many", make.people)
    yield make.field("snooze")


def _digest(make: _Maker) -> Iterator[Field]:
    kinds = ("daily", "weekly", "monthly", "callbacks")
    days = [*make.words("value.weekday", DAYS), *((str(day), str(day)) for day in range(1, 29))]
    yield make.field("kind", "one", make.words("web.settings.digest", kinds), required=True)
    yield make.field("at")
    yield make.field("on", "one", days)
    yield make.field("to", "many", make.told(_NOBODYS))
    yield make.field("days", "one", [(str(day), str(day)) for day in (1, 2, 3)])
    yield make.field("top", "one", [("5", "5"), ("10", "10")])
    yield make.field("channels", "many", make.channels)
    yield from make.fields("charts", "only_working_days", form="flag")


def _alert(make: _Maker, kind: Kind) -> Iterator[Field]:
    many: Mapping[str, Sequence[Choice]] = {
        "to": make.told(),
        "channels": make.channels,
        "nodes": [(node, node) for node in make.settings.pbx],
        "teams": make.teams,
        "people": make.people,
        "states": make.words("alert.state", sorted(STATES.get(kind, frozenset[AgentState]()))),
    }
    for key in keys_of(kind):
        if key in ("name", "kind"):
            continue
        if key in many:
            yield make.field(key, "many", many[key])
        else:
            yield make.field(key, _ALERT_FORMS.get(key, "text"))


_ALERT_FORMS: Final[Mapping[str, Form]] = {
    **dict.fromkeys(("urgent", "beyond_chance", "in_peak"), "flag"),
    **dict.fromkeys(("queues", "reason"), "words"),
}
_MAKERS: Final = {
    "people": _person,
    "teams": _team,
    "queues": _queue,
    "hours": _hours,
    "policy": _goals,
    "messages": _messages,
    "callbacks": _callbacks,
    "digests": _digest,
}
