"""Calls as a viewer sees them: pages of the journal, one call with its story and its reasons, what a filter offers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.explain import explain
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.timeline import journey
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.exhibits.journal import in_words
from pbxmonitor.store import journal, schema
from pbxmonitor.store.filters import Filter
from pbxmonitor.store.journal import Case, Cursor, Page
from pbxmonitor.texts import tr
from pbxmonitor.web.shared import Part, shared_page
from pbxmonitor.web.sight import Sight

_CALL: Final = schema.call.c
_LOOK_BACK: Final = timedelta(days=31)


def page(
    connection: sa.Connection,
    wanted: Filter,
    sight: Sight,
    *,
    limit: int,
    after: Cursor | None = None,
    newest_first: bool = True,
) -> Page:
    """So many calls that the filter wants and the viewer may see, after that one, in his eyes."""
    agents = sight.agents
    if agents is None or (wanted.agent is not None and sight.sees(wanted.agent)):
        found = journal.page(connection, wanted, limit=limit, after=after, newest_first=newest_first)
    elif wanted.agent is not None:
        found = Page(calls=[], next=None)
    else:
        part = Part(limit=limit, after=after, newest_first=newest_first)
        found = shared_page(connection, wanted, agents, part)
    return replace(found, calls=[sight.call(call) for call in found.calls])


def case(connection: sa.Connection, sight: Sight, node: str, key: str) -> Case | None:
    """All that is known of the call; None when there is none, or it is none of the viewer's."""
    found = next(iter(journal.cases(connection, key, node)), None)
    return found if found is not None and sight.part_of(found.form) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A call in words: what happened when, why its colour, and every other rule that decided something."""

    journey: Sequence[tuple[datetime, str]]
    colour: str
    reasons: Sequence[str]


def told(found: Case, policy: Policy, sight: Sight, zone: tzinfo) -> Told:
    """The call as the command line tells it, in the viewer's language and in his eyes."""
    call, says = found.call, _Says(sight, zone)
    now = call.ended_at or max((talk.began_at for talk in call.talks), default=call.started_at)
    judged = judge(call, policy, now)
    reasons = explain(call, judged, found.debt, found.colour, policy)
    colour = next(says(reason.key, reason.values) for reason in reasons if reason.subject == "colour")
    others = [reason for reason in reasons if reason.subject != "colour" and _may(sight, reason.subject)]
    return Told(
        journey=[(each.at, says(each.key, each.values)) for each in journey(call, judged, now)],
        colour=colour,
        reasons=[says(reason.key, reason.values) for reason in others],
    )


def _may(sight: Sight, subject: str) -> bool:
    kind, _, agent = subject.partition(":")
    return kind != "agent" or sight.sees(agent)


@dataclass(frozen=True, slots=True)
class _Says:
    """Texts of the catalogue with values as the viewer reads them."""

    sight: Sight
    zone: tzinfo

    def __call__(self, key: str, values: Any) -> str:
        language = self.sight.language
        said = {name: in_words(name, value, self.zone, self.sight.name, language) for name, value in values.items()}
        return self.sight.text(tr(key, language=language, **said))


def offered(connection: sa.Connection, sight: Sight, now: datetime) -> dict[str, list[tuple[str, str]]]:
    """What a filter may choose from: agents whom the viewer sees with their names, lines and queues of late."""
    people = {agent: sight.full_name(agent) for agent in sight.roster.people}
    named = connection.execute(sa.select(schema.agent.c.agent, schema.agent.c.name)).all()
    people = {agent: name or agent for agent, name in named} | people
    agents = sorted(((key, name) for key, name in people.items() if sight.sees(key)), key=lambda each: each[::-1])
    hour, nodes = schema.call_hour.c, connection.execute(sa.select(schema.node.c.name)).scalars().all()
    since = now.date() - _LOOK_BACK
    found: dict[str, set[str]] = {"line": set(), "queue": set()}
    for node in nodes:
        recent = sa.and_(hour.node == node, hour.day >= since)
        for line, queue in connection.execute(sa.select(hour.line, hour.queue).where(recent).distinct()):
            found["line"].add(line)
            found["queue"].add(queue)
    chosen = {name: [(each, each) for each in sorted(words) if each] for name, words in found.items()}
    return chosen | {"agent": agents, "node": [(node, node) for node in sorted(nodes)]}


def of_agent(
    connection: sa.Connection, sight: Sight, agent: str, begin: datetime, end: datetime, what: str, limit: int
) -> list[Json]:
    """The newest calls that the agent missed, or dropped at once (`what`: missed, short_hangups)."""
    verdict = schema.verdict.c
    this = verdict.verdict == "missed" if what == "missed" else verdict.short_hangups > 0
    mine = sa.and_(verdict.agent == agent, verdict.started_at >= begin, verdict.started_at < end, this)
    of_call = sa.and_(verdict.node == _CALL.node, verdict.call == _CALL.key)
    wanted = sa.select(schema.call).join(schema.verdict, of_call).where(mine)
    rows = connection.execute(wanted.order_by(verdict.started_at.desc(), verdict.call).limit(limit)).all()
    return [sight.call(form) for form in journal.evident(connection, rows)]


def call_json(found: Case, words: Told, sight: Sight) -> Json:
    """The call's stable form with its journey and its reasons in words."""
    steps = [{"at": stamp(at), "text": text} for at, text in words.journey]
    return sight.call(found.form) | {"journey": steps, "colour_because": words.colour, "why": list(words.reasons)}
