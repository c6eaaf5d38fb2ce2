"""What must have become of each client of tests.rig.clients: the callback, the colours, who was told, what CRMs got."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.notify.fake_telegram import ANNA
from tests.rig.clients import CHATS

LENA, OLEG, SCREEN = ("email", "lena@clinic.example"), ("smsc", "+79995550001"), ("webhook", "screen")
BORIS, ZHANNA = ("email", "boris@clinic.example"), ("email", "zhanna@clinic.example")
VERA, ZOYA = ("sms_ru", "+79995550301"), ("smsc", "+79995550601")
HERS, GALINA, IGOR = ("telegram", str(ANNA)), ("telegram", str(CHATS["401"])), ("telegram", str(CHATS["604"]))
DMITRY, ELENA = ("email", "dmitry@clinic.example"), ("webhook", "501")
Address = tuple[str, str]
CrmCall = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What must have become of a client; `told` are messages to addresses, `calls` direction, user and outcome."""

    state: str
    owner: str
    colours: tuple[str, ...]
    told: tuple[tuple[Address, str], ...]
    calls: tuple[CrmCall, ...]
    rescuer: str | None = None
    attempts: tuple[tuple[str, str], ...] = ()

    @property
    def closed(self) -> bool:
        return self.rescuer is not None


FATES: Mapping[str, Fate] = {
    "direct_miss": Fate(
        state="open",
        owner="101",
        colours=("red",),
        told=((HERS, "missed"), (HERS, "overdue"), (LENA, "overdue"), (OLEG, "escalated")),
        calls=(("inbound", "101", "missed"),),
    ),
    "queue_miss": Fate(
        state="open",
        owner="201",
        colours=("red",),
        told=((BORIS, "missed"), (BORIS, "overdue"), (LENA, "overdue"), (SCREEN, "escalated")),
        calls=(("inbound", "201", "missed"),),
    ),
    "repeat": Fate(
        state="open",
        owner="301",
        colours=("red", "red"),
        told=((VERA, "missed"), (VERA, "repeated"), (VERA, "overdue"), (LENA, "overdue"), (SCREEN, "escalated")),
        calls=(("inbound", "301", "missed"), ("inbound", "301", "missed")),
    ),
    "colleague": Fate(
        state="reached",
        owner="401",
        rescuer="402",
        colours=("green",),
        attempts=(("402", "reached"),),
        told=((GALINA, "missed"), (GALINA, "reached"), (DMITRY, "reached")),
        calls=(("inbound", "401", "missed"), ("outbound", "402", "answered")),
    ),
    "failed_then_reached": Fate(
        state="reached",
        owner="501",
        rescuer="501",
        colours=("green",),
        attempts=(("501", "no_answer"), ("501", "reached")),
        told=((ELENA, "missed"), (ELENA, "reached")),
        calls=(
            ("inbound", "501", "missed"),
            ("outbound", "501", "cancelled"),
            ("outbound", "501", "answered"),
        ),
    ),
    "fake": Fate(
        state="open",
        owner="601",
        colours=("red",),
        attempts=(("601", "too_short"),),
        told=((ZOYA, "missed"), (ZOYA, "overdue"), (LENA, "overdue"), (SCREEN, "escalated")),
        calls=(("inbound", "601", "missed"), ("outbound", "601", "cancelled")),
    ),
    "client_again": Fate(
        state="client_returned",
        owner="504",
        rescuer="504",
        colours=("green", "green"),
        told=((ZHANNA, "missed"),),
        calls=(("inbound", "504", "missed"), ("inbound", "504", "answered")),
    ),
    "click": Fate(
        state="reached",
        owner="604",
        rescuer="604",
        colours=("green",),
        attempts=(("604", "reached"),),
        told=((IGOR, "missed"), (IGOR, "reached")),
        calls=(("inbound", "604", "missed"), ("outbound", "604", "answered")),
    ),
}
