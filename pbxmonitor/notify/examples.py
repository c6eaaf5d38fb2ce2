"""Which messages there are, and the words that each is written with, as an example for previews and for `check`."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from pbxmonitor.texts import tr


class Name(StrEnum):
    """A message that the program writes to people."""

    MISSED = "missed"
    REPEATED = "repeated"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    OVERDUE_MANY = "overdue_many"
    REACHED = "reached"
    ALERT = "alert"
    ALERT_RESOLVED = "alert_resolved"
    SUMMARY = "summary"
    DIGEST = "digest"
    CALLBACK_REPORT = "callback_report"
    LINKED = "linked"
    TEST = "test"


Words = Mapping[str, Any]
_AT = datetime(2026, 11, 23, 7, 42, tzinfo=UTC)
_DAY = date(2026, 11, 23)


@cache
def examples(language: str) -> Mapping[Name, Words]:
    """For each message all of its words; a None among them may be absent. What each means: docs/channels.md."""
    say = _Example(language)
    client = {"client": "+78121112233", "region": say("region"), "at": _AT, "queue": say("queue")}
    debt = {**client, "due": _AT + timedelta(minutes=10)}
    alert = {"title": say("alert"), "who": say("agent"), "detail": say("detail"), "at": _AT}
    return {
        Name.MISSED: debt,
        Name.REPEATED: {**debt, "calls": 2, "overdue": False},
        Name.OVERDUE: {**debt, "owner": say("agent")},
        Name.ESCALATED: {**debt, "owner": say("agent"), "late": timedelta(minutes=15), "attempts": 1},
        Name.OVERDUE_MANY: _overdue_many(say),
        Name.REACHED: {**client, "rescuer": say("colleague"), "took": timedelta(minutes=7), "in_norm": True},
        Name.ALERT: {**alert, "since": _AT - timedelta(minutes=30), "reminder": 0},
        Name.ALERT_RESOLVED: {**alert, "lasted": timedelta(minutes=45)},
        Name.SUMMARY: {"title": say("summary"), "lines": (say("summary_line"),), "more": 2, "at": _AT},
        Name.DIGEST: _digest(say),
        Name.CALLBACK_REPORT: _callback_report(say),
        Name.LINKED: {"name": say("agent")},
        Name.TEST: {"channel": "telegram", "at": _AT},
    }


class _Example:
    """Words of the examples in a language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __call__(self, word: str) -> str:
        return tr(f"message.example.{word}", language=self._language)


def _overdue_many(say: _Example) -> Words:
    line = {"client": "+78121112233", "due": _AT + timedelta(minutes=10), "owner": say("agent"), "calls": 2}
    return {"callbacks": 7, "lines": (line,), "more": 6, "at": _AT}


def _digest(say: _Example) -> Words:
    return {
        "begin": _DAY,
        "end": None,
        "figures": (
            {"title": say("figure"), "value": "11", "before": "14", "norm": "12"},
            {"title": say("figure_plain"), "value": "164", "before": None, "norm": None},
        ),
        "worst": (
            {"name": say("agent"), "missed": 9, "offered": 24, "share": 0.375},
            {"name": say("colleague"), "missed": 2, "offered": 21, "share": 0.095},
        ),
        "few": say("few"),
        "rescuers": ({"name": say("colleague"), "reached": 5},),
        "callbacks": {
            "opened": 19,
            "in_norm": 12,
            "late": 3,
            "lost": 2,
            "returned": 1,
            "dismissed": 0,
            "waiting": 1,
        },
        "stuck": ({"place": say("queue"), "calls": 11},),
        "money": say("money"),
    }


def _callback_report(say: _Example) -> Words:
    fates = {"opened": 9, "in_norm": 4, "late": 1, "lost": 4, "returned": 0, "dismissed": 0, "waiting": 0}
    row = {**fates, "in_norm_share": 0.44}
    return {
        "begin": _DAY - timedelta(days=2),
        "end": _DAY,
        "opened": 19,
        "in_norm": 12,
        "in_norm_share": 0.63,
        "late": 3,
        "lost": 2,
        "returned": 1,
        "dismissed": 0,
        "waiting": 1,
        "people": ({"name": say("agent"), **row},),
    }
