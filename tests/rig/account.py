"""What the operator's files (asterisk_conf) give the program's account, found out on the running PBX."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.rig.daemon import Daemon
from tests.rig.rig import Rig
from tests.rig.wire import Refused, Wire

ACTIONS: dict[str, dict[str, str]] = {
    "QueueStatus": {},
    "DeviceStateList": {},
    "PresenceStateList": {},
    "CoreShowChannels": {},
    "Originate": {"Channel": "Local/101@from-internal", "Application": "Wait"},
    "Hangup": {"Channel": "PJSIP/none"},
    "QueuePause": {"Interface": "PJSIP/101", "Paused": "true"},
    "Command": {"Command": "core show version"},
    "DBPut": {"Family": "DND", "Key": "101", "Val": "YES"},
    "UpdateConfig": {"SrcFilename": "queues.conf", "DstFilename": "queues.conf"},
    "ModuleLoad": {"LoadType": "reload"},
    "Redirect": {"Channel": "PJSIP/none", "Context": "x", "Exten": "s", "Priority": "1"},
}


@dataclass(slots=True, kw_only=True)
class Account:
    """What `check` says, which actions are refused, and of the staging what was sent and what the account heard."""

    check: tuple[int, str]
    refused: frozenset[str]
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime = field(default_factory=lambda: datetime.now(UTC))
    sent: bytes = b""
    heard: bytes = b""
    diaries: dict[str, str] = field(default_factory=dict)


async def look_at(rig: Rig, daemon: Daemon) -> Account:
    """Try every action as the program's account, and let the program look at itself."""
    wire = Wire(rig.plan.pbx_ami, rig.plan.secret, "pbxmonitor")
    await wire.open()
    refused = set()
    async with wire:
        for action, fields in ACTIONS.items():
            try:
                await wire.ask(action, **fields)
            except Refused as answer:
                if "permission denied" in str(answer).lower():
                    refused.add(action)
    return Account(check=await daemon.check(), refused=frozenset(refused))
