"""The tables of the settings about time: where a PBX keeps its own diaries, and how long we keep what."""

from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, SecretStr, model_validator

from pbxmonitor.settings_values import Seconds, Table, Zone, duration

# The keys of the table, and the formats of `pbxmonitor import`; the best source comes last.
FORMATS: Final = {"cdr": "cdr-csv", "cel": "cel-csv", "queue_log": "queue_log"}
_SCHEMES: Final = ("sqlite", "postgresql", "mariadb", "mysql")


def places(value: Any) -> Any:
    """One place or several, oldest first: files by their whole paths, or urls of databases."""
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise ValueError('must be a file, a url such as "mysql://name@host/asteriskcdrdb", or a list of them')
    for each in given:
        scheme, url, _ = each.partition("://")
        if url and scheme not in _SCHEMES:
            raise ValueError(f"a url must begin with one of {', '.join(f'{known}:' for known in _SCHEMES)}")
        if not url and not Path(each).is_absolute():
            raise ValueError(f"{each}: give the file's whole path")
    return tuple(given)


Places = Annotated[tuple[SecretStr, ...], BeforeValidator(places)]


class HistorySettings(Table):
    """What this PBX writes itself: from it the calls of a time when nobody listened are taken in.

    `zone` is that of times without an offset, the site's until set. A url may hold a password, so all are secrets.
    """

    queue_log: Places = ()
    cdr: Places = ()
    cel: Places = ()
    zone: Zone | None = None

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """Format and place of each, in the order in which they are to be read."""
        named = ((fmt, place) for key, fmt in FORMATS.items() for place in getattr(self, key))
        return tuple((fmt, place.get_secret_value()) for fmt, place in named)


def kept(value: Any) -> Any:
    """A span, or `for ever`."""
    return None if value in (None, "for ever") else duration(value)


Kept = Annotated[Seconds | None, BeforeValidator(kept)]


class RetentionSettings(Table):
    """How long rows are kept: `30 d`, or `for ever`. The journal is what calls were derived from.

    With a call go its parts, its verdicts, its callback and the sums of its day.
    """

    journal: Kept = duration("30 d")
    calls: Kept = None
    deliveries: Kept = duration("180 d")
    audit: Kept = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.journal is not None and self.journal < duration("1 d"):
            raise ValueError("journal must be kept for a day at least: what is told twice is known by it")
        if self.calls is not None and self.calls < duration("30 d"):
            raise ValueError("calls must be kept for 30 days at least: callbacks and reports rest on them")
        return self
