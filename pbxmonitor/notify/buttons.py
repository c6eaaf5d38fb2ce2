"""The buttons under a message about a client who must be called back."""

from enum import StrEnum

from pbxmonitor.notify import Button
from pbxmonitor.texts import tr


class Action(StrEnum):
    """What somebody wants with a callback."""

    TAKE = "take"
    CALL = "call"
    MOBILE = "mobile"
    SNOOZE = "snooze"
    WRONG_NUMBER = "wrong_number"


def callback_buttons(callback: str, language: str, *, call: bool = True) -> tuple[Button, ...]:
    """One button for each action, their `value` the callback; `call` only where a phone can be made to ring."""
    return tuple(
        Button(text=tr(f"message.button.{action}", language=language), action=action, value=callback)
        for action in Action
        if call or action is not Action.CALL
    )
