"""Recorded tapes as the simulator plays them: what the PBX's lists said at first, and then its events with times."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from pbxmonitor.pbx.asterisk.frames import EVERYTHING, FOLLOWED, Cutter, Frame, parse
from pbxmonitor.pbx.asterisk.tape import TapeError, read_tape, times_path

LIST_ITEMS: Final = frozenset(
    {"QueueParams", "QueueMember", "QueueEntry", "DeviceStateChange", "PresenceStateChange"}
    | {"CoreShowChannel", "ContactList"}
)
# What the simulator says by itself, at every login.
OWN: Final = frozenset({"FullyBooted", "SuccessfulAuth"})
MESSAGE_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One tape: items of its list answers, and its events in wire order as (epoch seconds, message)."""

    name: str
    lists: tuple[bytes, ...]
    events: tuple[tuple[float, bytes], ...]

    @property
    def began(self) -> float:
        """When its first event was told, epoch seconds."""
        return self.events[0][0]

    @property
    def seconds(self) -> float:
        """How long it lasts at its own speed."""
        return max(at for at, _ in self.events) - self.began


def bundled() -> tuple[Recording, ...]:
    """The recordings that come with the program, in the order in which the demo plays them."""
    folder = Path(str(files("pbxmonitor.simulator"))) / "tapes"
    return tuple(recording(path) for path in sorted(folder.glob("*.ami")))


def recording(path: Path) -> Recording:
    """The tape at that path; TapeError if there is no event in it, or no time at all."""
    lists: list[bytes] = []
    events: list[tuple[float, bytes]] = []
    last: float | None = None
    for frame, raw in _messages(path):
        last = frame.timestamp or frame.received_at or last
        if is_item(frame):
            lists.append(raw)
        elif _is_event(frame):
            if last is None:
                raise TapeError(f"{path.name}: has neither Timestamp headers nor {times_path(path).name} beside it")
            events.append((last, raw))
    if not events:
        raise TapeError(f"{path.name}: holds no events")
    return Recording(name=path.stem, lists=tuple(lists), events=tuple(events))


def is_item(frame: Frame) -> bool:
    """Whether it is an item of a list answer that the simulator answers with."""
    return frame.event in LIST_ITEMS and bool(frame["ActionID"])


def _is_event(frame: Frame) -> bool:
    return bool(frame.event) and frame.event not in OWN and not frame["ActionID"] and not frame["EventList"]


def _messages(path: Path) -> Iterator[tuple[Frame, bytes]]:
    cutter = Cutter()
    for data, received_at in read_tape(path):
        for raw in cutter.feed(data):
            # a tape without receipt times has none to give: Frame tells so by 0
            frame = parse(raw, received_at or 0.0, EVERYTHING)
            if frame is not None:
                yield frame, raw


def strip(tape: Path, into: Path) -> None:
    """Write the tape again without what nobody follows: how the bundled ones were made small."""
    into.write_bytes(b"".join(_kept(_messages(tape))))


def strip_timestamps(tape: Path, into: Path) -> None:
    """The same, as if made without `timestampevents`: no Timestamp headers, the times noted as those of receipt."""
    last = recording(tape).began
    data, marks = b"", ""
    for frame, raw in _messages(tape):
        last = frame.timestamp or last
        lines = [line for line in raw.split(b"\r\n") if not line.startswith(b"Timestamp: ")]
        for kept in _kept([(frame, b"\r\n".join(lines))]):
            marks += f"{len(data)} {last:.6f}\n"
            data += kept
    into.write_bytes(data)
    times_path(into).write_text(marks)


def _kept(messages: Iterable[tuple[Frame, bytes]]) -> Iterator[bytes]:
    for frame, raw in messages:
        ends_list = bool(frame["EventList"]) and frame.event.removesuffix("Complete") in _LISTS
        followed = _is_event(frame) and parse(raw, 0.0, FOLLOWED) is not None
        if followed or ends_list or (is_item(frame) and frame.event != "ContactList"):
            yield raw + MESSAGE_END


_LISTS: Final = frozenset({"QueueStatus", "DeviceStateList", "PresenceStateList", "CoreShowChannels"})
