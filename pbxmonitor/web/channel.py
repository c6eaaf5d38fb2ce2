"""What all viewers of one kind are told, as server-sent events: made once, whoever and how many they are."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Final

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.web.board import COLUMNS
from pbxmonitor.web.now import SECTIONS, View, changed
from pbxmonitor.web.viewer import Role, Viewer

# A viewer who was away for longer than so many patches is shown everything anew.
KEPT: Final = 256
Shape = Callable[[str, Json], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Viewers to whom the very same is shown; `said` in words for a page, else bare values.

    `board`: the board of callbacks in place of what is going on.
    """

    viewer: Viewer
    said: bool
    board: bool = False

    @property
    def sections(self) -> tuple[str, ...]:
        """What its view is made of."""
        return COLUMNS if self.board else SECTIONS


def kind_of(viewer: Viewer, *, said: bool, masked: bool = False, board: bool = False) -> Kind:
    """What kind of viewer that is: everybody who sees all, in one language, is one.

    On the board it matters who he is: what he may do with a client depends on who has taken him.
    """
    alike = replace(
        viewer,
        account="",
        csrf="",
        language=viewer.language if said else "en",
        whole_numbers=viewer.whole_numbers and not masked,
    )
    if viewer.sees_all():
        alike = replace(alike, role=Role.MANAGER, person=viewer.person if board else None, teams=frozenset())
    return Kind(viewer=alike, said=said, board=board)


class Channel:
    """The view of one kind as last shown, and the patches that led to it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.view: View = {section: {} for section in kind.sections}
        self.version = 0
        self.beats = 0
        self.watchers = 0
        self.moved = asyncio.Event()
        self._token = token_hex(4)
        self._at: datetime | None = None
        self._patches: deque[bytes] = deque(maxlen=KEPT)
        self._whole = b""
        self._shaped: Mapping[str, Mapping[str, tuple[Json, Json]]] = {section: {} for section in kind.sections}

    @property
    def id(self) -> str:
        """The event id of the view as it is."""
        return f"{self._token}-{self.version}"

    def show(self, view: View, shape: Shape, now: datetime) -> None:
        """Make that view the current one and wake the watchers, if it is another."""
        self._shaped = {section: self._reshaped(section, items, shape) for section, items in view.items()}
        shown = {section: {key: item for key, (_, item) in pairs.items()} for section, pairs in self._shaped.items()}
        self._at, patch = now, changed(self.view, shown)
        if not patch and self.version:
            return
        self.view, self.version, self._whole = shown, self.version + 1, b""
        self._patches.append(event("patch", {"at": stamp(now), "patch": patch}, self.id))
        self.wake()

    def _reshaped(self, section: str, items: Mapping[str, Json], shape: Shape) -> dict[str, tuple[Json, Json]]:
        known, found = self._shaped[section], dict[str, tuple[Json, Json]]()
        for key, item in items.items():
            pair = known.get(key)
            same = pair is not None and (pair[0] is item or pair[0] == item)
            found[key] = pair if pair is not None and same else (item, shape(section, item))
        return found

    def wake(self) -> None:
        """Let the watchers look."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    def beat(self) -> None:
        """Say that we are alive."""
        self.beats += 1
        self.wake()

    def version_of(self, event_id: str | None) -> int | None:
        """The version that the event id names, if it is one of ours."""
        token, _, number = (event_id or "").partition("-")
        known = token == self._token and number.isdecimal() and int(number) <= self.version
        return int(number) if known else None

    def since(self, version: int | None) -> bytes:
        """What a watcher who has seen that version has not; everything when he has seen none, or too long ago."""
        missing = self.version if version is None else self.version - version
        if version is None or missing > len(self._patches):
            return self.whole()
        return b"".join(list(self._patches)[len(self._patches) - missing :])

    def whole(self) -> bytes:
        """The event that shows everything."""
        if not self._whole:
            self._whole = event("view", {"at": stamp(self._at), "view": self.view}, self.id)
        return self._whole


def event(name: str, data: Json, event_id: str | None = None) -> bytes:
    """One server-sent event."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{f'id: {event_id}{chr(10)}' if event_id else ''}event: {name}\ndata: {text}\n\n".encode()
