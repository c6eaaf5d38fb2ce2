"""The items of the live page in a person's words: what the template writes, and the script beside it puts in place.

Moments stay ISO, because the browser counts the time since them; everything else is text that needs no thinking.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from pbxmonitor.domain.agent import FORWARDED, AgentState
from pbxmonitor.domain.alerting import Alert, Said, What
from pbxmonitor.domain.alerts import Rule
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.domain.view import Json
from pbxmonitor.notify.wording import Filters
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.work.alert_words import words_of

_BUSY: Final = (AgentState.TALKING, AgentState.HOLD, AgentState.RINGING)
LUNCH: Final = "lunch"
# Later than any moment, in seconds since 1970.
_FAR: Final = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. `filters` write values (notify/wording.py), `alerts` are those that fire, by name."""

    language: str
    filters: Filters
    roster: Roster
    rules: Mapping[str, Rule]
    alerts: Mapping[str, Alert]
    now: datetime

    def said(self, section: str, item: Json) -> Json:
        """The item of that section, as slots."""
        return _SAID[section](self, item)

    def tr(self, key: str, **values: object) -> str:
        return tr(f"web.now.{key}", language=self.language, **values)

    def number(self, number: str | None) -> str:
        return str(self.filters["phone"](number)) if number is None or "*" not in number else number

    def percent(self, share: float | None) -> str:
        return "" if share is None else str(self.filters["percent"](share))

    def time(self, iso: str) -> str:
        return str(self.filters["time"](datetime.fromisoformat(iso), self.now))

    def names(self, agents: list[str]) -> str:
        return ", ".join(str(self.roster.name_of(agent)) for agent in agents)


def _tile(words: Words, item: Json) -> Json:
    state = LUNCH if item["reason"] == LUNCH else item["state"]
    offered = item["answered"] + item["missed"]
    debts = item["open_callbacks"]
    away = item["availability"] if item["availability"] not in (item["state"], AgentState.READY) else None
    return {
        "key": item["key"],
        "href": f"employees/{quote(item['agent'], safe='')}",
        "order": f"{item['urgency']:02} {item['name']}",
        "state": state,
        "level": "bad" if item["missed_too_much"] else "",
        "name": item["name"],
        "word": words.tr(f"state.{state}"),
        "since": item["since"],
        "who": _who(words, item) if item["state"] in _BUSY else _reason(words, item),
        "queue": item["queue"] or "",
        "away": words.tr(f"state.{away}") if away else "",
        "share": words.percent(item["missed_share"]),
        "counts": words.tr("tile.counts", missed=item["missed"], offered=offered) if offered else words.tr("tile.none"),
        "debts": words.tr("tile.debts", n=debts) if debts else "",
    }


def _who(words: Words, item: Json) -> str:
    if item["call"] is None:
        return ""
    if item["direction"] == Direction.INTERNAL:
        return words.roster.name_of(item["peer"]) or ""
    return words.tr(f"way.{item['direction']}", number=words.number(item["peer"]))


def _reason(words: Words, item: Json) -> str:
    """Why he is away, in the PBX's words or ours; the word of the state has said that it is lunch."""
    if item["reason"] == FORWARDED:
        return words.tr("reason.forwarded")
    reason = item["note"] or (item["reason"] if item["reason"] != LUNCH else None) or ""
    return "" if reason.casefold() == words.tr("state.lunch").casefold() else reason


def _queue(words: Words, item: Json) -> Json:
    waiting, nobody = item["waiting"], not item["available"]
    return {
        "key": item["key"],
        "level": "bad" if waiting and nobody else "warn" if waiting or nobody else "good",
        "order": item["queue"],
        "name": item["queue"],
        "word": words.tr("queue.waiting", n=waiting) if waiting else words.tr("queue.none"),
        "since": item["longest_since"],
        "staff": words.tr("queue.nobody")
        if nobody
        else words.tr("queue.staff", n=item["available"], members=item["members"], free=item["free"]),
        "callers": [_caller(words, each) for each in item["callers"]],
    }


def _caller(words: Words, caller: Json) -> Json:
    known = caller["call"] is not None
    return {
        "number": words.number(caller["caller"]) if known else words.tr("queue.caller"),
        "since": caller["since"],
        "rings": words.tr("queue.rings", names=words.names(caller["ringing"])) if caller["ringing"] else "",
    }


