"""What one viewer sees of the view of everybody, and the key figures of what he sees. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.alerts import OF_QUEUES
from pbxmonitor.domain.kpi import share
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.masking import masked_text
from pbxmonitor.web.now import View
from pbxmonitor.web.scene import Scene
from pbxmonitor.web.viewer import Role, Viewer

# A page shows so many open callbacks, the ones due first; the figures count all.
MOST_CALLBACKS: Final = 20
_AWAY: Final = (AgentState.DND, AgentState.PAUSED, AgentState.OFFLINE)
_BUSY: Final = (AgentState.TALKING, AgentState.HOLD, AgentState.RINGING)


def seen_by(viewer: Viewer, view: View, scene: Scene) -> View:
    """The view as he may see it: his people, their callbacks, alerts and queues; clients' numbers are still whole."""
    mine = dict(view) if viewer.sees_all() else _own(viewer, view, scene)
    figures = dict(_figures(viewer, mine, scene))
    first = dict(list(mine["callbacks"].items())[:MOST_CALLBACKS])
    return {**mine, "figures": figures, "callbacks": first}


def _own(viewer: Viewer, view: View, scene: Scene) -> dict[str, Mapping[str, Json]]:
    def sees(agent: str | None) -> bool:
        return agent is not None and viewer.sees(agent, scene.roster)

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

    def concerned(debt: Json) -> bool:
        """Whoever sees one of the two; what is nobody's yet is for everybody to take."""
        whose = debt["owner"], debt["taken_by"]
        return whose == (None, None) or any(map(sees, whose))

    return {
        "flags": view["flags"],
        "alerts": {key: each for key, each in view["alerts"].items() if concerns(each)},
        "tiles": {key: each for key, each in view["tiles"].items() if sees(each["agent"])},
        "queues": queues,
        "callbacks": {key: each for key, each in view["callbacks"].items() if concerned(each)},
    }


def _caller(caller: Json, is_his: bool) -> Json:
    """Who waits is nobody's client yet: his number is for those whose phones he rings, and for those who see all."""
    return caller if is_his else {**caller, "call": None, "caller": None, "ringing": []}


def _figures(viewer: Viewer, mine: Mapping[str, Mapping[str, Json]], scene: Scene) -> Iterator[tuple[str, Json]]:
    figures = (
        *(_calls_of_all(scene) if viewer.sees_all() else _calls_of_some(mine["tiles"].values(), scene)),
        _waiting(mine["queues"].values()),
        _free(mine["tiles"].values()),
        _callbacks(viewer, mine["callbacks"].values(), scene),
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
    now = stamp(scene.now) or ""
    overdue = sum(each["due_at"] < now for each in callbacks)
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
