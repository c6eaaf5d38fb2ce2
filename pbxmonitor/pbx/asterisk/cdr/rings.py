"""Who is who in a journey's CDR rows: its main channel, and the ring that each of that channel's rows tells of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.facts import Target
from pbxmonitor.pbx.asterisk.cdr.columns import CdrRow
from pbxmonitor.pbx.asterisk.history import order_of
from pbxmonitor.pbx.asterisk.naming import Site, endpoint_of, number_in

_LONGEST_EXTENSION: Final = 6
_CUT: Final = 79  # lastdata is CHAR(80) in many tables
_WITHIN: Final = timedelta(seconds=1)  # times are whole seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """One row of the main channel that rang or reached somebody.

    `inner` is the row behind a Local channel: the phone's own. `picked_at` is None where no row tells when; `dropped`
    is who was picked up and gone before the caller was joined to him.
    """

    row: CdrRow
    inner: CdrRow | None
    agent: str | None
    number: str | None
    outside: bool
    answered: bool
    picked_at: datetime | None
    dropped: bool = False

    @property
    def talked(self) -> bool:
        return self.answered and not self.dropped

    @property
    def own(self) -> CdrRow:
        """The row nearest to the phone."""
        return self.inner or self.row

    @property
    def leg(self) -> str:
        return self.own.dstchannel or self.row.dstchannel

    @property
    def who(self) -> str:
        """His name, or the number outside."""
        return self.agent or self.number or endpoint_of(self.leg)


def in_order(rows: Iterable[CdrRow]) -> list[CdrRow]:
    """The rows by their start, each once: `accountlogs` writes a row into two files."""
    once = {_told(row): row for row in rows}
    return sorted(once.values(), key=lambda row: (row.start, order_of(row.uniqueid), _made(row.dstchannel)))


def _made(channel: str) -> str:
    """The order in which channels were made: their names count up; what rang nobody came after."""
    return channel.rpartition("-")[2] or "~"


def _told(row: CdrRow) -> tuple[object, ...]:
    times = (row.start, row.answer, row.end)
    return (row.uniqueid, row.channel, row.dstchannel, *times, row.app, row.data, row.disposition, row.dst)


def is_local(channel: str) -> bool:
    return channel.startswith("Local/")


def half(channel: str) -> str:
    """A Local channel's name without its half; any other as it is."""
    return channel[:-2] if is_local(channel) and channel[-2:] in (";1", ";2") else channel


class Party:
    """Whose a channel is, in the rows of one journey."""

    def __init__(self, site: Site, rows: Sequence[CdrRow]) -> None:
        self._site = site
        self._rows = rows
        self.main = self._main()
        self.outside_caller = self._comes_from_outside(self.main)
        self._trunk = endpoint_of(self.main.channel) if self.outside_caller else None
        self.mine = self._mine()

    def _main(self) -> CdrRow:
        """The first row of the channel that called: one from outside, else one that nobody else had dialled."""
        dialled = {half(row.dstchannel) for row in self._rows}
        real = [row for row in self._rows if not is_local(row.channel)]
        outside = [row for row in real if row.channel not in dialled and self._comes_from_outside(row)]
        calling = [row for row in real if row.channel not in dialled]
        return next(iter(outside or calling or real or self._rows))

    def _comes_from_outside(self, row: CdrRow) -> bool:
        endpoint = endpoint_of(row.channel)
        if is_local(endpoint):
            return False
        if self._site.is_trunk(endpoint, row.context):
            return True
        mine = [each for each in self._rows if each.channel == row.channel]
        if any(self._site.is_trunk(endpoint, each.context) or each.did for each in mine):
            return True
        return self._site.agent(endpoint) is None and not _is_extension(row.src)

    def _mine(self) -> list[CdrRow]:
        """The rows of the main channel; of a call to outside those of the customer's as well, when he was passed on."""
        channels = {self.main.channel}
        if not self.outside_caller:
            channels |= {
                row.dstchannel for row in self._rows if row.channel == self.main.channel and self._leads_out(row)
            }
        return [row for row in self._rows if row.channel in channels]

    def went_on(self, row: CdrRow) -> bool:
        """Whether the dialplan went on to something else with that channel after the row."""
        later = (each for each in self._rows if each.channel == row.channel and each.start >= row.end)
        return any((each.app, each.data) != (row.app, row.data) for each in later)

    def ring(self, row: CdrRow) -> Ring | None:
        """Whom that row rang or reached; None when nobody."""
        if not row.dstchannel:
            return None
        inner = self.behind(row.dstchannel)
        own = inner or row
        outside = self._leads_out(own)
        number = self._number(own) if outside else None
        return Ring(
            row=row,
            inner=inner,
            agent=self._site.person(number) if outside else self._site.agent(own.dstchannel or row.dstchannel),
            number=number,
            outside=outside,
            answered=row.answered and (inner is None or inner.answered),
            picked_at=_picked_at(row, inner),
        )

    def behind(self, channel: str) -> CdrRow | None:
        """The row of the far half of that Local channel; the answered one if there are several."""
        if not is_local(channel):
            return None
        far = [row for row in self._rows if row.channel == half(channel) + ";2"]
        rang = [row for row in far if row.dstchannel] or far
        return next((row for row in rang if row.answered), next(iter(rang), None))

    def consultations(self, ring: Ring) -> list[CdrRow]:
        """Rows in which the one who had answered that ring called somebody himself."""
        endpoint = endpoint_of(ring.leg)
        mine = {row.channel for row in self.mine}
        begun = (row for row in self._rows if row.dstchannel and row.channel not in mine)
        return [
            row
            for row in begun
            if (row.channel == ring.leg or endpoint_of(row.channel) == endpoint)
            and not is_local(row.channel)
            and row.start + _WITHIN >= ring.row.start
        ]

    def _leads_out(self, row: CdrRow) -> bool:
        endpoint = endpoint_of(row.dstchannel)
        if is_local(endpoint) or not endpoint:
            return False
        if self._site.is_trunk(endpoint, "") or endpoint == self._trunk:
            return True
        return self._site.agent(endpoint) is None and self._number(row) is not None

    def _number(self, row: CdrRow) -> str | None:
        """The number outside that a row's Dial called."""
        if row.app.upper() == "DIAL":
            for each in row.data.split(",")[0].split("&"):
                if number := number_in(each):
                    return self._site.number(number)
        number = self._site.number(row.dst)
        return number if number is not None and not _is_extension(row.dst) and number.lstrip("+").isdigit() else None

    def targets(self, row: CdrRow) -> tuple[Target, ...]:
        """Whom that row's Dial named; where a narrow column cut the list, not the last one."""
        dialled = row.data.split(",")[0]
        cut = "," not in row.data and len(row.data) >= _CUT
        return self._site.targets(dialled.rpartition("&")[0] if cut else dialled)


def _is_extension(number: str) -> bool:
    return number.isdigit() and len(number) <= _LONGEST_EXTENSION


def _picked_at(row: CdrRow, inner: CdrRow | None) -> datetime | None:
    """When the phone was picked up: the phone's own row tells; of a Dial the answer, unless it came before the ring."""
    told = inner or row
    if not told.answered or told.answer is None:
        return None
    rang_first = told.app.upper() == "DIAL" and told.answer > told.start
    return told.answer if rang_first or (inner is not None and told.answer >= told.start) else None
