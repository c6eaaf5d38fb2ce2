"""The operator's files in asterisk_conf, as a real Asterisk reads them."""

import re
from collections import Counter

import pytest

from tests.e2e.conftest import Shown
from tests.rig.account import Account
from tests.rig.plan import OPERATOR, VERSIONS

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(1500)]
BY_VERSION = pytest.mark.parametrize("version", VERSIONS)
ASKED = {"QueueStatus", "DeviceStateList", "PresenceStateList", "CoreShowChannels"}


def _events(account: Account, tape: bytes) -> Counter[str]:
    """Every event of the staging, whole, with how often it came (answers to actions left out)."""
    blocks = tape.decode(errors="replace").split("\r\n\r\n")
    stamped = [
        (_header(block, "Timestamp"), block) for block in blocks if "Event: " in block and "ActionID: " not in block
    ]
    begin, end = account.began.timestamp(), account.ended.timestamp()
    return Counter(block.lstrip("\r\n") for stamp, block in stamped if stamp and begin <= float(stamp) <= end)


def _header(block: str, name: str) -> str:
    found = re.search(rf"^{name}: ([^\r]*)", block, re.MULTILINE)
    return found[1] if found else ""


def _followed(block: str, version: str) -> bool:
    """Whether the filters' file means to let the event through, read by eye: a name, an application, a variable."""
    text = (OPERATOR / f"manager.d/filters-{version}.conf").read_text()
    lines = [set(re.findall(r"[A-Z]\w+", line)) for line in text.splitlines() if not line.startswith(";")]
    event, variable = _header(block, "Event"), _header(block, "Variable").lstrip("_")
    detail = {"Newexten": _header(block, "Application"), "VarSet": variable}.get(event, event)
    return any({event, detail} <= words for words in lines)


@BY_VERSION
def test_the_account_may_ask_what_is_open_and_nothing_else(version: str, shown: Shown) -> None:
    account = shown(version).account
    assert not account.refused & ASKED
    assert {"Originate", "QueuePause", "Command", "DBPut", "UpdateConfig", "ModuleLoad", "Redirect"} <= account.refused


@BY_VERSION
def test_what_is_followed_is_sent_whole_and_nothing_else(version: str, shown: Shown) -> None:
    account = shown(version).account
    everything = _events(account, account.sent)
    wanted = Counter({block: times for block, times in everything.items() if _followed(block, version)})
    assert _events(account, account.heard) == wanted
    assert wanted.total() < everything.total() / 2
    assert {"Newchannel", "Hangup", "BridgeEnter", "AgentConnect"} <= {_header(block, "Event") for block in wanted}


@BY_VERSION
def test_every_event_carries_its_moment_to_the_microsecond(version: str, shown: Shown) -> None:
    blocks = shown(version).account.heard.decode(errors="replace").split("\r\n\r\n")
    unasked = [block for block in blocks if "Event: " in block and "ActionID: " not in block]
    late = [block for block in unasked if not re.fullmatch(r"\d+\.\d{6}", _header(block, "Timestamp"))]
    assert [_header(block, "Event") for block in late] in ([], ["FullyBooted"])  # told at login, of no moment


@BY_VERSION
def test_check_finds_nothing_to_complain_of(version: str, shown: Shown) -> None:
    code, words = shown(version).account.check
    assert code == 0, words


@BY_VERSION
def test_the_diaries_for_the_backfill_are_kept(version: str, shown: Shown) -> None:
    diaries = shown(version).account.diaries
    assert "|ENTERQUEUE|" in diaries["queue_log"]
    assert '"NO ANSWER"' in diaries["cdr.csv"]
    assert '"CHAN_START"' in diaries["cel.csv"]
