"""What a viewer sees of calls, callbacks and people: the one place that leaves out, masks and names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pbxmonitor.domain.roster import Roster
from pbxmonitor.domain.view import Json
from pbxmonitor.masking import masked_number, masked_text
from pbxmonitor.texts import tr
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Viewer

# What has so many digits is a phone number, as for the logs.
_PHONE: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A viewer's eyes; `agents` are those whom he sees, None when he sees everybody."""

    viewer: Viewer
    roster: Roster

    @property
    def agents(self) -> tuple[str, ...] | None:
        if self.viewer.sees_all():
            return None
        own = (self.viewer.person,) if self.viewer.person is not None else ()
        return tuple(dict.fromkeys((*own, *self.viewer.among(self.roster.people, self.roster))))

    @property
    def language(self) -> str:
        return self.viewer.language

    def sees(self, agent: str | None) -> bool:
        """Whether that agent's numbers are his to see."""
        return agent is not None and self.viewer.sees(agent, self.roster)

    def number(self, number: str | None) -> str | None:
        """A phone number as he may see it; an extension, or a word in its place, stays."""
        if number is None or self.viewer.whole_numbers or sum(map(str.isdigit, number)) < _PHONE:
            return number
        return masked_number(number)

    def text(self, text: str) -> str:
        """A sentence with its phone numbers as he may see them."""
        return text if self.viewer.whole_numbers else masked_text(text)

    def name(self, agent: str | None) -> str:
        """What that agent is called before him: a colleague whom he may not see has no name."""
        if agent is None:
            return ""
        if agent.startswith("+"):
            return self.number(agent) or ""
        return self.full_name(agent) if self.sees(agent) else tr("web.colleague", language=self.language)

    def full_name(self, agent: str | None) -> str:
        """What that agent is called, in what is everybody's business: who has taken a client, who reached him."""
        return self.number(self.roster.name_of(agent)) or ""

    def agent(self, agent: str | None) -> str | None:
        """That agent's key, None where it is not his to see; a number outside as he may see it."""
        if agent is not None and agent.startswith("+"):
            return self.number(agent)
        return agent if self.sees(agent) else None

    def call(self, form: Mapping[str, Any]) -> Json:
        """A call's JSON form without his colleagues' part in it, its numbers as he may see them."""
        found = dict(form) | {name: self.number(form[name]) for name in ("caller", "called")}
        found["answered_by"] = self.agent(form["answered_by"])
        found["verdicts"] = {who: verdict for who, verdict in form["verdicts"].items() if self.sees(who)}
        for part in ("offers", "talks"):
            found[part] = [each | {"agent": self.agent(each["agent"])} for each in form[part]]
        found["transfers"] = [
            each | {side: self.agent(each[side]) for side in ("from", "to")} for each in form["transfers"]
        ]
        found["stages"] = [each | {"name": self.number(each["name"])} for each in form["stages"]]
        if form.get("callback"):
            found["callback"] = self.debt(form["callback"])
        return found

    def debt(self, form: Mapping[str, Any]) -> Json:
        """What a call's form says of the callback, in the same way."""
        told = {name: self.agent(form[name]) for name in ("owner", "rescuer") if name in form}
        attempts = [each | {"agent": self.agent(each["agent"])} for each in form["attempts"]]
        return dict(form) | told | {"attempts": attempts}

    def part_of(self, form: Mapping[str, Any]) -> bool:
        """Whether somebody whom he sees took part in that call."""
        if self.agents is None:
            return True
        dialled = (form["caller"],) if form["direction"] != "inbound" else ()
        took = (*form["verdicts"], *(talk["agent"] for talk in form["talks"]), *dialled)
        return any(self.sees(agent) for agent in took)


def sight_of(site: Site, viewer: Viewer) -> Sight:
    """The eyes of that viewer of the site."""
    return Sight(viewer=viewer, roster=site.duties.roster)
