"""What one viewer sees of the view of everybody, and the key figures of what he sees. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import OF_QUEUES
from pbxmonitor.domain.kpi import share
from pbxmonitor.domain.roster import Roster
from pbxmonitor.domain.view import Json
from pbxmonitor.masking import masked_text
from pbxmonitor.web.now import View
from pbxmonitor.web.scene import Scene
from pbxmonitor.web.viewer import Role, Viewer

# A page shows so many open callbacks; the figures count all.
MOST_CALLBACKS: Final = 12
_AWAY: Final = (AgentState.DND, AgentState.PAUSED, AgentState.OFFLINE)
_BUSY: Final = (AgentState.TALKING, AgentState.HOLD, AgentState.RINGING)


def seen_by(viewer: Viewer, view: View, scene: Scene) -> View:
    """The view as he may see it: his people, their callbacks, alerts and queues; clients' numbers are still whole."""
    eyes = _eyes_of(viewer, scene.roster)
    mine = dict(view) if viewer.sees_all() else _own(viewer, view, eyes)
    callbacks = _callbacks_seen(viewer, view["callbacks"], scene, eyes)
    figures = dict(_figures(viewer, mine, scene, callbacks.figure))
    return {**mine, "figures": figures, "callbacks": callbacks.first}


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """Of the callbacks of everybody those that a page shows, and the figure of all that the viewer sees."""

    of: Mapping[str, Json]
    first: dict[str, Json]
    figure: Json


def _callbacks_seen(viewer: Viewer, callbacks: Mapping[str, Json], scene: Scene, eyes: "_Eyes") -> _Callbacks:
    """Made anew when they are others: there may be a thousand, and a view is made many times a second."""
    known = eyes.callbacks
    if known is not None and known.of is callbacks:
        return known
    sees = eyes.__getitem__

    def concerned(debt: Json) -> bool:
        """Whoever sees one of the two; what is nobody's yet is for everybody to take."""
        whose = debt["owner"], debt["taken_by"]
        return viewer.sees_all() or whose == (None, None) or any(map(sees, whose))

    mine = {key: each for key, each in callbacks.items() if concerned(each)}
    eyes.callbacks = _Callbacks(callbacks, _first(mine), _callbacks(viewer, mine.values(), scene))
    return eyes.callbacks


def _first(callbacks: Mapping[str, Json]) -> dict[str, Json]:
    """Of the callbacks in the order they are due: those in time, then the overdue ones from the last.

    Who has been waiting for a minute can still be won; who was forgotten a week ago has gone elsewhere.
    """
    known = list(callbacks.items())
    late = sum(each["overdue"] for each in callbacks.values())
    return dict([*known[late : late + MOST_CALLBACKS], *known[:late][::-1]][:MOST_CALLBACKS])


def _own(viewer: Viewer, view: View, eyes: "_Eyes") -> dict[str, Mapping[str, Json]]:
    sees = eyes.__getitem__
    queues = {
        key: {
            **queue,
            "agents": [agent for agent in queue["agents"] if sees(agent)],
            "callers": [_caller(caller, any(map(sees, caller["ringing"]))) for caller in queue["callers"]],
        }
        for key, queue in view["queues"].items()
        if any(map(sees, queue["agents"]))
    }
    led = {(queue["node"], queue["queue"]) for queue in queues.values() if viewer.at_least(Role.SUPERVISOR)}

    def concerns(alert: Json) -> bool:
        return sees(alert["agent"]) or (alert["kind"] in OF_QUEUES and (alert["node"], alert["subject"]) in led)

    return {
        "flags": view["flags"],
        "alerts": {key: each for key, each in view["alerts"].items() if concerns(each)},
        "tiles": {key: each for key, each in view["tiles"].items() if sees(each["agent"])},
        "queues": queues,
    }


class _Eyes(dict[str | None, bool]):
    """Whether a viewer sees an agent: asked of everybody in every view, and found out once."""

    def __init__(self, viewer: Viewer, roster: Roster) -> None:
        self.roster = roster
        self.callbacks: _Callbacks | None = None
        self._viewer = viewer

    def __missing__(self, agent: str | None) -> bool:
        seen = self[agent] = agent is not None and self._viewer.sees(agent, self.roster)
        return seen


