"""An amoCRM account as its documentation has it, and as it is known to behave."""

import re
from datetime import timedelta
from typing import Any

from pbxmonitor.clock import Clock
from tests.crm.server import Reply, Request

INTEGRATION = {
    "client_id": "6a2d4741-0000-4000-8000-92277723dcea",
    "client_secret": "PZp1wm7VpAUBvpTzADj4CRHj",
    "redirect_uri": "https://pbx.example.org/amo",
}
LONG_LIVED = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.long.lived"
CODE = "def50200exxxx8a701f977d7e9151d7b"
CARDS = ("contacts", "leads", "companies", "customers")
LIMIT = 7


def problem(status: int, detail: str, **more: Any) -> Reply:
    body = {
        "title": "Bad Request",
        "type": f"https://httpstatus.es/{status}",
        "status": status,
        "detail": detail,
        **more,
    }
    return Reply(status=status, body=body, headers={"Content-Type": "application/problem+json"})


BUSY = problem(429, "Too Many Requests")


class No(Exception):  # noqa: N818
    """What is answered instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


class Account:
    """`lag` is how long a new contact is not found by `query`, `calls_lag` the same for calls."""

    def __init__(self, clock: Clock, *, lag: float = 0, calls_lag: float = 0) -> None:
        self._clock = clock
        self.watch = clock
        self._lags = timedelta(seconds=lag), timedelta(seconds=calls_lag)
        self.users = {1, 15, 16, 17}
        self.cards: dict[str, dict[int, dict[str, Any]]] = {cards: {} for cards in CARDS}
        self.notes: list[dict[str, Any]] = []
        self.tasks: dict[int, dict[str, Any]] = {}
        self.has_customers = False
        self.shut_out = False
        self.renewals = 0
        self.access, self.refresh, self.code = "access-token-number-0", "refresh-token-number-0", CODE
        self.violations: list[str] = []
        self._last = 100
        self.limit = LIMIT
        self.asked: list[float] = []

    def handle(self, request: Request) -> Reply:
        try:
            return self._handled(request)
        except No as no:
            return no.reply

    def _handled(self, request: Request) -> Reply:
        if self._too_often():
            return BUSY
        if request.path == "/oauth2/access_token":
            return self._renew(request.json)
        if self.shut_out:
            return Reply(status=403, body=b"<html>403 Forbidden</html>")
        if request.headers.get("authorization") not in (f"Bearer {LONG_LIVED}", f"Bearer {self.access}"):
            return Reply(
                status=401, body={"title": "Unauthorized", "status": 401, "detail": "Неверный логин или пароль"}
            )
        return self._routed(request)

    def _routed(self, request: Request) -> Reply:
        body: Any = request.json if request.body else None
        path = request.path.removeprefix("/api/v4/").split("/")
        self._expect(not request.body or not _nulls(body), "NotNullable: a null")
        if path[-1] == "notes" or path[0] == "calls":
            return self._routed_notes(request.method, path, body, request.query)
        match request.method, path:
            case "GET", [("contacts" | "companies") as cards]:
                return self._search(cards, request.query)
            case "POST", ["contacts"]:
                return self._made("contacts", [{"id": self._add_card("contacts", each)} for each in self._rows(body)])
            case "POST", ["leads", "complex"]:
                return Reply(body=[self._complex(each) for each in self._rows(body)])
            case "POST", ["tasks"]:
                return self._made("tasks", [self._add_task(each) for each in self._rows(body)])
            case "GET", ["tasks"]:
                return self._list_tasks(request.query)
            case "GET", ["tasks", number]:
                return Reply(body=self.tasks[int(number)]) if int(number) in self.tasks else problem(404, "Not found")
            case "PATCH", ["tasks", number]:
                return self._complete(int(number), body)
        return problem(404, "Not found")

    def _routed_notes(self, method: str, path: list[str], body: Any, query: dict[str, str]) -> Reply:
        match method, path:
            case "POST", ["calls"]:
                return self._call(*self._rows(body))
            case "POST", [("contacts" | "companies") as cards, number, "notes"]:
                return self._made("notes", [self._add_note(cards, int(number), each) for each in self._rows(body)])
            case "GET", [cards, "notes"]:
                return self._list_notes(cards, query)
        return problem(404, "Not found")

    def _expect(self, fine: bool, what: str) -> None:
        if not fine:
            self.violations.append(what)
            errors = [{"code": "Contract", "path": "body", "detail": what}]
            raise No(problem(400, "Request validation failed", **{"validation-errors": [{"errors": errors}]}))

    def _too_often(self) -> bool:
        now = self.watch.monotonic()
        self.asked = [moment for moment in self.asked if now - moment < 1] + [now]
        return len(self.asked) > self.limit

    def _renew(self, asked: dict[str, str]) -> Reply:
        grant = {"authorization_code": "code", "refresh_token": "refresh_token"}[asked["grant_type"]]
        self._expect(set(asked) == {*INTEGRATION, "grant_type", grant}, f"oauth: {set(asked)}")
        known = {"code": self.code, "refresh_token": self.refresh}[grant]
        if {key: asked[key] for key in INTEGRATION} != INTEGRATION or asked[grant] != known:
            hint = {"hint": "Token has been revoked", "title": "Некорректный запрос"}
            return Reply(status=400, body={"status": 400, "detail": "В запросе отсутствует ряд параметров", **hint})
        self.renewals += 1
        self.access, self.refresh = (f"{kind}-token-number-{self.renewals}" for kind in ("access", "refresh"))
        self.code = "used"
        body = {"token_type": "Bearer", "expires_in": 86400, "access_token": self.access, "refresh_token": self.refresh}
        return Reply(body=body)

    def expire(self) -> None:
        """The access token is a day old."""
        self.access = "expired"

    def _rows(self, body: Any) -> list[dict[str, Any]]:
        self._expect(isinstance(body, list) and len(body) == 1, "what is added comes as a list")
        rows: list[dict[str, Any]] = body
        return rows

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _made(self, name: str, rows: list[dict[str, Any]]) -> Reply:
        return Reply(body={"_links": {"self": {"href": "…"}}, "_embedded": {name: rows}})

    def _known(self, cards: str, lag: timedelta) -> dict[int, dict[str, Any]]:
        return {key: card for key, card in self.cards[cards].items() if card["made_at"] + lag <= self._clock.now()}

    def _search(self, cards: str, query: dict[str, str]) -> Reply:
        self._expect(set(query) <= {"query", "limit", "page", "with"} and int(query["limit"]) <= 250, "search")
        found = [card for card in self._known(cards, self._lags[0]).values() if query["query"] in _all_text(card)]
        return self._page(cards, found, query)

    def _page(self, name: str, rows: list[dict[str, Any]], query: dict[str, str]) -> Reply:
        size, number = int(query["limit"]), int(query["page"])
        rows = rows[(number - 1) * size : number * size]
        shown = [{key: value for key, value in row.items() if key != "made_at"} for row in rows]
        return self._made(name, shown) if shown else Reply(status=204)

    def _add_card(self, cards: str, fields: dict[str, Any]) -> int:
        self._expect(fields["responsible_user_id"] in self.users, "responsible_user_id")
        for each in fields.get("custom_fields_values", ()):
            codes = {value["enum_code"] for value in each["values"]}
            self._expect(each["field_code"] == "PHONE" and codes <= {"WORK", "MOB", "HOME"}, "PHONE")
        new = self._new()
        self.cards[cards][new] = {"id": new, **fields, "made_at": self._clock.now()}
        return new

    def _complex(self, lead: dict[str, Any]) -> dict[str, Any]:
        (contact,) = lead.pop("_embedded")["contacts"]
        made = self._add_card("contacts", contact)
        number = self._add_card("leads", {**lead, "contact": made})
        return {"id": number, "contact_id": made, "company_id": None, "request_id": ["0"], "merged": False}

    def _call(self, call: dict[str, Any]) -> Reply:
        self._check_call(call)
        self._expect(call["direction"] in ("inbound", "outbound"), "direction")
        for cards in ("contacts", "companies"):
            for card in self._known(cards, self._lags[1]).values():
                if call["phone"][-10:] in _digits(_all_text(card)):
                    return self._made("calls", [self._place(cards, card["id"], call)])
        errors = [{"title": "Entity not found", "status": 400, "detail": "Entity not found", "request_id": "0"}]
        return Reply(status=400, body={"_total_items": 0, "errors": errors, "_embedded": {"calls": []}})

    def _check_call(self, call: dict[str, Any]) -> None:
        for name in ("duration", "source", "phone"):
            self._expect(name in call, f"FieldMissing: {name}")
        self._expect(call["call_status"] in range(1, 8), "call_status")
        self._expect(isinstance(call["call_responsible"], int), "call_responsible as text is a name")

    def _place(self, cards: str, card: int, call: dict[str, Any]) -> dict[str, Any]:
        """One lead that is open takes the call from the contact's card."""
        leads = [each for each in self.cards["leads"].values() if each.get("contact") == card]
        where = ("leads", leads[0]["id"]) if len(leads) == 1 else (cards, card)
        kind = "call_in" if call["direction"] == "inbound" else "call_out"
        note = self._keep(where[0], where[1], kind, call, call)
        singular = {"contacts": "contact", "leads": "lead", "companies": "company"}[where[0]]
        return {"id": note["id"], "entity_id": where[1], "entity_type": singular, "account_id": 1, "request_id": "0"}

    def _keep(self, cards: str, card: int, kind: str, params: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
        where = {"id": self._new(), "entity_id": card, "cards": cards}
        author = {key: told[key] for key in ("created_by", "created_at", "responsible_user_id")}
        note = {**where, "note_type": kind, "params": params, **author}
        self.notes.append({**note, "made_at": self._clock.now()})
        return note

    def _add_note(self, cards: str, card: int, note: dict[str, Any]) -> dict[str, Any]:
        self._expect(note["note_type"] in ("call_in", "call_out") and card in self.cards[cards], "note")
        self._check_call(note["params"])
        kept = self._keep(cards, card, note["note_type"], note["params"], note)
        return {"id": kept["id"], "entity_id": card}

    def _list_notes(self, cards: str, query: dict[str, str]) -> Reply:
        if cards == "customers" and not self.has_customers:
            return Reply(status=403, body={"title": "Forbidden", "status": 403, "detail": "Customers are off"})
        self._expect(set(query) == {"filter[note_type]", "filter[updated_at][from]", "limit", "page"}, f"{set(query)}")
        since = float(query["filter[updated_at][from]"])
        rows = [
            note
            for note in self.notes
            if note["cards"] == cards
            and note["note_type"] == query["filter[note_type]"]
            and note["made_at"].timestamp() >= since
        ]
        return self._page("notes", rows, query)

    def _add_task(self, task: dict[str, Any]) -> dict[str, Any]:
        self._expect(bool(task["text"]) and isinstance(task["complete_till"], int), "text, complete_till")
        self._expect(task["responsible_user_id"] in self.users and task["task_type_id"] == 1, "responsible, type")
        if "entity_id" in task:
            self._expect(task["entity_id"] in self.cards[task["entity_type"]], "entity")
        new, now = self._new(), int(self._clock.now().timestamp())
        self.tasks[new] = {"id": new, "is_completed": False, "result": [], "updated_at": now, **task}
        return {"id": new, "request_id": "0"}

    def _list_tasks(self, query: dict[str, str]) -> Reply:
        self._expect(set(query) == {"filter[updated_at][from]", "limit", "page"}, f"tasks: {set(query)}")
        since = float(query["filter[updated_at][from]"])
        return self._page("tasks", [task for task in self.tasks.values() if task["updated_at"] >= since], query)

    def _complete(self, number: int, body: dict[str, Any]) -> Reply:
        self._expect(set(body) == {"is_completed", "result"} and set(body["result"]) == {"text"}, "task")
        self._expect(not self.tasks[number]["is_completed"], "completed twice")
        self.tasks[number] |= body
        return Reply(body={"id": number, "updated_at": 1588885140})


def _nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_nulls(each) for each in value.values())
    return any(map(_nulls, value)) if isinstance(value, list) else value is None


def _all_text(card: dict[str, Any]) -> str:
    """What `query` looks in: the name and every field, phones as digits too."""
    values = [str(value["value"]) for each in card.get("custom_fields_values") or () for value in each["values"]]
    return " ".join([str(card.get("name")), *values, *map(_digits, values)])


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
