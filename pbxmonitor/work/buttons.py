"""What people press under messages and write to the bot: only who is linked is listened to, and only about his own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person
from pbxmonitor.notify import Later, Message, Refused
from pbxmonitor.notify.buttons import Action, callback_buttons
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.telegram import Telegram
from pbxmonitor.notify.telegram_updates import Pressed, Said, Update
from pbxmonitor.notify.templates import Templates
from pbxmonitor.regions import region_of
from pbxmonitor.store import schema
from pbxmonitor.store.actions import CannotAct, Deed, Hand, act, find
from pbxmonitor.store.case import Case, words_of
from pbxmonitor.store.debts import Key
from pbxmonitor.store.links import first_time, person_of
from pbxmonitor.store.rejudge import lock_writers
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import spoken, tr
from pbxmonitor.work.dialling import CannotCall, Dialling
from pbxmonitor.work.linking import CannotLink, Linking

log = structlog.get_logger()
_CODE: Final = re.compile(r"[0-9A-Za-z]{4}[ -]?[0-9A-Za-z]{4}", re.ASCII)
_D: Final = schema.delivery.c
_HANDS: Final[Mapping[Action, Hand]] = {
    Action.TAKE: Hand.TAKE,
    Action.MOBILE: Hand.MOBILE,
    Action.SNOOZE: Hand.SNOOZE,
    Action.WRONG_NUMBER: Hand.DISMISS,
    Action.VOICEMAIL: Hand.VOICEMAIL,
}
Act = Callable[[sa.Connection, Duties, Policy, Key, Deed, datetime], Callback]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """Handles the updates of one Telegram bot; `dialling` is None where no phone can be made to ring."""

    channel: str
    database: AsyncEngine
    telegram: Telegram
    duties: Duties
    policy: Policy
    templates: Templates
    linking: Linking
    clock: Clock
    dialling: Dialling | None = None
    ring: Callable[[], None] = lambda: None
    act: Act = act

    async def __call__(self, update: Update) -> None:
        """Do what it asks, and answer; the same update again does nothing twice."""
        if isinstance(update, Said):
            await self._said(update)
        else:
            await self._pressed(update)

    async def _person(self, account: int) -> Person | None:
        """Who is linked to that account; nobody who has left the settings."""
        key = await reading(self.database, lambda c: person_of(c, self.channel, str(account)))
        return self.duties.roster.people.get(key or "")

    # what people write

    async def _said(self, said: Said) -> None:
        code = said.text.strip().removeprefix("/start").strip()
        linked, trouble = False, ""
        if _CODE.fullmatch(code):
            try:
                linked = await self.linking.redeem(self.channel, code, str(said.chat), str(said.user)) is not None
            except CannotLink as cannot:
                trouble = cannot.text()
        person = await self._person(said.user)
        if person is None:
            await self._reply(said, trouble or tr("bot.stranger"))
        elif linked:
            written = self.templates.render(Name.LINKED, person.language, {"name": person.name})
            await self._reply(said, written.text, written.html)
        else:
            await self._reply(said, tr("bot.help", language=person.language, name=person.name))

    async def _reply(self, said: Said, text: str, html: str | None = None) -> None:
        message = Message(id=f"said-{said.update}", to=str(said.chat), subject=text, text=text, html=html)
        try:
            await self.telegram.send(message)
        except Refused as refused:
            log.warning("bot_reply_refused", reason=refused.reason)

    # what people press

    async def _pressed(self, press: Pressed) -> None:
        person = await self._person(press.user)
        if person is None:
            await self.telegram.answer(press.query, tr("bot.not_linked"), alert=True)
            return
        try:
            action, key = _asked(press)
            case = await self._done(press, person, action, key)
        except (CannotAct, CannotCall) as cannot:
            await self._refuse(press, person, cannot)
            return
        log.info("button_pressed", action=action, person=person.key, node=key[0], call=key[1])
        self.ring()
        at = self._hour(case.progress.snoozed_until if action is Action.SNOOZE else None)
        said = tr(f"bot.done.{action}", language=person.language, **({"at": at} if action is Action.SNOOZE else {}))
        await self.telegram.answer(press.query, said)
        status = tr(f"bot.status.{action}", language=person.language, name=person.name, at=at)
        await self._show(press, self._view(press, person, case, status))

    async def _done(self, press: Pressed, person: Person, action: Action, key: Key) -> Case:
        """Do it; the callback as it is then."""
        now = self.clock.now()
        if action is not Action.CALL:
            return await writing(self.database, lambda c: self._act(c, press, person, action, key, now))
        case = await reading(self.database, lambda c: self._looked_up(c, person, key))
        if self.dialling is None:
            raise CannotCall("dial.cannot.node")
        await self.dialling.call(person.key, key, once=f"{self.channel}/{press.update}")
        return case

    def _act(
        self, connection: sa.Connection, press: Pressed, person: Person, action: Action, key: Key, now: datetime
    ) -> Case:
        # The order in which everybody takes these locks: the writers' first, then the callback's.
        lock_writers(connection)
        case = self._looked_up(connection, person, key)
        if not first_time(connection, self.channel, press.update):
            return case
        deed = Deed(hand=_HANDS[action], who=person.key)
        if action is Action.WRONG_NUMBER:
            deed = replace(deed, reason=tr("bot.reason.wrong_number", language=spoken()))
        elif action is Action.VOICEMAIL:
            deed = replace(deed, call=_last_talk(case.debt))
        self.act(connection, self.duties, self.policy, key, deed, now)
        return find(connection, key)

    def _looked_up(self, connection: sa.Connection, person: Person, key: Key) -> Case:
        """The callback, when it is that person's business."""
        case = find(connection, key)
        if not self._may(connection, person, case):
            raise CannotAct("bot.not_yours")
        return case

    def _may(self, connection: sa.Connection, person: Person, case: Case) -> bool:
        """Who owns it, took it or saved it, leads the owner, stands in for him, or was told of it."""
        roster, owner = self.duties.roster, case.debt.owner
        if owner is None or person.key in (owner, case.progress.taken_by, case.debt.rescuer):
            return True
        if roster.leads(person, owner) or person in roster.told(["reserve"], owner):
            return True
        about = sa.and_(_D.node == case.key[0], _D.callback == case.key[1], _D.recipient == person.key)
        return connection.execute(sa.select(_D.id).where(about).limit(1)).first() is not None

    async def _refuse(self, press: Pressed, person: Person, cannot: CannotAct | CannotCall) -> None:
        """Say why not; buttons that can do nothing any more go away."""
        log.info("button_refused", action=press.action, person=person.key, why=cannot.key)
        values = cannot.values if isinstance(cannot, CannotCall) else {}
        await self.telegram.answer(press.query, tr(cannot.key, language=person.language, **values), alert=True)
        if cannot.key in ("callback.cannot.closed", "callback.cannot.unknown", "dial.cannot.closed"):
            await self._show(press, None)

    async def _show(self, press: Pressed, message: Message | None) -> None:
        """Put the message in place of the one that was pressed, or only take its buttons away."""
        place, reference = str(press.chat), str(press.message)
        try:
            if message is None:
                await self.telegram.drop_buttons(place, reference)
            else:
                await self.telegram.edit(place, reference, message)
        except (Refused, Later) as error:
            log.warning("message_not_edited", channel=self.channel, reason=error.reason)

    def _view(self, press: Pressed, person: Person, case: Case, status: str) -> Message:
        """The message as it says now who does what."""
        now, language, debt = self.clock.now(), person.language, case.debt
        words = words_of(self.duties.roster, case, now) | {"region": region_of(debt.number).name(language)}
        name = Name.OVERDUE if debt.due_at < now else Name.MISSED
        written = self.templates.render(name, language, words)
        callback = f"{case.key[0]}/{case.key[1]}"
        buttons = callback_buttons(callback, language, call=self.dialling is not None)
        return Message(
            id=f"pressed-{press.update}",
            to=str(press.chat),
            subject=written.subject,
            text=f"{written.text}\n\n{status}",
            html=f"{written.html}\n<p><b>{escape(status)}</b></p>",
            buttons=() if debt.closed else buttons,
        )

    def _hour(self, at: datetime | None) -> str:
        return (at or self.clock.now()).astimezone(self.duties.roster.hours.zone).strftime("%H:%M")


def _asked(press: Pressed) -> tuple[Action, Key]:
    """What is wanted with which callback; CannotAct for a button that is none of ours."""
    node, slash, call = press.value.partition("/")
    if press.action not in set(Action) or not (node and slash and call):
        raise CannotAct("bot.unknown")
    return Action(press.action), (node, call)


def _last_talk(debt: Callback) -> str | None:
    """The conversation that a machine is said to have had."""
    talks = [each.call for each in debt.attempts if each.talk_s > 0 and not each.voicemail]
    return debt.closed_by_call if debt.closed_by_call in talks else next(reversed(talks), None)
