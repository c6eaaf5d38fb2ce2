"""Streams that no PBX sends at will, made of recordings: what was done to which tape, and what must come out."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Output = dict[str, Any]
Change = Callable[[list[bytes]], list[bytes]]
END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctored:
    """A change of a tape; `expected` makes the truth of the tape's own, where they are not the same."""

    name: str
    tape: str
    change: Change
    expected: Callable[[Output], Output]
    versions: tuple[str, ...]

    @property
    def told(self) -> str:
        """What was done, in words."""
        return (self.change.__doc__ or "").strip()

    def path(self, version: str) -> Path:
        """The tape it is made of."""
        return SCENARIOS / version / f"{self.tape}.ami"

    def stream(self, version: str) -> bytes:
        """The bytes as changed."""
        return END.join(self.change(self.path(version).read_bytes().split(END)))

    def truth(self, version: str) -> Output:
        """What a replay must say."""
        told: Output = json.loads(self.path(version).with_suffix(".expected.json").read_text())
        return self.expected(told)


DOCTORED: dict[str, Doctored] = {}


def doctored(
    *tapes: str, expected: Callable[[Output], Output] = lambda told: told, versions: Sequence[str] = ("22", "16")
) -> Callable[[Change], Change]:
    """Enter a function that changes the messages of those tapes; its docstring is what was done."""

    def enter(change: Change) -> Change:
        for tape in tapes:
            name = getattr(change, "__name__", "") + (f" ({tape})" if len(tapes) > 1 else "")
            made = Doctored(name=name, tape=tape, change=change, expected=expected, versions=tuple(versions))
            DOCTORED[name] = made
        return change

    return enter


def event(message: bytes) -> str:
    """The event's name; empty of a response."""
    return header(message, "Event")


def header(message: bytes, name: str) -> str:
    """The first value of that header; empty when there is none."""
    for line in message.split(b"\r\n"):
        if line.startswith(name.encode() + b": "):
            return line.split(b": ", 1)[1].decode()
    return ""


def dated(message: bytes, seconds: float) -> bytes:
    """The message, its Timestamp so much later."""
    told = header(message, "Timestamp")
    return message.replace(f"Timestamp: {told}".encode(), f"Timestamp: {float(told) + seconds:.6f}".encode())