@lru_cache(maxsize=1024)
def _last_eyes(viewer: Viewer) -> list[_Eyes]:  # noqa: ARG001 - the key
    return []


def _eyes_of(viewer: Viewer, roster: Roster) -> _Eyes:
    """Those of before, as long as the roster is the same."""
    last = _last_eyes(viewer)
    if not last or last[0].roster is not roster:
        last[:] = [_Eyes(viewer, roster)]
    return last[0]


def _caller(caller: Json, is_his: bool) -> Json:
    """Who waits is nobody's client yet: his number is for those whose phones he rings, and for those who see all."""
    return caller if is_his else {**caller, "call": None, "caller": None, "ringing": []}


def _figures(
    viewer: Viewer, mine: Mapping[str, Mapping[str, Json]], scene: Scene, callbacks: Json
) -> Iterator[tuple[str, Json]]:
    figures = (
        *(_calls_of_all(scene) if viewer.sees_all() else _calls_of_some(mine["tiles"].values(), scene)),
        _waiting(mine["queues"].values()),
        _free(mine["tiles"].values()),
        callbacks,
    )
    for order, figure in enumerate(figures):
        yield figure["key"], {**figure, "order": order}


def _calls_of_all(scene: Scene) -> Iterable[Json]:
    """Each client once: who was really talked to, who was lost; who left at once is neither."""
    calls = scene.today.calls
    counted = calls.received - calls.short
    lost = share(calls.lost, counted)
    wait_s = round(calls.waited_s / calls.answered, 1) if calls.answered else None
    yield _figure("calls", counted, seconds=wait_s)
    yield _figure("answered", calls.answered, share=share(calls.answered, counted))
    yield _figure("missed", calls.lost, share=lost, bad=(lost or 0) > scene.policy.max_missed_share)


def _calls_of_some(tiles: Collection[Json], scene: Scene) -> Iterable[Json]:
    """Offers to the people whom he sees: answered and missed."""
    answered, missed = _sums(tiles, "answered"), _sums(tiles, "missed")
    part = share(missed, answered + missed)
    yield _figure("calls", answered + missed)
    yield _figure("answered", answered, share=share(answered, answered + missed))
    yield _figure("missed", missed, share=part, bad=(part or 0) > scene.policy.max_missed_share)


def _sums(tiles: Collection[Json], name: str) -> int:
    return sum(each[name] for each in tiles)


def _waiting(queues: Collection[Json]) -> Json:
    since = [each["longest_since"] for each in queues if each["longest_since"]]
    count = sum(each["waiting"] for each in queues)
    return _figure("waiting", count, since=min(since, default=None), bad=bool(count))


def _free(tiles: Collection[Json]) -> Json:
    states = [each["state"] for each in tiles]
    return _figure(
        "free", states.count(AgentState.READY), of=len(states), busy=_count(states, _BUSY), away=_count(states, _AWAY)
    )


def _count(states: list[str], wanted: Iterable[str]) -> int:
    return sum(states.count(state) for state in wanted)


def _callbacks(viewer: Viewer, callbacks: Collection[Json], scene: Scene) -> Json:
    """All that are open, not only the ones shown; of those opened today, how many were tried in time."""
    overdue = sum(each["overdue"] for each in callbacks)
    count = len(callbacks)
    owners = scene.today.owed.items()
    owed = [each for owner, each in owners if viewer.sees_all() or (owner and viewer.sees(owner, scene.roster))]
    in_norm = share(sum(tried for _, tried in owed), sum(count for count, _ in owed))
    return _figure("callbacks", count, overdue=overdue, share=in_norm, bad=bool(overdue))


def _figure(key: str, value: int, *, bad: bool = False, **more: float | str | None) -> Json:
    return {"key": key, "value": value, "bad": bad, **more}


def masked_item(section: str, item: Json) -> Json:
    """The item with clients' phone numbers hidden; extensions stay."""
    match section:
        case "tiles":
            return {**item, "peer": _masked(item["peer"])}
        case "callbacks":
            return {**item, "number": _masked(item["number"]), "line": _masked(item["line"])}
        case "queues":
            return {**item, "callers": [{**each, "caller": _masked(each["caller"])} for each in item["callers"]]}
    return item


def _masked(number: str | None) -> str | None:
    return masked_text(number) if number else number
