"""A message to a person as a delivery: on his first channel, not in his quiet hours, under a name of its own."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.store.outbox import Delivery

Words = Mapping[str, Any]
Key = tuple[str, str]


def name_of(*parts: object) -> str:
    """32 letters that are the same for the same parts: what is owed twice is one row."""
    return sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def notice(
    roster: Roster,
    person: Person,
    template: str,
    words: Words,
    at: datetime,
    *,
    name: Iterable[object],
    about: Key | None = None,
    expires_at: datetime | None = None,
    channels: tuple[str, ...] = (),
    urgent: bool = False,
) -> Delivery | None:
    """What is owed to that person from `at` on; None when he reads no channel (none of `channels`, where given).

    `name` tells it from everything else that he is told. `urgent` is sent in his quiet hours too.
    """
    mine = [channel for channel in person.channels if not channels or channel in channels]
    if not mine:
        return None
    due_at = at if urgent else roster.awake(person, at)
    if expires_at is not None and due_at > at:
        expires_at = max(expires_at, due_at + (expires_at - at))
    return Delivery(
        id=name_of(template, person.key, *name),
        channel=mine[0],
        template=template,
        due_at=due_at,
        created_at=at,
        recipient=person.key,
        values=packed({**words, "channels": mine}),
        about=about,
        expires_at=expires_at,
    )


def notices(
    roster: Roster, people: Iterable[Person], template: str, words: Words, at: datetime, **how: Any
) -> list[Delivery]:
    """The same for each of those people who reads a channel; `how` as for one."""
    owed = (notice(roster, person, template, words, at, **how) for person in people)
    return [each for each in owed if each is not None]


def packed(value: Any) -> Any:
    """The value as JSON has it: moments, days, spans and bytes marked by what they are."""
    match value:
        case datetime():
            return {"$at": value.isoformat()}
        case date():
            return {"$day": value.isoformat()}
        case timedelta():
            return {"$s": value.total_seconds()}
        case bytes():
            return {"$bytes": b64encode(value).decode()}
        case Mapping():
            return {str(key): packed(each) for key, each in value.items()}
        case list() | tuple():
            return [packed(each) for each in value]
    return value


def unpacked(value: Any) -> Any:
    """The value that was packed."""
    match value:
        case {"$at": str(text)}:
            return datetime.fromisoformat(text)
        case {"$day": str(text)}:
            return date.fromisoformat(text)
        case {"$s": int() | float() as seconds}:
            return timedelta(seconds=seconds)
        case {"$bytes": str(text)}:
            return b64decode(text)
        case dict():
            return {key: unpacked(each) for key, each in value.items()}
        case list():
            return tuple(unpacked(each) for each in value)
    return value
