"""Phone numbers and secrets, hidden in whatever is about to be written to a log."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any

HIDDEN = "***"
DEEPEST = 8

_SECRET_WORD = r"(?:secret|passw(?:or)?d|token|authorization|api_?key)"  # noqa: S105 - the words, not a secret
_SECRET_KEY = re.compile(_SECRET_WORD + "$", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    rf"({_SECRET_WORD}[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|digest)\s+)?)(?!\*\*\*)[^\s\"',;&}})\]]+", re.IGNORECASE
)
_SECRET_URL = re.compile(r"(://[^/@\s:]*:)[^@\s/]+(?=@)")

# What has many digits and is nobody's number comes first, so that the phones' patterns never see it.
_KEPT = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    r"(?<![0-9A-Za-z])(?=[0-9a-f]*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9A-Za-z])",
    r"0x[0-9a-fA-F]+",
    r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)",  # a moment
    r"(?<!\d)20\d{6}-\d{6}(?!\d)",  # a moment in a recording's file name
    r"(?<![\d+])(?:1\d{9}|\d{1,9})\.\d+",  # uniqueid, seconds, an address
    r"(?<![\d+])1\d{9}(?!\d)",  # seconds since 1970
)
_CHANNEL_END = r"(?<=-)[0-9a-f]{8}(?![0-9A-Za-z])"
_PHONES = (
    r"\+\d(?:[ ().\-\u00a0\u2011]{0,2}\d){6,14}",
    r"(?<![\d+])[78][ \-\u00a0]?\(?\d{3}\)?[ \-\u00a0]?\d{3}[ \-\u00a0]?\d\d[ \-\u00a0]?\d\d(?!\d)",
    r"\(\d{3,5}\)[ \-\u00a0]?\d{1,3}[ \-\u00a0]?\d\d[ \-\u00a0]?\d\d(?!\d)",
    r"(?<![\d-])\d{3}-\d\d-\d\d(?![\d-])",
    r"\d{7,}",
)
_LONG_DIGITS = re.compile(f"(?P<kept>{'|'.join(_KEPT)})|(?P<end>{_CHANNEL_END})|(?P<phone>{'|'.join(_PHONES)})")
# An 11- or 12-digit whole number is far likelier a number of a person than a count.
_PHONE_SIZED = (10**10, 10**12)


def masked_number(number: str) -> str:
    """The number with its middle hidden: `+7916***4501`; at least three digits are hidden."""
    digits = "".join(character for character in number if character.isdigit())
    head = digits[: max(min(4, len(digits) - 7), 0)]
    return f"{'+' if number.startswith('+') else ''}{head}{HIDDEN}{digits[-4:]}"


def masked_text(text: str) -> str:
    """The text with phone numbers of seven digits and more, and spelled-out secrets, hidden."""
    if "://" in text:
        text = _SECRET_URL.sub(rf"\1{HIDDEN}", text)
    text = _SECRET_TEXT.sub(rf"\1{HIDDEN}", text)
    return _LONG_DIGITS.sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    if found["kept"] is not None or (found["end"] is not None and _ends_a_channel(found)):
        return found[0]
    return masked_number(found[0]) if sum(map(str.isdigit, found[0])) >= 7 else found[0]


def _ends_a_channel(found: re.Match[str]) -> bool:
    """Whether the eight digits end a channel's name, such as `PJSIP/101-00000012`."""
    name = re.search(r"[^\s\"',(]*$", found.string[: found.start()])
    return name is not None and "/" in name[0]


def masked(value: Any, deep: int = 0) -> Any:
    """The value in plain types, at any depth, with nothing in it that a log must not hold."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return masked_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and not isinstance(value, Enum):
        return masked_number(str(value)) if _PHONE_SIZED[0] <= value < _PHONE_SIZED[1] else value
    return _masked_rest(value, deep)


def _masked_rest(value: Any, deep: int) -> Any:
    if isinstance(value, Enum):
        return masked(value.value, deep)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if deep < DEEPEST and isinstance(value, Mapping):
        return masked_mapping(value, deep + 1)
    if deep < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [masked(item, deep + 1) for item in value]
    if isinstance(value, bytes):
        return masked_text(value.decode("utf-8", "backslashreplace"))
    return masked_text(str(value) if isinstance(value, BaseException) else repr(value))


def masked_mapping(values: Mapping[Any, Any], deep: int = 0) -> dict[str, Any]:
    """The mapping, a secret's key keeping only its name."""
    return {
        masked_text(str(key)): HIDDEN if _SECRET_KEY.search(str(key)) and value else masked(value, deep)
        for key, value in values.items()
    }
