"""What the arguments of Dial and Queue say: whom they ring, and how long."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

# Which argument is the number of seconds.
_TIMEOUTS: Final = {"DIAL": 1, "QUEUE": 4}


def timeout_of(app: str, data: str) -> timedelta | None:
    """How long that Dial or Queue rings at most, where it says so."""
    place = _TIMEOUTS.get(app.upper())
    given = data.split(",")[place : place + 1] if place is not None else []
    return timedelta(seconds=float(given[0])) if given and re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", given[0]) else None


def dialled(data: str) -> Iterator[str]:
    """The dial strings of Dial's arguments."""
    return (each for each in data.split(",")[0].split("&") if each)


def leads_to(dial_string: str, endpoint: str) -> bool:
    """Whether that dial string makes a channel of that endpoint: `PJSIP/+7…@trunk` one of `PJSIP/trunk`."""
    tech, _, rest = dial_string.partition("/")
    if tech.lower() == "local":
        return f"local/{rest.partition('/')[0]}".lower() == endpoint.lower()
    return f"{tech}/{rest.partition('/')[0].rpartition('@')[2]}".lower() == endpoint.lower()
