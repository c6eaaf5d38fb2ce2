"""What ARI answers, as far as we read it: unknown fields are ignored, absent ones have a default (16 and 22 differ)."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Frozen, tolerant of what a newer Asterisk adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Endpoint(Answer):
    """GET /endpoints: a phone or a trunk; `state` is online, offline, unknown or absent."""

    technology: str
    resource: str
    state: str | None = None
    channel_ids: tuple[str, ...] = ()


class DeviceState(Answer):
    """GET /deviceStates/NAME: UNKNOWN for what Asterisk has never heard of."""

    name: str
    state: str


class Party(Answer):
    """A caller id."""

    name: str = ""
    number: str = ""


class Place(Answer):
    """Where in the dialplan a channel is."""

    context: str = ""
    exten: str = ""
    priority: int = 0
    app_name: str = ""
    app_data: str = ""


class Channel(Answer):
    """GET /channels: one leg; `id` is its Uniqueid, `state` is Down, Ring, Ringing, Up, Busy…"""

    id: str
    name: str
    state: str
    caller: Party = Party()
    connected: Party = Party()
    accountcode: str = ""
    dialplan: Place = Place()
    creationtime: datetime | None = None
    language: str = ""
    protocol_id: str = ""


class Bridge(Answer):
    """GET /bridges: who is talking with whom; `channels` are ids."""

    id: str
    technology: str = ""
    bridge_type: str = ""
    bridge_class: str = ""
    creator: str = ""
    name: str = ""
    channels: tuple[str, ...] = ()
    creationtime: datetime | None = None


class StoredRecording(Answer):
    """GET /recordings/stored: a finished recording in Asterisk's recording folder."""

    name: str
    format: str = ""


class LiveRecording(Answer):
    """A recording being made; `state` is queued, recording, paused, done, failed or canceled; `duration` in seconds."""

    name: str
    format: str = ""
    state: str = ""
    target_uri: str = ""
    duration: int | None = None
    cause: str = ""


class Filter(Answer):
    """One event name that an application gets, or does not."""

    type: str


class Application(Answer):
    """GET /applications: who listens to what."""

    name: str
    channel_ids: tuple[str, ...] = ()
    bridge_ids: tuple[str, ...] = ()
    endpoint_ids: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    events_allowed: tuple[Filter, ...] = ()
    events_disallowed: tuple[Filter, ...] = ()


class System(Answer):
    """Which Asterisk this is."""

    version: str = ""
    entity_id: str = ""


class Status(Answer):
    """Since when it has run, by its own clock."""

    startup_time: datetime | None = None
    last_reload_time: datetime | None = None


class Info(Answer):
    """GET /asterisk/info."""

    system: System = System()
    status: Status = Status()


class Pong(Answer):
    """GET /asterisk/ping; `timestamp` is the PBX clock now."""

    ping: str = ""
    timestamp: datetime | None = None
    asterisk_id: str = ""
