"""How often a password may be guessed: whoever guesses wrong waits twice as long each time."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from types import MappingProxyType
from typing import Final

from pbxmonitor.clock import Clock

FORGOTTEN_S: Final = 3600.0
_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures cost nothing; each later one doubles the wait, up to `longest` seconds."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        over = failures - self.free
        return min(2.0 ** min(over, 30), self.longest) if over >= 0 else 0.0


# An account's longest wait is short: whoever guesses must not be able to keep its owner out for long.
LIMITS: Final[Mapping[str, Limit]] = MappingProxyType(
    {"account": Limit(free=5, longest=300.0), "address": Limit(free=20, longest=900.0)}
)


class Throttle:
    """Failures by account and by address, in memory: a restart forgets them, and the passwords' hash is slow."""

    def __init__(self, clock: Clock, limits: Mapping[str, Limit] = LIMITS) -> None:
        self._clock = clock
        self._limits = limits
        self._failed: dict[tuple[str, str], tuple[int, float]] = {}

    def admit(self, **whom: str) -> float:
        """0 when that account and address may try, which counts as a failure until forgiven; else seconds to wait."""
        now = self._clock.monotonic()
        wait = max(self._left(kind, key, now) for kind, key in whom.items())
        if wait <= 0:
            for kind, key in whom.items():
                self._count(kind, key, now, 1)
        return max(wait, 0.0)

    def forgive(self, *, account: str, address: str) -> None:
        """It was the right password: the account begins anew, the address has one failure less."""
        self._failed.pop(("account", account), None)
        self._count("address", address, self._clock.monotonic(), -1)

    def _left(self, kind: str, key: str, now: float) -> float:
        failures, last = self._failed.get((kind, key), (0, now))
        if now - last > FORGOTTEN_S:
            return 0.0
        return self._limits[kind].wait(failures) - (now - last)

    def _count(self, kind: str, key: str, now: float, by: int) -> None:
        failures, last = self._failed.pop((kind, key), (0, now))
        failures = max((0 if now - last > FORGOTTEN_S else failures) + by, 0)
        if failures:
            self._failed[kind, key] = failures, now
        while len(self._failed) > _KEPT:
            del self._failed[next(iter(self._failed))]  # the one that has been quiet for longest


def neighbourhood(address: str) -> str:
    """The address as it is counted: of IPv6 the /64, which is one customer's."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else address
