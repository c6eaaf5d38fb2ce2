"""The settings as people read them, group by group: people, teams, hours, channels, the chain, alerts, digests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pbxmonitor.domain.alerts import Rule
from pbxmonitor.domain.escalation import Step
from pbxmonitor.in_force import OPEN_KINDS, kind_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_alerts import AlertSettings, to_rules
from pbxmonitor.settings_digests import DigestSettings
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.settings_fixed import is_fixed, usual_rule
from pbxmonitor.settings_people import PersonSettings
from pbxmonitor.settings_policy import HoursSettings
from pbxmonitor.settings_values import DAYS
from pbxmonitor.store.links import Link
from pbxmonitor.texts import tr
from pbxmonitor.web.setting_texts import NOTHING, Value, span, values, written
from pbxmonitor.web.sight import Sight
from pbxmonitor.work.office import checked

# Where people present themselves by a code.
LINKED: Final = "telegram"
# An address there is no key to the channel: whoever knows it can read or send nothing by it.
_OPEN_KINDS: Final = OPEN_KINDS - {LINKED}
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a person is reached by a channel: at an address of the settings, by a link, or not yet."""

    channel: str
    kind: str
    address: str | None
    linked: Link | None

    @property
    def linkable(self) -> bool:
        return self.kind == LINKED and self.address is None


def people(settings: Settings, linked: Sequence[Link], sight: Sight) -> Iterator[dict[str, Any]]:
    """Everybody with his devices, and how he is reached."""
    links = {(each.channel, each.person): each for each in linked}
    for key, entry in settings.people.items():
        yield {
            "key": key,
            "name": entry.name or key,
            "role": tr(f"web.settings.rank.{entry.role}", language=sight.language),
            "teams": [team.name or name for name, team in settings.teams.items() if key in team.people],
            "devices": written(entry.devices),
            "mobiles": sight.text(written(entry.mobiles)),
            "ways": [_way(settings, key, entry, name, links, sight) for name in _channels(settings, entry)],
            "fixed": is_fixed(settings, "people", key),
        }


def _channels(settings: Settings, entry: PersonSettings) -> list[str]:
    own = settings.messages.channels if entry.channels is None else entry.channels
    return list(dict.fromkeys((*own, *entry.addresses)))


def _way(
    settings: Settings,
    key: str,
    entry: PersonSettings,
    name: str,
    links: Mapping[tuple[str, str], Link],
    sight: Sight,
) -> Way:
    kind, address = kind_of(settings, name), entry.addresses.get(name)
    shown = None
    if address is not None:
        shown = sight.text(address) if kind in _OPEN_KINDS else "***"
    return Way(channel=name, kind=kind, address=shown, linked=links.get((name, key)))


def teams(settings: Settings) -> Iterator[dict[str, Any]]:
    """The teams, who is in them, and their own goals."""
    for key, team in settings.teams.items():
        yield {
            "key": key,
            "fixed": is_fixed(settings, "teams", key),
            "name": team.name or key,
            "people": _names(settings, team.people),
            "supervisors": _names(settings, team.supervisors),
            "reserve": _names(settings, team.reserve),
            "max_missed_share": written(team.max_missed_share, "share"),
            "callback_norm": written(team.callback_norm),
        }


def week(hours: HoursSettings, language: str) -> Pairs:
    """The days of the week with their hours."""
    days = [(tr(f"value.weekday.{day}", language=language), getattr(hours, day)) for day in DAYS]
    closed = tr("web.settings.closed" if any(spans for _, spans in days) else "web.settings.always", language=language)
    return [(day, written(spans) if spans else closed) for day, spans in days]


def parts(settings: Settings, group: str) -> tuple[dict[str, list[Value]], str | None]:
    """The channels (`notify`) or CRMs (`crm`) with their keys, and what is wrong with them, if anything is."""
    tables = settings.notify if group == "notify" else settings.crm
    try:
        known = checked(settings)
    except SettingsError as error:
        return {name: [] for name in tables}, str(error)
    return {name: values(known[name][1]) for name in tables}, None


def steps(settings: Settings, language: str) -> list[dict[str, str]]:
    """The escalation chain."""
    return [
        {
            "when": _when(step, language),
            "to": ", ".join(told(settings, word, language) for word in step.to),
            "message": tr(f"web.settings.message.{step.message}", language=language),
            "channels": written(step.channels),
        }
        for step in settings.callbacks.chain
    ]


def _when(step: Step, language: str) -> str:
    if step.after is None:
        return tr("web.settings.step.norm", language=language)
    if not step.after and not step.late:
        return tr("web.settings.step.at_once", language=language)
    key = "web.settings.step.late" if step.late else "web.settings.step.after"
    return tr(key, language=language, after=span(step.after))


def rules(settings: Settings, language: str) -> list[dict[str, Any]]:
    """The alert rules: what each is called, whom it tells, what the file says of it."""
    found = zip(settings.alerts, to_rules(settings.alerts), strict=True)
    return [
        {
            "key": rule.name,
            "title": title_of(rule, language),
            "to": ", ".join(told(settings, word, language) for word in rule.to),
            "values": _own(table, ("kind", "name", "title", "to")),
            "fixed": is_fixed(settings, "alerts", rule.name),
            "usual": usual_rule(settings, rule.name),
        }
        for table, rule in found
    ]


def title_of(rule: Rule, language: str) -> str:
    """What people call the rule."""
    return rule.title or tr(f"alert.{'away_in_peak' if rule.in_peak else rule.kind}.title", language=language)


def digests(settings: Settings, keys: Sequence[str], language: str) -> list[dict[str, Any]]:
    """The digests: what, when, to whom; `keys` are those of what is kept, where the file has none."""
    mine = [*keys, *[""] * len(settings.digests)]
    return [
        {
            "key": "" if is_fixed(settings, "digests") else key,
            "kind": tr(f"web.settings.digest.{plan.kind}", language=language),
            "at": _at(plan, language),
            "to": ", ".join(told(settings, word, language) for word in plan.to),
            "values": _own(plan, ("kind", "at", "on", "to")),
        }
        for plan, key in zip(settings.digests, mine, strict=False)
    ]


def _at(plan: DigestSettings, language: str) -> str:
    day = tr(f"value.weekday.{plan.on}", language=language) if isinstance(plan.on, str) else plan.on
    return f"{plan.at:%H:%M}" + (f", {day}" if day is not None else "")


def _own(table: AlertSettings | DigestSettings, without: Sequence[str]) -> list[Value]:
    return [each for each in values(table, without=without) if each.said]


def told(settings: Settings, word: str, language: str) -> str:
    """Whom a word of `to` means."""
    if word in settings.people:
        return settings.people[word].name or word
    if word.startswith("team:"):
        key = word.removeprefix("team:")
        return (settings.teams[key].name or key) if key in settings.teams else key
    return word if word in settings.crm else tr(f"value.told.{word}", language=language)


def _names(settings: Settings, keys: Sequence[str]) -> str:
    return ", ".join(settings.people[key].name or key if key in settings.people else key for key in keys) or NOTHING
