"""The tables of the settings that calls are judged by: thresholds, working hours, what a queue has of its own."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from pbxmonitor.domain import policy as domain
from pbxmonitor.settings_values import Seconds, Share, Spans, Table, spread_days, whole_hours


class HoursSettings(Table):
    """Working hours by day of the week; a day not named is closed, and no day named at all is always open."""

    mon: Spans = ()
    tue: Spans = ()
    wed: Spans = ()
    thu: Spans = ()
    fri: Spans = ()
    sat: Spans = ()
    sun: Spans = ()
    holidays: frozenset[date] = frozenset()


class QueuePolicySettings(Table):
    """What a queue has of its own."""

    min_ring: Seconds | None = None
    short_abandon: Seconds | None = None
    short_hangup: Seconds | None = None
    dropped_within: Seconds | None = None
    callback_norm: Seconds | None = None
    hours: Annotated[HoursSettings | None, BeforeValidator(spread_days)] = None


class PolicySettings(Table):
    """The thresholds by which calls are judged; durations in seconds or as `10 min`, `7 d`."""

    min_ring: Seconds = domain.Policy().min_ring
    short_abandon: Seconds = domain.Policy().short_abandon
    short_hangup: Seconds = domain.Policy().short_hangup
    dropped_within: Seconds = domain.Policy().dropped_within
    callback_norm: Seconds = domain.Policy().callback_norm
    callback_keep: Seconds = domain.Policy().callback_keep
    min_attempt_ring: Seconds = domain.Policy().min_attempt_ring
    min_reached_talk: Seconds = domain.Policy().min_reached_talk
    max_missed_share: Share = domain.Policy().max_missed_share
    min_offered_for_rating: Annotated[int, Field(ge=0)] = domain.Policy().min_offered_for_rating
    min_in_norm_share: Share = domain.Policy().min_in_norm_share
    service_levels: Annotated[tuple[Seconds, ...], Field(min_length=1)] = domain.Policy().service_levels
    peak_hours: Annotated[Spans, AfterValidator(whole_hours)] = ()
    hours: Annotated[HoursSettings, BeforeValidator(spread_days)] = HoursSettings()
    queues: dict[str, QueuePolicySettings] = Field(default_factory=dict)
