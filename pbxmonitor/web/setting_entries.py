"""One entry of the settings before who changes it: what of it the file fixes, what is kept, what holds."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from json import dumps
from typing import Any, Final

from pbxmonitor.domain.alerts import Kind
from pbxmonitor.domain.escalation import DEFAULT_STEPS
from pbxmonitor.in_force import Arranged
from pbxmonitor.settings import Settings
from pbxmonitor.settings_fixed import SECTIONS, SITE, USUAL_RULES, is_fixed, place_of, usual_rule, whole_entry
from pbxmonitor.settings_overlay import Stored
from pbxmonitor.store.stored_settings import LONGEST_KEY, Wish
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.setting_fields import Field, fields_of, steps_of
from pbxmonitor.web.setting_forms import Said, plain, steps_said, texts, value_of
from pbxmonitor.web.viewer import Viewer

# Of these there is one each; the others have entries by name, by number (digests) or by CRM.
SINGLE: Final = frozenset({"policy", "hours", "messages", "callbacks", "steps"})
NAMED: Final = frozenset({"people", "teams", "queues", "alerts"})
# What they change is judged again before it is kept.
JUDGED: Final = frozenset({"queues", "hours"})
# Phone numbers: who may not see them has no fields for them, and what is kept there stays.
_NUMBERS: Final = frozenset({"mobiles", "addresses"})
_NAME: Final = re.compile(r"[\w@+.-]([\w @+.-]{0,78}[\w@+.-])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; `steps` are fields step by step. A new one is called nothing yet (`key` is only a proposal)."""

    section: str
    key: str
    new: bool
    stored: Stored | None
    settings: Settings
    fields: Sequence[Field] = ()
    steps: Sequence[Sequence[Field]] = ()
    kind: str | None = None
    entry: Any = field(default_factory=dict)

    @property
    def every(self) -> list[Field]:
        return [*self.fields, *(each for step in self.steps for each in step)]

    def fixed(self, one: Field) -> bool:
        """Whether the file says that."""
        free = self.new and self.section != "digests"
        return not free and is_fixed(self.settings, *place_of(self.section, self.key, *one.path))

    @property
    def locked(self) -> bool:
        """Whether nothing of it can be changed here."""
        return all(map(self.fixed, self.every))

    def shown(self) -> dict[str, list[str]]:
        """What the fields show."""
        return texts(self.every, self.entry)

    def said(self, said: Said) -> Any:
        """What is to be kept of what was filled in: nothing that the file fixes, and what has no field stays."""
        if self.section == "steps":
            return steps_said(self.steps, said)
        free = [each for each in self.fields if not self.fixed(each)]
        names = {each.path[0] for each in self.fields}
        before = self.stored.value if self.stored and isinstance(self.stored.value, Mapping) else {}
        kept = {name: value for name, value in before.items() if name not in names}
        return kept | ({"kind": self.kind} if self.kind else {}) | value_of(free, said)

    def wish(self, key: str, value: Any, revision: int) -> Wish:
        """That value kept; nothing at all is no entry where there is one of each."""
        nothing = not value and (self.section in SINGLE or self.section == "crm_users")
        return Wish(section=self.section, key=key, value=value, remove=nothing, revision=revision)


def entry_of(found: Arranged, section: str, key: str, viewer: Viewer, *, kind: str = "", device: str = "") -> Entry:
    """The entry of that key, or a new one ("" or a key that nobody has yet); Problem 404 for what cannot be."""
    settings = found.settings
    if section not in SECTIONS or not is_plain(key) or len(key) > LONGEST_KEY:
        raise Problem(404)
    key = SITE if section in SINGLE else key
    stored = found.kept.of(section, key) if key else None
    new = section not in SINGLE and not is_there(settings, section, key) and stored is None
    if section == "crm_users" and key not in settings.crm:
        raise Problem(404)
    kept = stored.value if stored is not None else None
    if section == "steps":
        return _chain(found, stored, viewer.language)
    whole = {"devices": [device]} if new and device and is_plain(device) else whole_entry(settings, section, key, kept)
    sort = _kind(whole, kind or key) if section == "alerts" else None
    fields = fields_of(settings, section, key, viewer.language, sort)
    return Entry(
        section=section,
        key=key,
        new=new,
        stored=stored,
        settings=settings,
        fields=[each for each in fields if viewer.whole_numbers or each.path[0] not in _NUMBERS],
        kind=sort,
        entry=whole,
    )


def _chain(found: Arranged, stored: Stored | None, language: str) -> Entry:
    """The steps that hold: until somebody has said, the usual ones, to begin with."""
    settings = found.settings
    own: Any = settings.callbacks.steps or [
        {"after": _after(step.after), "to": list(step.to), "message": step.message} for step in DEFAULT_STEPS
    ]
    if settings.callbacks.steps:
        own = [{**dict(step), "after": _after(step.after)} for step in settings.callbacks.steps]
    return Entry(
        section="steps",
        key=SITE,
        new=False,
        stored=stored,
        settings=settings,
        steps=steps_of(settings, language, len(own)),
        entry=own,
    )


def _after(value: Any) -> str:
    return "norm" if value is None else plain(value)


def _kind(whole: Any, asked: str) -> str:
    """The kind of an alert rule: what it says, else what is asked for."""
    said = whole.get("kind") if isinstance(whole, Mapping) else getattr(whole, "kind", None)
    kind = str(getattr(said, "value", said) or asked)
    if kind not in set(Kind):
        raise Problem(404)
    return kind


def is_there(settings: Settings, section: str, key: str) -> bool:
    """Whether there is such an entry already, from wherever."""
    if not key:
        return False
    names: Mapping[str, Collection[str]] = {
        "people": settings.people,
        "teams": settings.teams,
        "queues": settings.policy.queues,
        "alerts": {rule.key for rule in settings.alerts} | {*filter(partial(usual_rule, settings), USUAL_RULES)},
        "crm_users": settings.crm,
    }
    return key in names.get(section, ())


def new_key(found: Arranged, section: str, key: str) -> str | None:
    """How a new entry is called: as it was said, a digest by the next number; None where that is no name."""
    if section == "digests":
        numbers = [int(each.key) for each in found.kept.entries if each.section == section and each.key.isdecimal()]
        return str(max(numbers, default=0) + 1)
    return key if _NAME.fullmatch(key) else None


def storable(value: Any) -> bool:
    """Whether every text in it can stand in a database: no control characters but line ends, no half of a letter."""
    match value:
        case str():
            return all(is_plain(line[at : at + 100]) for line in value.split("\n") for at in range(0, len(line), 100))
        case Mapping():
            return all(storable(name) and storable(each) for name, each in value.items())
        case list() | tuple():
            return all(map(storable, value))
    return True


def well_named(found: Arranged, section: str, key: str) -> bool:
    """Whether an entry of that section may have that key."""
    if section in SINGLE:
        return key == SITE
    if section == "crm_users":
        return key in found.settings.crm
    return key.isdecimal() and key.isascii() if section == "digests" else _NAME.fullmatch(key) is not None


def digest_of(value: Any) -> str:
    """The same text for the same value: a form proves by it that its trial was seen."""
    return sha256(dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
