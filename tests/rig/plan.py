"""Where the rig lives: folders, suites, ports and secrets of each Asterisk version."""

import os
from dataclasses import dataclass
from pathlib import Path

HOME = Path(os.environ.get("PBXMONITOR_RIG", "/var/tmp/pbxmonitor-rig"))
REPOSITORY = Path(__file__).resolve().parents[2]
SUITES = {"22": "forky", "16": "bullseye"}
VERSIONS = tuple(SUITES)
DEPARTMENTS = tuple("123456")
PHONES_IN_DEPARTMENT = 6


class NotHere(Exception):  # noqa: N818 - a reason, not an error
    """This machine cannot have the rig: the reason and what to do, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Addresses and secrets of one version's two Asterisks; every port is on 127.0.0.1."""

    version: str
    pbx_ami: int
    phones_ami: int
    pbx_ari: int
    phones_ari: int
    pbx_sip: int
    phones_sip: int
    pbx_rtp: int
    phones_rtp: int
    secret: str = "rig-monitor-secret"
    ari_secret: str = "rig-ari-secret"
    rig_secret: str = "rig-hand-secret"

    @property
    def root(self) -> Path:
        """The folder that holds this version's Debian."""
        return HOME / self.version

    def folder(self, side: str) -> Path:
        """Configuration, state and logs of "pbx" or "phones", seen from outside."""
        return self.root / "rig" / side

    def words(self, side: str) -> dict[str, str]:
        """What stands for each @WORD@ of the configuration files."""
        first = self.pbx_rtp if side == "pbx" else self.phones_rtp
        return {
            "HOME": f"/rig/{side}",
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
            "RTP_FIRST": str(first),
            "RTP_LAST": str(first + 499),
            "SECRET": self.secret,
            "ARI_SECRET": self.ari_secret,
            "RIG_SECRET": self.rig_secret,
        }


def plan(version: str) -> Plan:
    """The plan of Asterisk "22" or "16"; PBXMONITOR_RIG_SHIFT moves every port."""
    if version not in SUITES:
        raise NotHere(f"Asterisk {version!r}: the rig knows {', '.join(VERSIONS)}")
    shift = VERSIONS.index(version) * 100 + int(os.environ.get("PBXMONITOR_RIG_SHIFT", "0"))
    rtp = 30000 + VERSIONS.index(version) * 1000 + int(os.environ.get("PBXMONITOR_RIG_SHIFT", "0"))
    return Plan(
        version=version,
        pbx_ami=15038 + shift,
        phones_ami=15039 + shift,
        pbx_ari=18088 + shift,
        phones_ari=18089 + shift,
        pbx_sip=15060 + shift,
        phones_sip=15070 + shift,
        pbx_rtp=rtp,
        phones_rtp=rtp + 500,
    )


def extensions() -> tuple[str, ...]:
    """Every phone: 101 to 606."""
    return tuple(f"{d}0{n}" for d in DEPARTMENTS for n in range(1, PHONES_IN_DEPARTMENT + 1))