def _callback(words: Words, item: Json) -> Json:
    snoozed = item["snoozed_until"]
    tried = words.tr("callback.attempts", n=item["attempts"]) if item["attempts"] else words.tr("callback.untried")
    return {
        "key": item["key"],
        "order": _soonest(item),
        "number": words.number(item["number"]),
        "who": item["who"] or words.tr("callback.nobody"),
        "queue": item["queue"] or item["line"],
        "due": item["due_at"],
        "misses": words.tr("callback.misses", n=item["missed"]),
        "tried": tried,
        "taken": words.tr("callback.taken") if item["taken_by"] else "",
        "snoozed": words.tr("callback.snoozed", at=words.time(snoozed)) if snoozed else "",
    }


def _soonest(item: Json) -> str:
    """In time: the one due first; behind them the overdue ones, the last first (now_seen)."""
    if not item["overdue"]:
        return f"0 {item['due_at']}"
    return f"1 {_FAR - datetime.fromisoformat(item['due_at']).timestamp():017.3f}"


def _alert(words: Words, item: Json) -> Json:
    alert, shown = words.alerts.get(item["key"]), {"key": item["key"], "order": item["since"], "since": item["since"]}
    rule = words.rules.get(item["rule"])
    if alert is None or rule is None:
        return shown | {"title": f"{item['rule']}:", "who": item["subject"], "detail": ""}
    reader = Person(key="", name="", language=words.language)
    text = words_of(Said(what=What.FIRED, alert=alert, sign=None), rule, reader, words.roster, words.now)
    return shown | {"title": f"{text['title']}:", "who": f"{text['who']}.", "detail": text["detail"]}


def _flag(words: Words, item: Json) -> Json:
    moments = {name: words.time(item[name]) for name in ("since", "until") if item[name]}
    named = ({"node": item["node"]} if item["node"] else {}) | ({} if item["calls"] is None else {"n": item["calls"]})
    text = words.tr(f"flag.{item['kind']}", **moments, **named)
    level = "calm" if item["kind"].startswith("gap") else "bad"
    return {"key": item["key"], "order": item["key"], "level": level, "text": text}


def _figure(words: Words, item: Json) -> Json:
    key = item["key"]
    return {
        "key": key,
        "order": str(item["order"]),
        "level": "bad" if item["bad"] else "",
        "label": words.tr(f"figure.{key}"),
        "value": words.tr("figure.free.value", free=item["value"], of=item["of"])
        if key == "free"
        else str(item["value"]),
        "since": item.get("since"),
        "note": _note(words, item),
    }


def _note(words: Words, item: Json) -> str:
    match item["key"]:
        case "calls":
            seconds = item.get("seconds")
            span = words.filters["duration"](timedelta(seconds=seconds)) if seconds is not None else None
            return words.tr("figure.calls.note", span=span) if span is not None else ""
        case "free":
            return words.tr("figure.free.note", busy=item["busy"], away=item["away"])
        case "callbacks":
            late = words.tr("figure.callbacks.overdue", n=item["overdue"]) if item["overdue"] else ""
            norm = (
                words.tr("figure.callbacks.norm", share=words.percent(item["share"]))
                if item["share"] is not None
                else ""
            )
            return " · ".join(part for part in (late, norm) if part)
        case "waiting":
            return ""
    return words.percent(item["share"])


_SAID: Final[Mapping[str, Callable[[Words, Json], Json]]] = {
    "tiles": _tile,
    "queues": _queue,
    "callbacks": _callback,
    "alerts": _alert,
    "flags": _flag,
    "figures": _figure,
}


def lapse(since: str | None, now: datetime, language: str) -> str:
    """How long ago that was, as the script beside it counts on: 0:07, 12:30, 1:02:03, 2 d 4 h."""
    if since is None:
        return ""
    return _span((now - datetime.fromisoformat(since)).total_seconds(), language)


def countdown(due: str, now: datetime, language: str) -> tuple[bool, str]:
    """Whether it is late, and by how much it is, or how long is left."""
    past = (now - datetime.fromisoformat(due)).total_seconds()
    key = "web.now.script.overdue" if past > 0 else "web.now.script.left"
    return past > 0, tr(key, language=language, span=_span(abs(past), language))


def _span(seconds: float, language: str) -> str:
    whole = max(int(seconds), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return tr("message.duration.days", language=language, days=days, hours=hours % 24)
    return f"{hours}:{minutes % 60:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def page_words(language: str) -> dict[str, Any]:
    """What the script itself says, by key."""
    start = "web.now.script."
    found = catalogue(language)
    own = {key.removeprefix(start): found[key] for key in found if key.startswith(start)}
    return own | {"days": found["message.duration.days"]}
