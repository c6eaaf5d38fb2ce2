"""What holds for every channel there is: a new file in pbxmonitor/notify is tested here as soon as it has a bench."""

import io
import json
import traceback
from typing import Any

import pytest

from pbxmonitor import logs
from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later, Limits, Message, Notifier, Receipt, Refused
from pbxmonitor.plugins import load
from pbxmonitor.settings_values import Table
from tests.notify.benches import AGAIN, BENCHES, CUT, GARBAGE, GOOD, NO, TEMPORARY, Bench, Place
from tests.notify.loopback import NOW, TEXT, message

# Apprise's own, when it loads its plugins.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
CHANNELS = load("pbxmonitor.notify")
KINDS = sorted(CHANNELS)


@pytest.fixture
def written(logging_restored: None) -> io.StringIO:
    """All that the process logs, at the level that says most."""
    stream = io.StringIO()
    logs.set_up(level="debug", form="json", stream=stream)
    return stream


def channel(kind: str, place: Place) -> Notifier:
    part: Any = CHANNELS[kind]
    built: Notifier = part(part.Settings(**place.settings), ManualClock(NOW))
    return built


async def sent(kind: str, mood: str, times: int = 1) -> Receipt | Refused | Later:
    """What the channel said of a message to its server in that mood."""
    async with BENCHES[kind].serve(mood) as place:
        notifier = channel(kind, place)
        try:
            for _ in range(times):
                receipt = await notifier.send(message(place.to))
        except (Refused, Later) as error:
            return error
        finally:
            await notifier.aclose()
        return receipt


def bench(kind: str) -> Bench:
    return BENCHES[kind]


def test_every_channel_has_a_bench() -> None:
    assert set(BENCHES) == set(KINDS)
    assert {"telegram", "email", "sms_ru", "smsc", "ntfy", "webhook", "apprise"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_is_what_the_contract_says(kind: str) -> None:
    part: Any = CHANNELS[kind]
    assert part.kind == kind
    assert isinstance(part.limits, Limits)
    assert issubclass(part.Settings, Table)
    assert part.Settings.model_config["extra"] == "forbid"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_is_delivered(kind: str, written: io.StringIO) -> None:
    assert isinstance(await sent(kind, GOOD), Receipt)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_pool_of_connections_serves_message_after_message(kind: str) -> None:
    assert isinstance(await sent(kind, GOOD, times=2), Receipt)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mood", TEMPORARY)
async def test_what_may_yet_work_is_later(kind: str, mood: str) -> None:
    said = await sent(kind, mood)
    if mood in bench(kind).excused:
        assert isinstance(said, Receipt)
    else:
        assert isinstance(said, Later), f"{kind} said {said!r}"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"email", "apprise"}))
async def test_the_wait_that_the_server_asks_for_is_told(kind: str) -> None:
    said = await sent(kind, AGAIN)
    assert isinstance(said, Later)
    assert said.after_s == 7


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_work_is_refused(kind: str) -> None:
    assert isinstance(await sent(kind, NO), Refused)


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_at_the_address_is_later(kind: str) -> None:
    async with BENCHES[kind].serve(GOOD) as place:
        pass
    notifier = channel(kind, place)
    with pytest.raises(Later):
        await notifier.send(message(place.to))
    await notifier.aclose()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mood", [GOOD, AGAIN, CUT, GARBAGE, NO])
async def test_no_secret_and_no_address_shows_anywhere(kind: str, mood: str, written: io.StringIO) -> None:
    async with BENCHES[kind].serve(mood) as place:
        notifier = channel(kind, place)
        shown = [repr(notifier), str(notifier), repr(vars(notifier)), repr(CHANNELS[kind].Settings(**place.settings))]  # type: ignore[attr-defined]
        try:
            shown.append(repr(await notifier.send(message(place.to))))
        except (Refused, Later) as error:
            shown += [error.reason, repr(error), "".join(traceback.format_exception(error))]
        await notifier.aclose()
        shown.append(written.getvalue())
    for secret in bench(kind).secrets:
        assert not any(secret in text for text in shown)
    # Apprise's names are no addresses: the addresses are secrets behind them.
    assert kind == "apprise" or place.to not in written.getvalue()
    assert TEXT not in written.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mood", "outcome"), [(GOOD, "delivered"), (AGAIN, "later"), (NO, "refused")])
async def test_every_try_is_one_line_of_the_log(kind: str, mood: str, outcome: str, written: io.StringIO) -> None:
    await sent(kind, mood)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["event"], line["kind"], line["id"], line["outcome"]) for line in lines] == [
        ("send", kind, "d-17", outcome)
    ]


@pytest.mark.parametrize("name", ["", "a b", "x" * 37, "д-17", "a\r\nX-Evil: 1"])
def test_a_message_has_an_id_that_every_channel_can_carry(name: str) -> None:
    with pytest.raises(ValueError, match="a message's id must be up to 36 letters"):
        Message(id=name, to="x", subject="x", text="x")


@pytest.mark.parametrize("error", [Refused, Later])
def test_a_reason_is_one_short_line_without_a_whole_phone_number(error: type[Refused] | type[Later]) -> None:
    reason = error("no way to\r\n+79161234567\n" + "x" * 1000).reason
    assert reason.startswith("no way to +7916***4567")
    assert "\n" not in reason
    assert len(reason) == 300
