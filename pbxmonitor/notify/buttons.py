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
    VOICEMAIL = "voicemail"


def callback_buttons(callback: str, language: str, *, call: bool = True) -> tuple[Button, ...]:
    """One button for each action, their `value` the callback; `call` only where a phone can be made to ring."""
    return tuple(
        Button(text=tr(f"message.button.{action}", language=language), action=action, value=callback)
        for action in Action
        if action is not Action.VOICEMAIL and (call or action is not Action.CALL)
    )


def reached_buttons(callback: str, language: str) -> tuple[Button, ...]:
    """What somebody may say of a conversation that closed a callback: it was none."""
    action = Action.VOICEMAIL
    return (Button(text=tr(f"message.button.{action}", language=language), action=action, value=callback),)
