"""The recordings of real Asterisks as facts, and ways to tell them otherwise."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import Draft
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.resync import reconcile
from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.frames import Cutter, Frame, parse
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import Story, facts_of

SCENARIOS: Final = Path(__file__).parent.parent / "scenarios"
# A flood of calls is another test's matter: here many short stories are worth more.
TAPES: Final = sorted(path for path in SCENARIOS.glob("*/*.ami") if path.stem != "flood")
SITE: Final = Site(node="main")
_NAMES: Final = frozenset(
    {
        "leg",
        "linked",
        "dest",
        "other",
        "bridge",
        "second",
        "target",
        "agent",
        "queue",
        "endpoint",
        "to",
        "name",
        "number",
    }
)


@cache
def frames_on(tape: Path) -> tuple[Frame, ...]:
    """Every followed frame of the recording, without times of receipt."""
    data, cutter = tape.read_bytes(), Cutter()
    pieces = (data[at : at + 16384] for at in range(0, len(data), 16384))
    parsed = (parse(raw, 0.0) for piece in pieces for raw in cutter.feed(piece))
    return tuple(frame for frame in parsed if frame is not None)


@cache
def facts_on(tape: Path) -> tuple[f.Fact, ...]:
    """Every fact of the recording, snapshots told as the facts that they were at that moment."""
    return tuple(_plain(facts_of(frames_on(tape), SITE)))


@cache
def raw_facts_on(tape: Path) -> tuple[f.Fact, ...]:
    """Every fact of the recording as it came."""
    return tuple(facts_of(frames_on(tape), SITE))


def _plain(facts: Iterable[f.Fact]) -> Iterator[f.Fact]:
    draft = Draft(Floor(node=SITE.node))
    for fact in facts:
        parts = reconcile(draft.floor(), fact) if isinstance(fact, f.Snapshot) else (fact,)
        for part in parts:
            yield part
            for _ in draft.take(part):
                pass


def told(facts: Iterable[f.Fact]) -> Json:
    """What `replay` prints of those facts."""
    story = Story(SITE.node, Policy())
    for fact in facts:
        story.take(fact)
    return story.told()


def elsewhere(facts: Sequence[f.Fact], later: timedelta) -> tuple[f.Fact, ...]:
    """The same story of other people, channels, queues and numbers, so much later."""
    return tuple(_moved(fact, later) for fact in facts)


def _moved(fact: f.Fact, later: timedelta) -> f.Fact:
    changes: dict[str, Any] = {"at": fact.at + later, "key": f"b{fact.key}"}
    for each in fields(fact):
        value = getattr(fact, each.name)
        if (each.name in _NAMES and isinstance(value, str)) or (each.name == "exten" and value.startswith("+")):
            changes[each.name] = renamed(value)
        elif each.name == "targets":
            changes[each.name] = tuple(_target(target) for target in value)
    return replace(fact, **changes)


def _target(target: f.Target) -> f.Target:
    return f.Target(
        agent=renamed(target.agent) if target.agent else None, number=renamed(target.number) if target.number else None
    )


def renamed(name: str) -> str:
    """Another's name: numbers stay numbers."""
    if name.startswith("+"):
        return f"+7000{name[5:]}"
    return "&".join(f"b{part}" for part in name.split("&")) if name else ""
