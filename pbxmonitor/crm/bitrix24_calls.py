"""Calls in Bitrix24's telephony: each registered once and finished once, under an id of its own.

While a registered call is not finished, registering another of the same user, number and direction gives the CALL_ID of
the first (for 30 minutes from CALL_START_DATE; portals that know EXTERNAL_CALL_ID compare that too), and the second
finish fails: https://github.com/bitrix-tools/b24-rest-docs/issues/175. So a call is registered only after its end and
finished at once, calls of one number take turns, and what was left in the middle is finished before the next begins.

https://apidocs.bitrix24.com/api-reference/telephony/telephony-external-call-register.html, …-finish.html,
…-attach-record.html, /api-reference/telephony/voximplant/voximplant-statistic-get.html
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog
from pydantic import BaseModel, Field

from pbxmonitor.crm import CallEnded, Found, Later, Memory, Outcome, Refused
from pbxmonitor.crm.bitrix24_rest import Portal, SaidNo
from pbxmonitor.domain.call import Direction

log = structlog.get_logger()
STATUS = {
    Outcome.ANSWERED: "200",
    Outcome.MISSED: "304",
    Outcome.NO_ANSWER: "304",
    Outcome.BUSY: "486",
    Outcome.DECLINED: "603",
    Outcome.CANCELLED: "603-S",
    Outcome.UNREACHABLE: "480",
}
TYPE = {Direction.OUTBOUND: 1, Direction.INBOUND: 2}
GONE = "Call is not found"
REGISTRATION_LIVES = 1800.0


class Row(BaseModel):
    """A call: as it is registered, and in the statistics."""

    call_id: str = Field(alias="CALL_ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A call on its way into the portal, kept before each step; `avoid` is a CALL_ID that belongs to another call."""

    id: str
    register: dict[str, Any]
    finish: dict[str, Any]
    recording: str | None = None
    call_id: str | None = None
    avoid: str | None = None


def begun(call: CallEnded, user: int, client: Found | None) -> Begun:
    """What the portal will be told of the call. Its statistics take a talk of 0 s for a missed call."""
    bound = {"CRM_ENTITY_TYPE": client.kind.upper(), "CRM_ENTITY_ID": int(client.id)} if client else {}
    line = {"LINE_NUMBER": call.line} if call.line else {}
    register = {
        "USER_ID": user,
        "PHONE_NUMBER": call.number,
        "TYPE": TYPE.get(call.direction, 2),
        "CALL_START_DATE": call.began_at.isoformat(timespec="seconds"),
        "EXTERNAL_CALL_ID": call.id,
        "CRM_CREATE": 0,
        "SHOW": 0,
        "ADD_TO_CHAT": 0,
        **line,
        **bound,
    }
    answered = call.outcome is Outcome.ANSWERED
    finish = {
        "USER_ID": user,
        "DURATION": max(1, round(call.talk_s)) if answered else 0,
        "STATUS_CODE": STATUS[call.outcome],
        "ADD_TO_CHAT": 0,
    }
    return Begun(id=call.id, register=register, finish=finish, recording=call.recording if answered else None)


class Telephony:
    """The portal's calls; whoever tells one holds the lock of its number."""

    def __init__(self, portal: Portal, memory: Memory) -> None:
        self._portal = portal
        self._memory = memory

    async def tell(self, call: str, number: str, begin: Callable[[], Awaitable[Begun]]) -> str:
        """The CALL_ID under which the call is finished."""
        left = await self._left(number)
        if left is not None and left.id == call:
            return await self._settle(number, left)
        avoid = await self._clear(number, left) if left else None
        fresh = replace(await begin(), avoid=avoid)
        await self._keep(number, fresh)
        return await self._settle(number, fresh)

    async def told(self, call: str) -> str | None:
        """The CALL_ID of a call that is finished."""
        return await self._memory.get(f"call:{call}")

    async def _clear(self, number: str, left: Begun) -> str | None:
        """Finish the call that was left in the middle; its CALL_ID if the portal refuses."""
        if await self.told(left.id):
            return None
        try:
            await self._settle(number, left)
        except Refused as error:
            log.warning("crm_call_left_open", call=left.id, reason=error.reason)
            still = await self._left(number)
            return still.call_id if still else None
        return None

    async def _settle(self, number: str, call: Begun) -> str:
        call_id = call.call_id or await self._register(number, call)
        try:
            await self._portal.call("telephony.externalCall.finish", object, CALL_ID=call_id, **call.finish)
        except SaidNo as no:
            if GONE not in no.description:
                raise
            if not await self._finished(call_id):
                await self._keep(number, replace(call, call_id=None))
                raise Later("Bitrix24 has forgotten the call before it was finished", 0) from None
        if call.recording:
            await self._attach(call, call_id)
        await self._memory.put(f"call:{call.id}", call_id)
        await self._memory.put(f"open:{number}", "")
        return call_id

    async def _register(self, number: str, call: Begun) -> str:
        registered = await self._portal.call("telephony.externalCall.register", Row, **call.register)
        call_id = registered.call_id
        if call_id == call.avoid:
            raise Later("Bitrix24 still holds the number's call before this one open", REGISTRATION_LIVES)
        await self._keep(number, replace(call, call_id=call_id))
        return call_id

    async def _finished(self, call_id: str) -> bool:
        """Whether the statistics have it; who may not see them believes that what is gone was finished."""
        try:
            rows = await self._portal.call("voximplant.statistic.get", list[Row], FILTER={"CALL_ID": call_id})
        except SaidNo:
            return True
        return any(row.call_id == call_id for row in rows)

    async def _attach(self, call: Begun, call_id: str) -> None:
        """Let the portal fetch the recording; that it cannot is no reason to tell the call again."""
        try:
            await self._portal.call(
                "telephony.externalCall.attachRecord", object, CALL_ID=call_id, RECORD_URL=call.recording
            )
        except SaidNo as no:
            log.warning("crm_recording_not_attached", call=call.id, reason=no.reason)

    async def _left(self, number: str) -> Begun | None:
        kept = await self._memory.get(f"open:{number}")
        return Begun(**json.loads(kept)) if kept else None

    async def _keep(self, number: str, call: Begun) -> None:
        await self._memory.put(f"open:{number}", json.dumps(asdict(call), ensure_ascii=False))
