"""A recording without the other departments: of the lists that begin it, only what is about department 1.

python -m tests.rig.slim TAPE.ami... before it is kept in tests/scenarios.
"""

import re
import sys
from pathlib import Path

# What a list tells of queues sales2 or 240, of phones 201 or 211 and their flags, and of queues and mailboxes.
_OTHERS = re.compile(
    rb"\n(?:Queue: (?:[a-z]+[2-6]|[2-6][0-9]{2})|Device: (?:Queue:|MWI:)|"
    rb"(?:Device|Presentity): (?:PJSIP/|Custom:[A-Z]+|CustomPresence:)[2-6][01][0-9])"
)
_LISTED = (b"QueueParams", b"QueueMember", b"DeviceStateChange", b"PresenceStateChange")


def slim(tape: bytes) -> bytes:
    """The same bytes without those answers; everything else as it came."""
    return b"\r\n\r\n".join(message for message in tape.split(b"\r\n\r\n") if not _left_out(message))


def _left_out(message: bytes) -> bool:
    event, _, _ = message.removeprefix(b"Event: ").partition(b"\r\n")
    return event in _LISTED and b"\nActionID: " in message and _OTHERS.search(message) is not None


def slim_file(path: Path) -> None:
    """The recording in that file, slimmed in its place."""
    path.write_bytes(slim(path.read_bytes()))


if __name__ == "__main__":
    for each in sys.argv[1:]:
        slim_file(Path(each))
