"""Where the rig lives: folders, suites, ports and secrets of each Asterisk version."""

import os
from dataclasses import dataclass
from pathlib import Path

HOME = Path(os.environ.get("ASTERISK_RIG", "/var/tmp/pbxmonitor-rig"))
REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR = REPOSITORY / "asterisk_conf"
SUITES = {"22": "forky", "16": "bullseye"}
VERSIONS = tuple(SUITES)
INSTANCES = {"lab": 0, "test": 400, "lab2": 200, "lab3": 800, "lab4": 1200}
# The lab that people play with, when several play on one machine.
LAB = os.environ.get("ASTERISK_RIG_LAB", "lab")
DEPARTMENTS = tuple("123456")
PHONES_IN_DEPARTMENT = 6
# The department's clinic on FreePBX: 11 to 14.
FREEPBX_PHONES = (11, 12, 13, 14)


class NotHere(Exception):  # noqa: N818 - a reason, not an error
    """This machine cannot have the rig: the reason and what to do, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Addresses and secrets of one version's two Asterisks; every port is on 127.0.0.1."""

    version: str
    instance: str
    pbx_ami: int
    phones_ami: int
    pbx_ari: int
    phones_ari: int
    pbx_sip: int
    phones_sip: int
    pbx_rtp: int
    phones_rtp: int
    sipp: int
    home: Path = HOME
    secret: str = "rig-monitor-secret"
    ari_secret: str = "rig-ari-secret"
    rig_secret: str = "rig-hand-secret"

    @property
    def root(self) -> Path:
        """The folder that holds this version's Debian."""
        return self.home / self.version

    def folder(self, side: str) -> Path:
        """Configuration, state and logs of "pbx" or "phones", seen from outside."""
        return self.root / self.inside(side).lstrip("/")

    def inside(self, side: str) -> str:
        """The same folder as Asterisk sees it."""
        return f"/rig-{self.instance}/{side}"

    def sipp_port(self, place: str) -> int:
        """Where SIPp stands in for the seventh phone of a department; 7: where the second provider would take calls."""
        return self.sipp + int(place)

    def words(self, side: str) -> dict[str, str]:
        """What stands for each @WORD@ of the configuration files."""
        first = self.pbx_rtp if side == "pbx" else self.phones_rtp
        return {
            "HOME": self.inside(side),
            "BIND": "127.0.0.1",
            "PERMIT": "127.0.0.1/255.255.255.255",
            "PBX": "127.0.0.1",
            "PHONES": "127.0.0.1",
            "PBX_AMI": str(self.pbx_ami),
            "PHONES_AMI": str(self.phones_ami),
            "PBX_ARI": str(self.pbx_ari),
            "PHONES_ARI": str(self.phones_ari),
            "PBX_SIP": str(self.pbx_sip),
            "PHONES_SIP": str(self.phones_sip),
            **{f"SIPP_{place}": str(self.sipp_port(place)) for place in "1234567"},
            "RTP_FIRST": str(first),
            "RTP_LAST": str(first + 499),
            "SECRET": self.secret,
            "ARI_SECRET": self.ari_secret,
            "RIG_SECRET": self.rig_secret,
        }


def plan(version: str, instance: str = LAB) -> Plan:
    """The plan of Asterisk "22" or "16": a lab that people play with, or the one of the "test"s.

    ASTERISK_RIG_SHIFT moves every port.
    """
    for name, word, known in (("Asterisk", version, SUITES), ("ASTERISK_RIG_LAB", instance, INSTANCES)):
        if word not in known:
            raise NotHere(f"{name} {word!r}: the rig knows {', '.join(known)}")
    index, shift = VERSIONS.index(version), int(os.environ.get("ASTERISK_RIG_SHIFT", "0"))
    base = 15000 + 100 * index + INSTANCES[instance] + shift
    rtp = 22000 + 1000 * index + 2000 * list(INSTANCES).index(instance) + shift
    return Plan(
        version=version,
        instance=instance,
        pbx_ami=base + 38,
        phones_ami=base + 39,
        pbx_ari=base + 3088,
        phones_ari=base + 3089,
        pbx_sip=base + 60,
        phones_sip=base + 70,
        pbx_rtp=rtp,
        phones_rtp=rtp + 500,
        sipp=base + 80,
    )


def extensions() -> tuple[str, ...]:
    """Every phone: 101 to 606, and 111 to 614 of the clinic on FreePBX."""
    phones = (*range(1, PHONES_IN_DEPARTMENT + 1), *FREEPBX_PHONES)
    return tuple(f"{d}{n:02d}" for d in DEPARTMENTS for n in phones)
