"""What a story is, and the list of all of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.rig.desk import Desk
from tests.rig.plan import VERSIONS
from tests.rig.truth import Call, Truth

Play = Callable[[Desk], Awaitable[Truth]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A named story; `short` ones are staged by `make test`, `seconds` is how long it takes about.

    `versions` are the Asterisks that can do it; `heard` the stretches (seconds) that a recording has of it.
    """

    name: str
    play: Play
    seconds: int
    short: bool
    heard: tuple[tuple[float, float], ...] = ()
    versions: tuple[str, ...] = VERSIONS

    @property
    def told(self) -> str:
        """The story in words."""
        return (self.play.__doc__ or "").strip()


STORIES: dict[str, Story] = {}


def story(
    seconds: int,
    *,
    short: bool = False,
    versions: tuple[str, ...] = VERSIONS,
    heard: tuple[tuple[float, float], ...] = (),
) -> Callable[[Play], Play]:
    """Enter a function among the stories."""

    def enter(play: Play) -> Play:
        name = getattr(play, "__name__", "")
        STORIES[name] = Story(name=name, play=play, seconds=seconds, short=short, versions=versions, heard=heard)
        return play

    return enter


def answered(desk: Desk, line: int, caller: str | None, by: str, wait: float, talk: float, **told: Any) -> Call:
    """An inbound call somebody really talked to; the agent hung up unless told otherwise."""
    fields: dict[str, Any] = {"ended_by": "agent", "cause": None, "colour": "green"} | told
    return Call(caller=caller, called=desk.line(line), answered_by=by, wait_s=wait, talk_s=talk, **fields)


def lost(desk: Desk, line: int, caller: str | None, disposition: str, cause: str, wait: float, **told: Any) -> Call:
    """An inbound call nobody talked to and nobody called back; the PBX ended it unless the caller abandoned it."""
    ended_by = "caller" if disposition == "abandoned" else "system"
    fields: dict[str, Any] = {
        "ended_by": ended_by,
        "colour": "red",
        "talk_s": 0,
        "answered_by": None,
        "lost": True,
    } | told
    return Call(caller=caller, called=desk.line(line), disposition=disposition, cause=cause, wait_s=wait, **fields)


def outbound(desk: Desk, phone: int, number: str, disposition: str = "answered", **told: Any) -> Call:
    """A call a phone of the department made to the outside."""
    fields: dict[str, Any] = {"cause": None, "colour": None, "verdicts": {}, "short_hangup": False} | told
    return Call(caller=desk(phone), called=number, direction="outbound", disposition=disposition, **fields)
