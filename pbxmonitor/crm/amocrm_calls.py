"""Calls in amoCRM: in the card that it chooses by the number, or as a note in the client's own.

In https://www.amocrm.ru/developers/content/crm_platform/: calls-api, events-and-notes. A call whose number is unknown
is refused (400, `Entity not found`), not kept for later. `uniq` is stored and compared with nothing, so it is looked
for. Nulls are errors, and `call_responsible` is a user's id only as a number: as text it is a name.
"""

from datetime import datetime
from typing import Any

import structlog

from pbxmonitor.crm import CallEnded, Found, Outcome
from pbxmonitor.crm.amocrm_rest import Account, Page, Row, SaidNo
from pbxmonitor.crm.words import outcome
from pbxmonitor.domain.call import Direction

log = structlog.get_logger()
# 1 left a message, 2 call back later, 3 not there, 4 talked, 5 wrong number, 6 not reached, 7 busy
STATUS = {
    Outcome.ANSWERED: 4,
    Outcome.MISSED: 6,
    Outcome.NO_ANSWER: 6,
    Outcome.BUSY: 7,
    Outcome.DECLINED: 3,
    Outcome.CANCELLED: 6,
    Outcome.UNREACHABLE: 3,
}
CARDS = {"contact": "contacts", "company": "companies", "lead": "leads", "customer": "customers"}
SOURCE = "pbxmonitor"


class Calls:
    """The calls of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def show(self, call: CallEnded, user: int, client: Found | None) -> str | None:
        """Where the call is shown, as cards/card/note; None when nobody has the number."""
        shown = await self._add(call, user)
        if shown is None and client is not None:
            shown = await self._note(call, user, client)
        return f"{CARDS.get(kind := shown.entity_type or '', kind)}/{shown.entity_id}/{shown.id}" if shown else None

    async def _add(self, call: CallEnded, user: int) -> Row | None:
        told = {"direction": call.direction.value, **_told(call, user), **_author(call, user)}
        try:
            page = await self._account.ask("POST", "/api/v4/calls", Page, [told])
        except SaidNo as no:
            if not _unknown(no.body):
                raise
            return None
        return page.first("calls") if page else None

    async def _note(self, call: CallEnded, user: int, client: Found) -> Row | None:
        """The card is the client's own: it may have been made a second ago, and be unknown to the search."""
        cards = CARDS[client.kind]
        note = {"note_type": _note_type(call), "params": _told(call, user), **_author(call, user)}
        page = await self._account.ask("POST", f"/api/v4/{cards}/{client.id}/notes", Page, [note])
        made = page.first("notes") if page else None
        return made.model_copy(update={"entity_type": cards, "entity_id": client.id}) if made else None

    async def since(self, since: datetime, call: CallEnded) -> str | None:
        """Where it has been shown since then: amoCRM chose the card, so the notes of all cards are looked through."""
        asked = {"filter[note_type]": _note_type(call), "filter[updated_at][from]": int(since.timestamp())}
        for cards in CARDS.values():
            try:
                note = await self._account.find(f"/api/v4/{cards}/notes", "notes", _is(call.id), **asked)
            except SaidNo as no:  # an account without customers, or a user who may not see some of the cards
                log.warning("crm_notes_not_seen", crm="amocrm", cards=cards, reason=no.reason)
                continue
            if note is not None:
                return f"{cards}/{note.entity_id}/{note.id}"
        return None


def _told(call: CallEnded, user: int) -> dict[str, Any]:
    answered = call.outcome is Outcome.ANSWERED
    return {
        "uniq": call.id,
        "duration": round(call.talk_s) if answered else 0,
        "source": SOURCE,
        "phone": call.number,
        "call_status": STATUS[call.outcome],
        "call_result": outcome(call.outcome),
        "call_responsible": user,
        **({"link": call.recording} if answered and call.recording else {}),
    }


def _author(call: CallEnded, user: int) -> dict[str, int]:
    """Without `created_by` the statistics say that a robot called."""
    return {"responsible_user_id": user, "created_by": user, "created_at": int(call.began_at.timestamp())}


def _note_type(call: CallEnded) -> str:
    return "call_out" if call.direction is Direction.OUTBOUND else "call_in"


def _is(uniq: str) -> Any:
    return lambda note: isinstance(note.params, dict) and note.params.get("uniq") == uniq


def _unknown(body: Any) -> bool:
    """Whether a refusal says only that nobody has the number."""
    errors = body.get("errors") if isinstance(body, dict) else None
    return isinstance(errors, list) and any("not found" in str(error).lower() for error in errors)
