"""A Bitrix24 portal as its documentation has it, and as its module of telephony is known to behave."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pbxmonitor.clock import Clock
from tests.crm.server import Reply, Request

CODE = "xq8f2k1c9w7z5h3v"
CLIENT = {"client_id": "local.64f1c2", "client_secret": "s3cr3t-of-the-application"}
BUSY = Reply(status=503, body={"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
BUCKET, LEAK = 50, 2
WINDOW = timedelta(minutes=30)
# The parameters of each method; those that must be there have a star.
METHODS = {
    "crm.duplicate.findbycomm": ("type*", "values*", "entity_type"),
    "crm.lead.add": ("fields*", "params"),
    "crm.contact.add": ("fields*", "params"),
    "crm.contact.get": ("id*",),
    "crm.company.get": ("id*",),
    "crm.lead.get": ("id*",),
    "tasks.task.add": ("fields*",),
    "tasks.task.get": ("taskId*", "select"),
    "tasks.task.list": ("order", "filter", "select", "start"),
    "tasks.task.complete": ("taskId*",),
    "task.commentitem.add": ("TASKID*", "FIELDS*"),
    "telephony.externalcall.register": (
        *("USER_ID*", "PHONE_NUMBER*", "TYPE*", "CALL_START_DATE", "CRM_CREATE", "CRM_SOURCE", "CRM_ENTITY_TYPE"),
        *("CRM_ENTITY_ID", "SHOW", "ADD_TO_CHAT", "CALL_LIST_ID", "LINE_NUMBER", "EXTERNAL_CALL_ID"),
    ),
    "telephony.externalcall.finish": (
        *("CALL_ID*", "USER_ID*", "DURATION", "COST", "COST_CURRENCY", "STATUS_CODE", "FAILED_REASON", "VOTE"),
        *("ADD_TO_CHAT",),
    ),
    "telephony.externalcall.attachrecord": ("CALL_ID*", "RECORD_URL", "FILENAME", "FILE_CONTENT"),
    "voximplant.statistic.get": ("FILTER", "SORT", "ORDER", "start"),
}
STATUS_CODES = frozenset(
    ("200", "304", "603", "603-S", "403", "404", "486", "484", "503", "480", "402", "423", "OTHER")
)


class No(Exception):  # noqa: N818
    """What is answered instead."""

    def __init__(self, description: str, code: object = "ERROR_CORE", status: int = 400) -> None:
        super().__init__(description)
        self.reply = Reply(status=status, body={"error": code, "error_description": description})


class Portal:
    """`old` portals do not know EXTERNAL_CALL_ID; `webhook_calls` is whether a webhook may use the telephony."""

    def __init__(self, clock: Clock, *, old: bool = False, webhook_calls: bool = True) -> None:
        self._clock = clock
        self._old = old
        self._webhook_calls = webhook_calls
        self.users = {1, 15, 16, 17}
        self.clients: dict[str, dict[int, dict[str, Any]]] = {"CONTACT": {}, "COMPANY": {}, "LEAD": {}}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.comments: list[tuple[int, str]] = []
        self.open_calls: dict[str, dict[str, Any]] = {}
        self.statistics: list[dict[str, Any]] = []
        self.records: dict[str, str] = {}
        self.unreachable_records = False
        self.statistics_allowed = True
        self.renewals = 0
        self.access, self.refresh = "access-token-number-0", "refresh-token-number-0"
        self.violations: list[str] = []
        self._last = 100
        self._level, self._leaked_at = 0.0, clock.monotonic()

    def handle(self, request: Request) -> Reply:
        try:
            return self._handled(request)
        except No as no:
            return no.reply

    def _handled(self, request: Request) -> Reply:
        if request.path == "/oauth/token/":
            return self._renew(request)
        if self._overflows():
            return BUSY
        self._expect(request.method == "POST", "documented examples are POST")
        self._expect(request.headers.get("content-type") == "application/json", "content type")
        parameters = request.json
        method = self._authorised(request.path.split("/"), parameters).lower()
        if method not in METHODS:
            raise No("Method not found!", "ERROR_METHOD_NOT_FOUND", 404)
        self._check(method, parameters)
        answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "crm.duplicate.findbycomm": self._find,
            "tasks.task.add": self._add_task,
            "tasks.task.get": self._get_task,
            "tasks.task.list": self._list_tasks,
            "tasks.task.complete": self._complete,
            "task.commentitem.add": self._comment,
            "telephony.externalcall.register": self._register,
            "telephony.externalcall.finish": self._finish,
            "telephony.externalcall.attachrecord": self._attach,
            "voximplant.statistic.get": self._statistics,
        }
        if method in answers:
            return self._result(answers[method](parameters))
        _, kind, verb = method.split(".")
        return self._result((self._add_client if verb == "add" else self._get_client)(kind.upper(), parameters))

    def _result(self, result: object) -> Reply:
        # PHP writes an empty object as an empty list.
        now = self._clock.now().isoformat()
        return Reply(body={"result": [] if result == {} else result, "time": {"date_start": now, "operating": 0.1}})

    def _expect(self, fine: bool, what: str) -> None:
        if not fine:
            self.violations.append(what)
            raise No(f"contract: {what}")

    def _overflows(self) -> bool:
        now = self._clock.monotonic()
        self._level = max(0.0, self._level - (now - self._leaked_at) * LEAK) + 1
        self._leaked_at = now
        return self._level > BUCKET

    def _authorised(self, path: list[str], parameters: dict[str, Any]) -> str:
        """The method, from `/rest/USER/CODE/METHOD` or from `/rest/METHOD` with `auth`."""
        match path:
            case ["", "rest", "1", code, method]:
                if code != CODE:
                    raise No("Invalid request credentials", "INVALID_CREDENTIALS", 401)
                if method.lower().startswith("telephony") and not self._webhook_calls:
                    raise No("Current authorization type is denied for this method", "WRONG_AUTH_TYPE", 403)
                return method
            case ["", "rest", method]:
                token = parameters.pop("auth", None)
                if token is None:
                    raise No("Wrong authorization data", "NO_AUTH_FOUND", 401)
                if token != self.access:
                    raise No("The access token provided has expired", "expired_token", 401)
                return method
        raise No("Not found", "ERROR_METHOD_NOT_FOUND", 404)

    def expire(self) -> None:
        """The access token is an hour old."""
        self.access = "expired"

    def _renew(self, request: Request) -> Reply:
        form = request.form
        self._expect(request.method == "POST" and not request.query, "the secrets travel in the body")
        self._expect(set(form) == {"grant_type", "client_id", "client_secret", "refresh_token"}, f"form {set(form)}")
        if {key: form[key] for key in CLIENT} != CLIENT:
            raise No("Invalid client", "invalid_client")
        if form["refresh_token"] != self.refresh or form["grant_type"] != "refresh_token":
            raise No("Invalid grant", "invalid_grant")
        self.renewals += 1
        self.access, self.refresh = (f"{kind}-token-number-{self.renewals}" for kind in ("access", "refresh"))
        body = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600, "member_id": "a223"}
        return Reply(body=body)

    def _check(self, method: str, parameters: dict[str, Any]) -> None:
        known = {name.rstrip("*") for name in METHODS[method]}
        self._expect(set(parameters) <= known, f"{method}: unknown {set(parameters) - known}")
        for name in METHODS[method]:
            self._expect(not name.endswith("*") or name[:-1] in parameters, f"{method}: {name} is missing")
        self._expect(None not in parameters.values(), f"{method}: null")

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _find(self, asked: dict[str, Any]) -> dict[str, list[int]]:
        self._expect(asked["type"] == "PHONE" and 0 < len(asked["values"]) <= 20, "findbycomm")
        found: dict[str, list[int]] = {}
        for kind in (asked["entity_type"],) if "entity_type" in asked else ("LEAD", "CONTACT", "COMPANY"):
            ids = [each for each, fields in self.clients[kind].items() if _phones(fields) & set(asked["values"])]
            found |= {kind: ids[:20]} if ids else {}
            if len(ids) >= 20:
                break
        return found

    def _add_client(self, kind: str, asked: dict[str, Any]) -> int:
        fields = asked["fields"]
        self._expect(fields["ASSIGNED_BY_ID"] in self.users, "ASSIGNED_BY_ID")
        self._expect(bool(_phones(fields)), "PHONE")
        self._expect(("TITLE" if kind == "LEAD" else "NAME") in fields, "a name")
        self.clients[kind][new := self._new()] = fields
        return new

    def _get_client(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["id"] not in self.clients[kind]:
            raise No("Not found", "")
        return {"ID": str(asked["id"]), **self.clients[kind][asked["id"]]}

    def _add_task(self, asked: dict[str, Any]) -> dict[str, Any]:
        fields = asked["fields"]
        self._expect(bool(fields.get("TITLE")), "TITLE")
        self._expect(fields["RESPONSIBLE_ID"] in self.users, "RESPONSIBLE_ID")
        self._expect(datetime.fromisoformat(fields["DEADLINE"]).tzinfo is not None, "DEADLINE")
        self.tasks[new := self._new()] = {**fields, "STATUS": 2, "CREATED_DATE": self._clock.now()}
        return {"task": self._task(new)}

    def _task(self, number: int) -> dict[str, Any]:
        fields = self.tasks[number]
        return {
            "id": str(number),
            "title": fields["TITLE"],
            "xmlId": fields.get("XML_ID"),
            "status": str(fields["STATUS"]),
        }

    def _get_task(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"task": self._task(asked["taskId"])} if asked["taskId"] in self.tasks else {}

    def _list_tasks(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._expect(set(asked["filter"]) == {">ID", ">=CREATED_DATE"}, "filter")
        after, since = int(asked["filter"][">ID"]), datetime.fromisoformat(asked["filter"][">=CREATED_DATE"])
        numbers = sorted(each for each, task in self.tasks.items() if each > after and task["CREATED_DATE"] >= since)
        return {"tasks": [self._task(each) for each in numbers[:50]]}

    def _complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.tasks[asked["taskId"]]["STATUS"] == 5:
            raise No("Action not allowed", "1048582")
        self.tasks[asked["taskId"]]["STATUS"] = 5
        return {"task": self._task(asked["taskId"])}

    def _comment(self, asked: dict[str, Any]) -> int:
        self._expect(isinstance(asked["TASKID"], int), "TASKID")
        self.comments.append((asked["TASKID"], asked["FIELDS"]["POST_MESSAGE"]))
        return self._new()

    def _register(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["USER_ID"] not in self.users:
            raise No("User is not found or is not active")
        if asked["TYPE"] not in (1, 2):
            raise No("Unknown TYPE")
        started = datetime.fromisoformat(asked["CALL_START_DATE"])
        self._expect(asked.get("SHOW") == 0 and started.tzinfo is not None, "SHOW, CALL_START_DATE")
        compared = ["USER_ID", "PHONE_NUMBER", "TYPE", "LINE_NUMBER"] + ["EXTERNAL_CALL_ID"] * (not self._old)
        for call_id, call in self.open_calls.items():
            young = call["STARTED"] > self._clock.now() - WINDOW
            if young and all(call.get(key) == asked.get(key) for key in compared):
                return self._registered(call_id, call)
        call_id = f"externalCall.716f1cb73def9700a23842adf9c4c568.{self._new()}"
        self.open_calls[call_id] = {**asked, "STARTED": started}
        return self._registered(call_id, asked)

    def _registered(self, call_id: str, call: dict[str, Any]) -> dict[str, Any]:
        bound = {key: call.get(key) for key in ("CRM_ENTITY_TYPE", "CRM_ENTITY_ID")}
        return {"CALL_ID": call_id, "CRM_CREATED_LEAD": None, "CRM_CREATED_ENTITIES": [], **bound}

    def _finish(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["CALL_ID"] not in self.open_calls:
            raise No("Call is not found (call should be registered prior to finishing", "")
        if asked["USER_ID"] not in self.users:
            raise No("User is not found or is not active")
        self._expect(asked["STATUS_CODE"] in STATUS_CODES, "STATUS_CODE")
        call = self.open_calls.pop(asked["CALL_ID"])
        self.statistics.append({**call, **asked})
        return {"CALL_ID": asked["CALL_ID"], "CALL_DURATION": asked["DURATION"], "CRM_ACTIVITY_ID": self._new()}

    def _attach(self, asked: dict[str, Any]) -> dict[str, Any]:
        if all(row["CALL_ID"] != asked["CALL_ID"] for row in self.statistics):
            raise No("Call is not found in the statistic table. Looks like it is not finished yet.")
        if self.unreachable_records:
            raise No("Server returns HTTP error code 404")
        self.records[asked["CALL_ID"]] = asked["RECORD_URL"]
        return {"FILE_ID": self._new()}

    def _statistics(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        if not self.statistics_allowed:
            raise No("Access denied.", "ACCESS_DENIED", 403)
        wanted = asked["FILTER"].get("CALL_ID")
        return [{"CALL_ID": row["CALL_ID"]} for row in self.statistics if wanted in (None, row["CALL_ID"])]


def _phones(fields: dict[str, Any]) -> set[str]:
    return {phone["VALUE"] for phone in fields.get("PHONE", ())}
