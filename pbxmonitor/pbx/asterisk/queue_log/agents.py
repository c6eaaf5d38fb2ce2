"""Members that come, go and pause, as queue_log tells of them: each stretch of availability, once it is over."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import SAME_MOMENT, Agent, AgentState, Interval, advance_agent, newcomer
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.pbx.asterisk.queue_log.lines import NOBODY, Entry

# Whichever queues are his: of an agent who logged in, or paused everywhere, when no line names them.
_ALL: Final = ""


class Attendance:
    """Every agent whom the log tells of, lived by the same rules as the events of the live PBX."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._agents: dict[str, Agent] = {}
        self._added: set[tuple[str, str]] = set()
        self._paused_all: dict[str, datetime] = {}

    def take(self, entry: Entry, agent: str) -> list[Interval]:
        """The stretch that this line ends, if it ends one."""
        return RULES[entry.event](self, entry, agent)

    def restarted(self, at: datetime) -> list[Interval]:
        """Asterisk keeps the pauses of members that were added, not of those that stand in its configuration."""
        ended: list[Interval] = []
        for name, agent in list(self._agents.items()):
            lost = [queue for queue in agent.paused_in if (name, queue) not in self._added]
            ended += self._play(agent, at, [self._pause(name, at, queue, False) for queue in lost])
        return ended

    def finish(self, at: datetime) -> list[Interval]:
        """The stretches that still last, cut at that moment: the last that the log knows of."""
        return [told for agent in self._agents.values() for told in _ended(agent.availability, at)]

    def _known(self, name: str, at: datetime) -> Agent:
        return self._agents.get(name) or newcomer(name, at)

    def _play(self, agent: Agent, at: datetime, facts: list[f.AgentFact]) -> list[Interval]:
        before = self._agents.get(agent.id, agent).availability
        for fact in facts:
            agent = advance_agent(agent, fact)
        self._agents[agent.id] = agent
        return [] if agent.availability.began_at == before.began_at else _ended(before, at)

    def _pause(self, name: str, at: datetime, queue: str, paused: bool, reason: str | None = None) -> f.MemberPaused:
        return f.MemberPaused(node=self._node, at=at, key="", agent=name, queue=queue, paused=paused, reason=reason)

    def _join(self, name: str, at: datetime, queue: str, paused: bool = False) -> f.MemberAdded:
        return f.MemberAdded(node=self._node, at=at, key="", agent=name, queue=queue, paused=paused)

    def _leave(self, name: str, at: datetime, queue: str) -> f.MemberRemoved:
        return f.MemberRemoved(node=self._node, at=at, key="", agent=name, queue=queue)

    def added(self, entry: Entry, name: str) -> list[Interval]:
        """ADDMEMBER, whose data may say that he was paused at once."""
        self._added.add((name, entry.queue))
        joined = self._join(name, entry.at, entry.queue, entry.text(0) == "PAUSED")
        return self._play(self._known(name, entry.at), entry.at, [joined])

    def removed(self, entry: Entry, name: str) -> list[Interval]:
        """REMOVEMEMBER."""
        self._added.discard((name, entry.queue))
        left = self._leave(name, entry.at, entry.queue)
        return self._play(self._known(name, entry.at), entry.at, [left])

    def paused(self, entry: Entry, name: str) -> list[Interval]:
        """PAUSE and UNPAUSE in one queue. Those right after a PAUSEALL name all queues that the agent has."""
        paused = entry.event == "PAUSE"
        if entry.queue in NOBODY:
            return self.paused_all(entry, name)
        agent = self._known(name, entry.at)
        member = agent.memberships.get(entry.queue)
        if not paused and member is not None and not agent.paused_in:
            return []
        everywhere = self._paused_all.pop(name, None)
        fanned = paused and everywhere is not None and entry.at - everywhere <= SAME_MOMENT
        named = {} if fanned else {queue: each for queue, each in agent.memberships.items() if queue != _ALL}
        told = self._pause(name, entry.at, entry.queue, paused, self._reason(entry, agent))
        return self._play(evolve(agent, memberships=named), entry.at, [told])

    def paused_all(self, entry: Entry, name: str) -> list[Interval]:
        """PAUSEALL and UNPAUSEALL: all queues, whether they are named by lines of their own or not."""
        agent = self._known(name, entry.at)
        paused = entry.event in ("PAUSEALL", "PAUSE")
        self._paused_all.pop(name, None)
        if paused:
            self._paused_all[name] = entry.at
        reason = self._reason(entry, agent)
        facts = [self._pause(name, entry.at, queue, paused, reason) for queue in agent.memberships or (_ALL,)]
        return self._play(agent, entry.at, [*facts])

    @staticmethod
    def _reason(entry: Entry, agent: Agent) -> str | None:
        """Older Asterisk repeats a pause without its reason: the one that was told stays."""
        return entry.text(0) or (agent.pause_reason if agent.paused_in else None)

    def logged_in(self, entry: Entry, name: str) -> list[Interval]:
        """AGENTLOGIN, AGENTCALLBACKLOGIN."""
        agent = self._known(name, entry.at)
        joined = [] if agent.memberships else [self._join(name, entry.at, _ALL)]
        return self._play(agent, entry.at, [*joined])

    def logged_off(self, entry: Entry, name: str) -> list[Interval]:
        """AGENTLOGOFF, AGENTCALLBACKLOGOFF: out of every queue; their seconds tell of a login that the log has not."""
        agent = self._known(name, entry.at - (entry.seconds(1) or timedelta()))
        if agent.availability.state is AgentState.LOGGED_OUT:
            return []
        self._added -= {(name, queue) for queue in agent.memberships}
        alone = advance_agent(agent, self._join(name, entry.at, _ALL))
        last = {queue: each for queue, each in alone.memberships.items() if queue == _ALL}
        return self._play(evolve(alone, memberships=last), entry.at, [self._leave(name, entry.at, _ALL)])


def _ended(interval: Interval, at: datetime) -> list[Interval]:
    """The stretch, ended at that moment; nothing of one that had no length."""
    if interval.began_at >= at:
        return []
    queues = tuple(queue for queue in interval.queues if queue != _ALL)
    return [evolve(interval, ended_at=at, queues=queues)]


RULES: Final[dict[str, Callable[[Attendance, Entry, str], list[Interval]]]] = {
    "ADDMEMBER": Attendance.added,
    "REMOVEMEMBER": Attendance.removed,
    "PAUSE": Attendance.paused,
    "UNPAUSE": Attendance.paused,
    "PAUSEALL": Attendance.paused_all,
    "UNPAUSEALL": Attendance.paused_all,
    "AGENTLOGIN": Attendance.logged_in,
    "AGENTCALLBACKLOGIN": Attendance.logged_in,
    "AGENTLOGOFF": Attendance.logged_off,
    "AGENTCALLBACKLOGOFF": Attendance.logged_off,
}
