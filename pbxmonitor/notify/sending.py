"""What is logged of each try to send: one line, and never the address."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Protocol, TypeVar

import structlog

from pbxmonitor.notify import Later, Message, Receipt, Refused

log = structlog.get_logger()


class _Channel(Protocol):
    @property
    def kind(self) -> str: ...


C = TypeVar("C", bound=_Channel)
Send = Callable[[C, Message], Coroutine[Any, Any, Receipt]]


def logged(send: Send[C]) -> Send[C]:
    """The same `send`, which says in the log how it ended."""

    @wraps(send)
    async def told(channel: C, message: Message) -> Receipt:
        line = log.bind(kind=channel.kind, id=message.id)
        try:
            receipt = await send(channel, message)
        except Refused as error:
            line.warning("send", outcome="refused", reason=error.reason)
            raise
        except Later as error:
            line.warning("send", outcome="later", reason=error.reason, after_s=error.after_s)
            raise
        line.info("send", outcome="delivered")
        return receipt

    return told
