"""Alerts that fire and those that are over, and messages that did not arrive, as a viewer reads them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.alerting import Alert, AlertState, Said, What
from pbxmonitor.domain.alerts import Rule, rule_of
from pbxmonitor.domain.roster import Person
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.store import outbox
from pbxmonitor.store.actions import audit
from pbxmonitor.store.journal import Cursor
from pbxmonitor.store.outbox import DeliveryState
from pbxmonitor.store.told import AlertPlace
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.web.filtering import cursor_of, cursor_text
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site
from pbxmonitor.work.alert_words import words_of

ACTIVE: Final = (AlertState.FIRING,)
# Of each kind so many messages are shown; there are more only after a long trouble with one channel.
MOST: Final = 100


def rules_of(site: Site) -> Mapping[str, Rule]:
    """The rules by name."""
    return {rule.name: rule for rule in to_rules(site.settings.alerts)}


def shown(found: Iterable[tuple[str, Alert]], site: Site, sight: Sight) -> list[Json]:
    """The alerts in words, in the viewer's language."""
    rules, now = rules_of(site), site.clock.now()
    return [{"id": name, "alert": each} | _words(each, rules, sight, now) for name, each in found]


def _words(alert: Alert, rules: Mapping[str, Rule], sight: Sight, now: datetime) -> dict[str, Any]:
    # A rule that the settings have no more is told of by its kind.
    rule = rules.get(alert.rule) or rule_of(alert.kind, name=alert.rule)
    reader = Person(key="", name="", language=sight.language)
    told = words_of(Said(what=What.FIRED, alert=alert, sign=None), rule, reader, sight.roster, now)
    return {
        "title": told["title"],
        "who": sight.text(told["who"]),
        "detail": sight.text(told["detail"]),
        "lasted": max((alert.ended_at or now) - alert.since, timedelta()),
        "urgent": rule.urgent,
    }


def alert_json(item: Mapping[str, Any], sight: Sight) -> Json:
    """An alert as answers have it."""
    alert: Alert = item["alert"]
    return {
        "id": item["id"],
        "rule": alert.rule,
        "kind": alert.kind.value,
        "state": alert.state.value,
        "node": alert.node,
        "subject": sight.text(alert.subject),
        "agent": sight.agent(alert.agent) if alert.agent is not None else None,
        "since": stamp(alert.since),
        "began_at": stamp(alert.began_at),
        "ended_at": stamp(alert.ended_at) if alert.ended_at is not None else None,
        "told_at": stamp(alert.told_at) if alert.told_at is not None else None,
        "reminders": alert.reminders,
        "value": alert.value,
        "threshold": alert.threshold,
        "title": item["title"],
        "who": item["who"],
        "detail": item["detail"],
    }


def place_of(text: str | None) -> AlertPlace | None:
    """The place that an address names; BadQuery for anything but what `place_text` gave."""
    found = cursor_of(text)
    return AlertPlace(began_at=found.started_at, id=found.key) if found is not None else None


def place_text(place: AlertPlace | None) -> str | None:
    """The place as an address has it."""
    return cursor_text(Cursor(started_at=place.began_at, node="", key=place.id)) if place is not None else None


def undelivered(connection: sa.Connection) -> list[dict[str, Any]]:
    """Messages that failed or came too late, the newest first."""
    states = (DeliveryState.FAILED, DeliveryState.EXPIRED)
    found = [row for state in states for row in outbox.listed(connection, state, MOST)]
    return sorted(found, key=lambda row: row["created_at"], reverse=True)


def messages(rows: Sequence[Mapping[str, Any]], sight: Sight) -> list[Json]:
    """Those messages in words."""
    return [
        {
            "id": row["id"],
            "at": row["created_at"],
            "what": _what(row["template"], sight.language),
            "to": sight.full_name(row["recipient"]),
            "channel": row["channel"],
            "expired": row["state"] == DeliveryState.EXPIRED,
            "error": sight.text(row["error"] or ""),
        }
        for row in rows
    ]


def _what(template: str, language: str) -> str:
    key = f"web.alerts.message.{template}"
    return tr(key, language=language) if key in catalogue(language) else template


def retry(connection: sa.Connection, name: str, by: str, now: datetime) -> bool:
    """Owe that message again, with its line in the audit; whether it had failed or come too late."""
    done = outbox.retried(connection, name, now)
    if done:
        audit(connection, now, by, "delivery_retried", None, {"delivery": name})
    return done
