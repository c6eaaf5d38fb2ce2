"""Click to call: the employee's phone rings, and when he answers the dialplan dials the client for him."""

import re
from typing import Final, Protocol

import phonenumbers
import structlog

from pbxmonitor.masking import masked_text
from pbxmonitor.pbx.asterisk.ari import Ari, AriDown, AriError
from pbxmonitor.settings_people import DialSettings

log = structlog.get_logger()

_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_PHONE: Final = re.compile(r"(PJSIP|SIP|IAX2|SCCP|DAHDI)/[A-Za-z0-9_.-]{1,60}")
# Those who answer are paid for it: what toll fraud lives on.
_COSTLY: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
        phonenumbers.PhoneNumberType.PAGER,
        phonenumbers.PhoneNumberType.UAN,
    }
)
_LONGEST_NAME: Final = 60


class CannotDial(Exception):  # noqa: N818
    """The call was not begun; one line that says why, without whole numbers.

    `perhaps`: nobody knows, because the PBX did not answer.
    """

    def __init__(self, reason: str, *, perhaps: bool = False) -> None:
        self.reason = masked_text(" ".join(reason.split()))
        self.perhaps = perhaps
        super().__init__(self.reason)


class NotCallable(CannotDial):
    """It is no ordinary number of a person."""


class PhoneAway(CannotDial):
    """The employee's phone is not there, or not registered."""


class Dialer(Protocol):
    """What makes calls on one PBX."""

    async def dial(self, endpoint: str, number_e164: str, *, call_id: str, caller_name: str) -> None:
        """Ring the employee's phone, then the client, in a call whose key is `call_id`; CannotDial."""


class AsteriskDialer:
    """Calls through ARI's originate; `region` is where the PBX stands: numbers of other countries need `abroad`."""

    def __init__(self, ari: Ari, dial: DialSettings, region: str, *, abroad: bool = False) -> None:
        self._ari = ari
        self._dial = dial
        self._region = region
        self._abroad = abroad

    async def dial(self, endpoint: str, number_e164: str, *, call_id: str, caller_name: str) -> None:
        """Ring the phone for `ring` seconds and then the client by the dialplan; returns before anybody answers.

        The phone shows the client as who is connected, and the dialplan sees the employee's own caller id, as if he had
        dialled himself: an originate with `callerId` would show the client's own number to the client.
        """
        if _PHONE.fullmatch(endpoint) is None:
            raise PhoneAway(f"{endpoint!r} is not a phone such as PJSIP/101: set the person's devices or dial.phones")
        extension = self.extension(number_e164)
        shown = {"CONNECTEDLINE(num,i)": number_e164, "CONNECTEDLINE(name,i)": _plain(caller_name) or number_e164}
        try:
            await self._ari.channels.originate(
                endpoint,
                context=self._dial.context,
                extension=extension,
                priority=1,
                timeout=round(self._dial.ring.total_seconds()),
                channel_id=call_id,
                variables=shown,
            )
        except AriError as error:
            raise _refusal(endpoint, error) from None
        log.info("call_originated", call=call_id, endpoint=endpoint, number=number_e164)

    def extension(self, number_e164: str) -> str:
        """What the dialplan is asked to dial; NotCallable for what is no ordinary number."""
        number = self._checked(number_e164)
        if self._dial.format == "e164":
            dialled = number_e164
        elif self._dial.format == "digits":
            dialled = number_e164.removeprefix("+")
        else:
            # From Germany to Russia 00 7…, from Russia 8~10 49…: the library knows.
            spoken = phonenumbers.format_out_of_country_calling_number(number, self._region)
            dialled = "".join(sign for sign in spoken if sign.isascii() and sign.isdigit())
        return self._dial.prefix + dialled

    def _checked(self, number_e164: str) -> phonenumbers.PhoneNumber:
        if _E164.fullmatch(number_e164) is None:
            raise NotCallable("only a full number with its country is called: + and 7 to 15 digits")
        number = _parsed(number_e164)
        if number is None or not phonenumbers.is_valid_number(number):
            raise NotCallable("there is no such number in any country's plan")
        if phonenumbers.number_type(number) in _COSTLY:
            raise NotCallable("numbers that cost extra are not called")
        if not self._abroad and number.country_code != phonenumbers.country_code_for_region(self._region):
            raise NotCallable("numbers of other countries are not called from here")
        return number


def _refusal(endpoint: str, error: AriError) -> CannotDial:
    # 16 and 22 say only this of a phone that is unknown or not registered.
    if "Allocation failed" in error.message:
        return PhoneAway(f"Asterisk cannot ring {endpoint}: is there such a phone, and is it registered?")
    return CannotDial(error.message, perhaps=isinstance(error, AriDown))


def _parsed(number_e164: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number_e164)
    except phonenumbers.NumberParseException:
        return None


def _plain(name: str) -> str:
    """The name as a SIP header takes it."""
    return "".join(sign for sign in name if sign.isprintable() and sign not in '"\\<>')[:_LONGEST_NAME].strip()
