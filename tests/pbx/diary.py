"""A pasted queue_log, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.call import Call, Offer, Talk
from pbxmonitor.domain.judge import Judgement, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.queue_log import BadLine, Entry, QueueLog, read_lines

# The recordings' people, by the names that their queues.conf gives them.
PEOPLE = {"Анна Иванова": "101", "Boris": "102", "Vera": "103", "Galina": "104", "Dmitry": "105", "Zoya": "106"}
PEOPLE |= {"Жанна": "111", "Зоя": "112", "Иван": "113", "Кирилл": "114"}
SITE = Site(node="main", people=PEOPLE)


@dataclass
class Diary:
    """Everything that a log told, in the order in which it was given away."""

    calls: list[Call] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    headless: int = 0

    @property
    def call(self) -> Call:
        """The only one."""
        (found,) = self.calls
        return found


def diary(text: str, site: Site = SITE) -> Diary:
    """That text, read to its end."""
    return told(read_lines(text.splitlines()), site)


def told(entries: Iterable[Entry | BadLine], site: Site = SITE) -> Diary:
    """Those entries, read to their end."""
    log, found = QueueLog(site), Diary()
    for entry in entries:
        if isinstance(entry, BadLine):
            found.bad.append(entry)
        else:
            _keep(found, log.take(entry))
    _keep(found, log.finish())
    found.headless = log.headless
    return found


def _keep(found: Diary, known: Iterable[Call | Interval]) -> None:
    for each in known:
        if isinstance(each, Call):
            found.calls.append(each)
        else:
            found.intervals.append(each)


def judged(call: Call, policy: Policy | None = None) -> Judgement:
    """What is thought of it."""
    return judge(call, policy or Policy(), call.ended_at or call.started_at)


def epoch(at: datetime | None) -> float | None:
    """Seconds as the log writes them."""
    return None if at is None else at.timestamp()


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def rings(call: Call) -> list[tuple[str, float | None, str]]:
    """Who was rung for how long (None: not known), and what came of it."""
    return [(offer.agent, rang(offer), str(offer.result)) for offer in call.offers]


def rang(offer: Offer) -> float | None:
    return None if offer.ended_at is None else (offer.ended_at - offer.began_at).total_seconds()


def stays(call: Call) -> list[tuple[str, str]]:
    """The queues that he came to, and how he left each."""
    return [(stage.name, str(stage.result)) for stage in call.stages]


def talks(call: Call) -> list[tuple[str, float | None, str]]:
    """Who talked for how long, and who ended it."""
    return [(each.agent, lasted(each), str(each.ended_by)) for each in call.talks]


def lasted(talk: Talk) -> float | None:
    return None if talk.ended_at is None else (talk.ended_at - talk.began_at).total_seconds()


def stretches(found: Diary, agent: str = "101") -> list[tuple[AgentState, float, float | None]]:
    """One agent's states with their begin and end, as the log writes seconds."""
    mine = [each for each in found.intervals if each.agent == agent]
    return [(each.state, each.began_at.timestamp(), epoch(each.ended_at)) for each in mine]
