"""The board of callbacks kept up: read once for all who look, shown to each kind of viewer as his cards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

from pbxmonitor.domain.view import Json
from pbxmonitor.store.types import reading
from pbxmonitor.web.board import Card, Column, board, column_of, is_his
from pbxmonitor.web.channel import Kind, Shape
from pbxmonitor.web.now import View
from pbxmonitor.web.rendering import fragment
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role, Viewer

# So many cards of a column are shown; whoever has more debts than that needs other help.
MOST: Final = 100
# So many are read for all viewers together. Where there are more, those who see some only are read for apart.
READ: Final = 1_000
# What stands for a window's own words in a card that is made once for many; nobody can guess it.
CSRF, ONCE = f"csrf-{token_hex(16)}", f"once-{token_hex(16)}"
_EVERYBODY: Final = Viewer(account="", role=Role.MANAGER)
_LAST: Final = 10**12


class LiveBoard:
    """The cards of the board as the rows last were."""

    def __init__(self, at_once: int = READ) -> None:
        self._at_once = at_once
        self._all: Sequence[Card] = ()
        self._own: Mapping[Kind, Sequence[Card]] = {}

    async def read(self, site: Site, kinds: Iterable[Kind]) -> None:
        """Ask the rows, once, and again for each of the kinds for whom that was not enough."""
        found, cut = await _read(site, sight_of(site, _EVERYBODY), self._at_once)
        some = [kind for kind in kinds if kind.board and not kind.viewer.sees_all()] if cut else []
        own = {kind: (await _read(site, sight_of(site, kind.viewer), MOST))[0] for kind in some}
        self._all, self._own = found, own

    def view(self, site: Site, kind: Kind, now: datetime) -> View:
        """The cards that are his business by column and key, so many of each, as they stand at that moment."""
        sight, day = sight_of(site, kind.viewer), site.policy.hours.day_of(now)
        columns: dict[Column, list[Card]] = {column: [] for column in Column}
        for card in self._own.get(kind, self._all):
            if is_his(sight, card.debt, card.case.progress):
                column = column_of(card.debt, now)
                columns[column].append(card if card.column is column else replace(card, column=column))
        return {
            column.value: {_key(card): _item(card, now, str(day)) for card in sorted(cards, key=_order)[:MOST]}
            for column, cards in columns.items()
        }

    def shape(self, site: Site, kind: Kind, now: datetime) -> Shape:
        """Makes a card's HTML for that kind of viewer."""
        sight = sight_of(site, kind.viewer)
        words = card_words(site, sight, now, CSRF, ONCE)

        def shape(_section: str, item: Json) -> Json:
            html = fragment(site, kind.viewer, "_card.html", card=item["card"], order=item["order"], **words)
            return {"key": item["key"], "order": item["order"], "html": html}

        return shape


async def _read(site: Site, sight: Sight, limit: int) -> tuple[list[Card], bool]:
    """The cards of the board, and whether there are more than so many of a column."""
    now, hours = site.clock.now(), site.policy.hours
    midnight = hours.day_span(hours.day_of(now))[0]
    found = await reading(site.database, lambda c: board(c, sight, now, midnight, limit))
    return [card for cards in found.values() for card in cards], any(len(each) >= limit for each in found.values())


def card_words(site: Site, sight: Sight, now: datetime, csrf: str, once: str, *, heading: str = "h3") -> dict[str, Any]:
    """What the template of a card needs beside the card."""
    return {
        "heading": heading,
        "now": now,
        "called": sight.full_name,
        "sees": sight.sees,
        "masked": sight.text,
        "snooze": site.duties.snooze,
        "can_call": site.dialling is not None and sight.viewer.person is not None,
        "csrf": csrf,
        "once": once,
    }


def cards_of(view: View, csrf: str, once: str) -> dict[str, list[Json]]:
    """The columns as a page has them: the HTML of its cards in their order, the window's own words in place."""
    return {
        column: [
            item | {"html": item["html"].replace(CSRF, csrf).replace(ONCE, once)}
            for item in sorted(items.values(), key=lambda each: str(each["order"]))
        ]
        for column, items in view.items()
    }


def _key(card: Card) -> str:
    return "/".join(card.case.key)


def _order(card: Card) -> str:
    """In time: the one due first; overdue or closed: the last one first."""
    at = (card.debt.closed_at or card.debt.due_at).timestamp()
    later = card.column in (Column.OVERDUE, Column.CLOSED)
    return f"{int(_LAST - at * 100 if later else at * 100):013} {_key(card)}"


def _item(card: Card, now: datetime, day: str) -> dict[str, Any]:
    """`day` and `snoozed` change what is written without the rows: at midnight, and when a snooze is over."""
    snoozed = card.case.progress.snoozed_until
    return {
        "key": _key(card),
        "order": _order(card),
        "card": card,
        "day": day,
        "snoozed": snoozed is not None and snoozed > now,
    }
