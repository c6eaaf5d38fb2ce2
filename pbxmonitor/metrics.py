"""What Prometheus may ask about the daemon: counters of what was heard, recorded and lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from pbxmonitor import __name__ as _prefix


def _counter(registry: CollectorRegistry, name: str, text: str) -> Counter:
    return Counter(f"{_prefix}_{name}", text, ["node"], registry=registry)


def _gauge(registry: CollectorRegistry, name: str, text: str) -> Gauge:
    return Gauge(f"{_prefix}_{name}", text, ["node"], registry=registry)


@dataclass
class Metrics:
    """The collectors of one daemon, each labelled by node."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.facts = _counter(self.registry, "facts", "Facts recorded.")
        self.facts_put_aside = _counter(self.registry, "facts_put_aside", "Facts that broke us and were put aside.")
        self.gaps = _counter(self.registry, "gaps", "Stretches when nobody was listening.")
        self.link_up = _gauge(self.registry, "link_up", "1 while logged in to the manager interface.")
        self.open_calls = _gauge(self.registry, "open_calls", "Calls that are open.")
        self.spooled = _gauge(self.registry, "spooled", "1 while facts wait on disk for the database.")

    @contextmanager
    def serve(self, host: str, port: int) -> Iterator[int]:
        """Answer Prometheus at that address from a thread of its own; the port. OSError when it is taken."""
        server, thread = start_http_server(port, addr=host, registry=self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
