"""The forms of calls in answers: the stable one of docs/replay.md, with where it was and what its miss led to."""

from pydantic import BaseModel, Field

from pbxmonitor.domain.call import Direction, EndedBy, OfferResult, StageKind, StageResult
from pbxmonitor.domain.callback import AttemptResult, Colour, State
from pbxmonitor.domain.judge import Cause, Disposition, Verdict

_HIDDEN = "null where it is not the viewer's to see"


class StageForm(BaseModel):
    """A stop of the journey."""

    kind: StageKind
    name: str
    entered_at: str
    left_at: str | None
    result: StageResult | None


class OfferForm(BaseModel):
    """One ringing of one agent."""

    agent: str | None = Field(description=_HIDDEN)
    queue: str | None
    began_at: str
    ended_at: str | None
    ring_s: float | None
    result: OfferResult | None


class TalkForm(BaseModel):
    """One agent's conversation, or that of a phone outside."""

    agent: str | None = Field(description=_HIDDEN)
    began_at: str
    ended_at: str | None
    talk_s: float | None
    ended_by: EndedBy | None


class TransferForm(BaseModel):
    """Who gave the call to whom."""

    kind: str
    sent_by: str | None = Field(alias="from")
    to: str | None
    at: str


class AttemptForm(BaseModel):
    """One try to reach the client."""

    agent: str | None = Field(description=_HIDDEN)
    call: str
    rang_s: float
    talk_s: float
    result: AttemptResult


class AttemptAt(AttemptForm):
    """The same with its moment."""

    at: str


class MissForm(BaseModel):
    """The callback that a call's miss belongs to."""

    state: State
    owner: str | None
    due_at: str
    closed_by_call: str | None
    rescuer: str | None
    attempts: list[AttemptAt]


class CallForm(BaseModel):
    """One call; seconds, moments in ISO 8601 UTC, numbers E.164 or masked."""

    node: str
    call: str
    direction: Direction
    caller: str | None
    called: str
    queue: str | None = Field(description="the first one entered")
    started_at: str
    answered_at: str | None
    ended_at: str | None
    disposition: Disposition
    lost: bool
    cause: Cause | None
    colour: Colour | None
    wait_s: float
    talk_s: float
    answered_by: str | None
    ended_by: EndedBy | None
    short_hangup: bool
    stages: list[StageForm]
    offers: list[OfferForm]
    talks: list[TalkForm]
    verdicts: dict[str, Verdict]
    transfers: list[TransferForm]
    callback: MissForm | None


class Calls(BaseModel):
    """A page of calls; `next` is the cursor of the following one, null on the last."""

    calls: list[CallForm]
    next: str | None


class StepForm(BaseModel):
    """What happened at a moment, in words."""

    at: str
    text: str


class CallStory(CallForm):
    """One call with its journey and its reasons in the language of the account."""

    journey: list[StepForm]
    colour_because: str
    why: list[str]
