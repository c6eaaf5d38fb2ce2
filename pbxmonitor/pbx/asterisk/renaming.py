"""Names that change while calls go on: who is in the middle of one, and whose phones are another's from now on."""

from collections.abc import Iterator
from datetime import datetime

from pbxmonitor.domain.call import Leg
from pbxmonitor.domain.facts import DeviceSeen
from pbxmonitor.domain.floor import Floor
from pbxmonitor.pbx.asterisk.naming import Site


def in_a_call(floor: Floor, old: Site, new: Site) -> bool:
    """Whether somebody who would get another name is in a call: half of it would be told of somebody else."""
    return any(_differs(leg, old, new) for call in floor.open_calls() for leg in call.live())


def _differs(leg: Leg, old: Site, new: Site) -> bool:
    return old.agent(leg.endpoint) != new.agent(leg.endpoint) or old.person(leg.number) != new.person(leg.number)


def gone_phones(floor: Floor, site: Site, at: datetime) -> Iterator[DeviceSeen]:
    """For each phone that is not that agent's any more: as far as he goes, it is not there."""
    for agent in floor.agents.values():
        for endpoint, online in agent.devices.items():
            if online and site.agent(endpoint) != agent.id:
                yield DeviceSeen(
                    node=floor.node,
                    at=at,
                    key=f"{at.timestamp()!r}/moved/{endpoint}/{agent.id}",
                    agent=agent.id,
                    endpoint=endpoint,
                    online=False,
                )
