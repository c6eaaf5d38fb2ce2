"""What a person reads in the CRM."""

from pbxmonitor.crm import CallbackClosed, CallbackOpened, Outcome
from pbxmonitor.domain.callback import State
from pbxmonitor.texts import tr

# An expired callback was never made: its task stays open and late, as it is.
CLOSING = frozenset({State.REACHED, State.CLIENT_RETURNED, State.DISMISSED})


def task_title(callback: CallbackOpened) -> str:
    """What is to be done, and how often the client was missed when that was more than once."""
    if callback.missed > 1:
        return tr("crm.task.again", number=callback.number, n=callback.missed)
    return tr("crm.task.title", number=callback.number)


def closing(callback: CallbackClosed) -> str:
    """Why there is nothing left to do, and thanks to whom."""
    if callback.state is State.DISMISSED:
        return tr("crm.closed.dismissed")
    if callback.state is State.CLIENT_RETURNED:
        return tr("crm.closed.client_returned", rescuer=_somebody(callback))
    return tr("crm.closed.reached", rescuer=_somebody(callback))


def _somebody(callback: CallbackClosed) -> str:
    return callback.rescuer_name or callback.rescuer or tr("crm.somebody")


def outcome(value: Outcome) -> str:
    """How the call ended."""
    return tr(f"crm.outcome.{value.value}")
