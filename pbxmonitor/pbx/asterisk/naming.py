"""Names at the edge: whose device that is, which number, which line. Everything inside compares canonical strings."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import phonenumbers

from pbxmonitor.domain.facts import Target

WITHHELD: Final = frozenset(
    {"", "anonymous", "unknown", "<unknown>", "restricted", "private", "unavailable", "withheld", "asterisk"}
)
_FREEPBX: Final = re.compile(r"(?:FMPR-|FMGL-|LC-|RG-[0-9]+\*?-)(\+?[0-9]+)#?")
_CHANNEL_END: Final = re.compile(r"-[0-9a-f]{8}(;[12])?$")
_TECHNOLOGIES: Final = frozenset({"PJSIP", "SIP", "IAX2", "DAHDI", "Local", "SCCP", "Dongle", "Quectel"})
_LONGEST_EXTENSION: Final = 8
_SHORTEST_NUMBER: Final = 3


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the settings say of one PBX's names: `people` maps a device or an extension to a person."""

    node: str
    region: str = "RU"
    trunks: frozenset[str] = frozenset()
    trunk_contexts: tuple[str, ...] = ("from-trunk", "from-pstn", "from-did")
    people: dict[str, str] = field(default_factory=dict)

    def is_trunk(self, endpoint: str, context: str) -> bool:
        """Whether channels of that endpoint lead outside."""
        return not endpoint.startswith("Local/") and (
            endpoint in self.trunks or context.startswith(self.trunk_contexts)
        )

    def agent(self, interface: str) -> str | None:
        """Who answers at `PJSIP/101`, `Local/101@from-queue/n` or `hint:101@ext-local`; None if nobody we know."""
        name = device_name(interface)
        for known in (interface, endpoint_of(interface), name):
            if known in self.people:
                return self.people[known]
        return name if name.isdigit() and len(name) <= _LONGEST_EXTENSION else None

    def member(self, interface: str) -> str:
        """Who that queue member is: always somebody, if only by the device's own name."""
        return self.agent(interface) or device_name(interface)

    def number(self, raw: str) -> str | None:
        """A caller's number: E.164 where it is one, else as it is; None when withheld."""
        text = raw.strip().removeprefix("sip:").partition("@")[0]
        return None if text.lower() in WITHHELD else canonical(text, self.region)

    def person(self, number: str | None) -> str | None:
        """Whose mobile that number is."""
        return self.people.get(number) if number else None

    def targets(self, dialled: str) -> tuple[Target, ...]:
        """Whom the first argument of Dial names, in order."""
        return tuple(self._target(each) for each in dialled.split("&") if each)

    def _target(self, dialled: str) -> Target:
        if dialled.startswith("Local/"):
            return self._local_target(dialled)
        number = number_in(dialled)
        if number is not None:
            return Target(number=self.number(number))
        return Target(agent=self.agent(dialled) or device_name(dialled))

    def _local_target(self, dialled: str) -> Target:
        """Behind a Local channel: a number outside, an extension, or what the dialplan there makes of it."""
        name = device_name(dialled)
        outside = name.startswith("+") or len(name) > _LONGEST_EXTENSION
        if outside and name.lstrip("+").isdigit():
            return Target(number=self.number(name))
        return Target(agent=self.agent(dialled))


def endpoint_of(channel: str) -> str:
    """`PJSIP/101-0000002a` → `PJSIP/101`."""
    return _CHANNEL_END.sub("", channel)


@lru_cache(maxsize=4096)
def device_name(interface: str) -> str:
    """`PJSIP/101` → `101`, `Local/101@from-queue/n` → `101`, `hint:101@ext-local` → `101`.

    FreePBX calls Local channels after a person (`Local/FMPR-101@…`, `Local/FMGL-101#@…`, `Local/LC-101@…`) or a number
    (`Local/RG-600*-+7…#@…`).
    """
    _, _, rest = endpoint_of(interface).replace("hint:", "hint/").partition("/")
    name = rest.split("@")[0].split("/")[0]
    inner = _FREEPBX.fullmatch(name) if interface.startswith("Local/") else None
    return inner[1] if inner is not None else name


@lru_cache(maxsize=4096)
def number_in(dialled: str) -> str | None:
    """The number outside that a dial string names: `PJSIP/+7…@trunk`, `SIP/trunk/8…`, `PJSIP/trunk/sip:+7…@host`.

    None of a phone (`PJSIP/101`), and of one contact of a phone (`PJSIP/101/sip:101@10.0.0.5`).
    """
    tech, _, rest = dialled.partition("/")
    endpoint, slash, address = (rest if tech in _TECHNOLOGIES else dialled).partition("/")
    user, at, _ = address.partition("@") if slash else endpoint.partition("@")
    contact = slash and (at or user.startswith("sip:")) and endpoint.isdigit()
    number = user.removeprefix("sip:").removeprefix("sips:")
    if contact or not (slash or at) or sum(map(str.isdigit, number)) < _SHORTEST_NUMBER:
        return None
    return number if number.strip("+*#").isdigit() else None


@lru_cache(maxsize=16384)
def canonical(raw: str, region: str) -> str:
    """E.164 of a number that is valid in that region, whatever its format; anything else as it came."""
    text = raw.strip().removeprefix("sip:").partition("@")[0]
    digits = re.sub(r"[\s()\-.]", "", text)
    if not digits.lstrip("+").isdigit() or len(digits) < 7:
        return text
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(parsed) or (digits[0] != "+" and not phonenumbers.is_valid_number(parsed)):
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
