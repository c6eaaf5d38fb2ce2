"""The tables of the settings about digests: who is told what and when, and what a lost client costs."""

from collections.abc import Iterable
from datetime import time
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pbxmonitor.domain.digest import DigestKind, DigestPlan, Money
from pbxmonitor.settings_values import DAYS, Share, Table

# A digest is nobody's matter in particular, so these mean nobody.
_NOBODY: Final = frozenset({"owner", "reserve", "crm"})
_LAST_DAY: Final = 28
_ON: Final[dict[str, type]] = {"weekly": str, "monthly": int}


def time_of_day(value: object) -> time:
    """A time such as `08:30`."""
    if isinstance(value, time):
        return value
    try:
        hour, minute = str(value).split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise ValueError('must be a time of day such as "08:30"') from None


def telling_day(value: object) -> object:
    """A weekday such as `mon`, or a day that every month has."""
    if value is None or value in DAYS or (isinstance(value, int) and 1 <= value <= _LAST_DAY):
        return value
    raise ValueError('must be a weekday such as "mon", or a day of the month from 1 to 28')


class DigestSettings(Table):
    """A digest: `daily`, `weekly` and `monthly` summaries, or the report of `callbacks` over the last `days`.

    `on` is a weekday (`mon`) of a weekly one, a day (1 to 28) of a monthly one. `to` are roles, `team:KEY`, people.
    """

    kind: Literal["daily", "weekly", "monthly", "callbacks"] = "daily"
    at: Annotated[time, BeforeValidator(time_of_day)] = time(8, 30)
    to: Annotated[tuple[str, ...], Field(min_length=1)] = ("manager", "director")
    on: Annotated[int | str | None, BeforeValidator(telling_day)] = None
    days: Annotated[int, Field(ge=1, le=3)] = 1
    top: Literal[5, 10] = 5
    channels: tuple[str, ...] = ()
    charts: bool = True
    only_working_days: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.days != 1 and self.kind != "callbacks":
            raise ValueError('days is for kind = "callbacks" alone')
        if self.on is not None and not isinstance(self.on, _ON.get(self.kind, type(None))):
            raise ValueError('on must be a weekday such as "mon" if weekly, a day from 1 to 28 if monthly, else absent')
        if nobody := [word for word in self.to if word in _NOBODY]:
            raise ValueError(f"to: {nobody[0]} is nobody for a digest; give supervisor, manager, director or people")
        return self


class MoneySettings(Table):
    """What a call is worth: `call_value` is that of the mean sale, `conversion` the share of calls that end in one."""

    call_value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    conversion: Share = 1.0
    currency: Annotated[str, Field(min_length=1, max_length=10)] = "₽"


def to_digests(tables: Iterable[DigestSettings]) -> tuple[DigestPlan, ...]:
    """The plans, as the daemon follows them."""
    return tuple(
        DigestPlan(
            kind=DigestKind(table.kind),
            at=table.at,
            to=table.to,
            on=_on(table),
            days=table.days,
            top=table.top,
            channels=table.channels,
            charts=table.charts,
            only_working_days=table.only_working_days,
        )
        for table in tables
    )


def _on(table: DigestSettings) -> int:
    match table.on:
        case int():
            return table.on
        case str():
            return DAYS.index(table.on)
    return 1 if table.kind == "monthly" else 0


def to_money(table: MoneySettings | None) -> Money | None:
    """What a lost client is reckoned at; None when nobody has said."""
    return None if table is None else Money(**table.model_dump())
