"""A system of somebody's own that keeps to docs/crm.md: it makes one thing for one Idempotency-Key."""

import hashlib
import hmac
from typing import Any

from pbxmonitor.clock import Clock
from tests.crm.server import Reply, Request

API_KEY = "k3y-of-somebodys-system"
SECRET = "s1gning-secret-of-the-system"
BUSY = Reply(status=429, body={"detail": "too many"}, headers={"Retry-After": "7"})


class System:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.made: dict[str, dict[str, Any]] = {}
        self.paths: dict[str, str] = {}
        self.clients = {"+79161234501": {"id": "c-1", "name": "Иван", "url": "https://crm.example.org/c-1"}}
        self.violations: list[str] = []
        self.refuses: Reply | None = None

    def handle(self, request: Request) -> Reply:
        if request.headers.get("x-api-key") != API_KEY:
            return Reply(status=401, body={"detail": f"no such key: {request.headers.get('x-api-key')}"})
        if self.refuses:
            return self.refuses
        if request.method == "GET":
            found = self.clients.get(request.path.rpartition("/")[2])
            return Reply(body=found) if found else Reply(status=404)
        if not self._signed(request):
            self.violations.append("signature")
        key = request.headers["idempotency-key"]
        self.made.setdefault(key, request.json)
        self.paths.setdefault(key, request.path)
        return Reply(
            status=201, body={"id": f"made-{list(self.made).index(key)}", "url": "https://crm.example.org/made"}
        )

    def _signed(self, request: Request) -> bool:
        moment = request.headers.get("x-pbxmonitor-timestamp", "0")
        fresh = abs(int(moment) - self._clock.now().timestamp()) < 300
        mac = hmac.new(SECRET.encode(), f"{moment}.".encode() + request.body, hashlib.sha256).hexdigest()
        known = request.headers.get("x-pbxmonitor-id") == request.json["id"] == request.headers["idempotency-key"]
        return known and fresh and hmac.compare_digest(mac, request.headers.get("x-pbxmonitor-signature", ""))
