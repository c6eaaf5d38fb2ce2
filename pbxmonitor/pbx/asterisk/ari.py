"""ARI as typed operations with ari-py's names in snake case: `ari.channels.originate(…)`, `ari.bridges.add_channel(…)`.

Every operation raises AriRefused, AriNotFound, AriDown or AriError, each with one clear line; see developer pages
"Asterisk REST Interface" for the resources. Measured on Asterisk 16.28 and 22.10.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType

from pbxmonitor.pbx.asterisk.ari_models import (
    Application,
    Bridge,
    Channel,
    DeviceState,
    Endpoint,
    Info,
    LiveRecording,
    Pong,
    StoredRecording,
)
from pbxmonitor.pbx.asterisk.ari_presence import (
    AriEvent,
    AriLost,
    AriUp,
    EndpointSeen,
    EndpointState,
    endpoint_online,
    endpoint_seen,
)
from pbxmonitor.pbx.asterisk.ari_rest import AriDown, AriError, AriLogin, AriNotFound, AriRefused, Rest, segment

__all__ = [
    "Application",
    "Ari",
    "AriDown",
    "AriError",
    "AriEvent",
    "AriLogin",
    "AriLost",
    "AriNotFound",
    "AriRefused",
    "AriUp",
    "Bridge",
    "Channel",
    "DeviceState",
    "Endpoint",
    "EndpointSeen",
    "EndpointState",
    "Info",
    "LiveRecording",
    "Pong",
    "StoredRecording",
    "endpoint_seen",
]


class Endpoints:
    """/endpoints: phones and trunks."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> tuple[Endpoint, ...]:
        """Every endpoint of every technology."""
        return await self._rest.ask(tuple[Endpoint, ...], "/endpoints")

    async def get(self, tech: str, resource: str) -> Endpoint:
        """One endpoint: get("PJSIP", "101")."""
        return await self._rest.ask(Endpoint, f"/endpoints/{segment(tech)}/{segment(resource)}")


class DeviceStates:
    """/deviceStates. The list holds only `Stasis:` devices; any other (`Custom:DND101`) is asked for by name."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> tuple[DeviceState, ...]:
        """The devices that ARI applications made."""
        return await self._rest.ask(tuple[DeviceState, ...], "/deviceStates")

    async def get(self, name: str) -> DeviceState:
        """The state of `PJSIP/101`, `Custom:DND101`…; UNKNOWN or INVALID when there is no such device."""
        return await self._rest.ask(DeviceState, f"/deviceStates/{segment(name)}")


class Channels:
    """/channels: legs."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> tuple[Channel, ...]:
        """Every channel open now."""
        return await self._rest.ask(tuple[Channel, ...], "/channels")

    async def get(self, channel_id: str) -> Channel:
        """One channel by its Uniqueid."""
        return await self._rest.ask(Channel, f"/channels/{segment(channel_id)}")

    async def originate(
        self,
        endpoint: str,
        *,
        app: str | None = None,
        app_args: str | None = None,
        context: str | None = None,
        extension: str | None = None,
        priority: int | None = None,
        caller_id: str | None = None,
        timeout: int = 30,  # noqa: ASYNC109  (the phone's ring, not our patience)
        channel_id: str | None = None,
        originator: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Channel:
        """Ring an endpoint for `timeout` seconds and put it into our app, or into the extension of that context.

        The answer comes before anybody has picked up. Give a `channel_id`: asking twice then says 409, not two rings.
        """
        return await self._rest.ask(
            Channel,
            "/channels",
            "POST",
            {"variables": dict(variables or {})},
            endpoint=endpoint,
            app=app or (None if extension else self._rest.login.app),
            appArgs=app_args,
            context=context,
            extension=extension,
            priority=priority,
            callerId=caller_id,
            timeout=timeout,
            channelId=channel_id,
            originator=originator,
        )

    async def hangup(self, channel_id: str, reason: str = "normal") -> None:
        """End it: normal, busy, congestion, no_answer, timeout, rejected, unallocated, answered_elsewhere…"""
        await self._rest.send("DELETE", f"/channels/{segment(channel_id)}", reason=reason)

    async def snoop_channel(
        self,
        channel_id: str,
        *,
        spy: str = "both",
        whisper: str = "none",
        app: str | None = None,
        app_args: str | None = None,
        snoop_id: str | None = None,
    ) -> Channel:
        """A channel in our app that hears that one: spy and whisper are none, in, out or both."""
        return await self._rest.ask(
            Channel,
            f"/channels/{segment(channel_id)}/snoop",
            "POST",
            spy=spy,
            whisper=whisper,
            app=app or self._rest.login.app,
            appArgs=app_args,
            snoopId=snoop_id,
        )

    async def record(
        self,
        channel_id: str,
        name: str,
        *,
        format: str = "wav",  # noqa: A002  (ARI's own word)
        max_duration: int = 0,
        if_exists: str = "fail",
        beep: bool = False,
    ) -> LiveRecording:
        """Record a channel in our app for at most `max_duration` seconds (0: until stopped) under that name.

        if_exists: fail, overwrite or append. Asterisk answers 500 when its recording folder is missing or read-only.
        """
        return await self._rest.ask(
            LiveRecording,
            f"/channels/{segment(channel_id)}/record",
            "POST",
            name=name,
            format=format,
            maxDurationSeconds=max_duration,
            ifExists=if_exists,
            beep=beep,
        )


class Bridges:
    """/bridges: who is joined with whom."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> tuple[Bridge, ...]:
        """Every bridge open now, Asterisk's own included."""
        return await self._rest.ask(tuple[Bridge, ...], "/bridges")

    async def get(self, bridge_id: str) -> Bridge:
        """One bridge."""
        return await self._rest.ask(Bridge, f"/bridges/{segment(bridge_id)}")

    async def create(self, *, bridge_id: str | None = None, name: str | None = None, type: str = "mixing") -> Bridge:  # noqa: A002
        """A new bridge of ours; with an id that exists, that one."""
        return await self._rest.ask(Bridge, "/bridges", "POST", bridgeId=bridge_id, name=name, type=type)

    async def add_channel(self, bridge_id: str, *channel_ids: str) -> None:
        """Join channels that are in our app (422 when one is not, 400 when there is none)."""
        await self._rest.send("POST", f"/bridges/{segment(bridge_id)}/addChannel", channel=",".join(channel_ids))

    async def remove_channel(self, bridge_id: str, *channel_ids: str) -> None:
        """Take channels out (422 when one is not in it)."""
        await self._rest.send("POST", f"/bridges/{segment(bridge_id)}/removeChannel", channel=",".join(channel_ids))

    async def destroy(self, bridge_id: str) -> None:
        """Dissolve it; the channels stay in our app."""
        await self._rest.send("DELETE", f"/bridges/{segment(bridge_id)}")


class Recordings:
    """/recordings."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list_stored(self) -> tuple[StoredRecording, ...]:
        """The finished ones; Asterisk answers 500 until its recording folder exists."""
        return await self._rest.ask(tuple[StoredRecording, ...], "/recordings/stored")

    async def get_stored(self, name: str) -> StoredRecording:
        """One finished recording."""
        return await self._rest.ask(StoredRecording, f"/recordings/stored/{segment(name)}")

    async def get_stored_file(self, name: str) -> AsyncGenerator[bytes, None]:
        """Its sound, piece by piece, never whole in memory; take it within `contextlib.aclosing`."""
        async with aclosing(self._rest.pieces(f"/recordings/stored/{segment(name)}/file")) as pieces:
            async for piece in pieces:
                yield piece

    async def delete_stored(self, name: str) -> None:
        """Remove it from the PBX."""
        await self._rest.send("DELETE", f"/recordings/stored/{segment(name)}")

    async def stop(self, name: str) -> None:
        """End a recording being made and keep it."""
        await self._rest.send("POST", f"/recordings/live/{segment(name)}/stop")


class Applications:
    """/applications: what the event stream of an application carries."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> tuple[Application, ...]:
        """Every application."""
        return await self._rest.ask(tuple[Application, ...], "/applications")

    async def get(self, app: str) -> Application:
        """One application; it exists once its stream has been opened."""
        return await self._rest.ask(Application, f"/applications/{segment(app)}")

    async def subscribe(self, app: str, sources: Iterable[str]) -> Application:
        """Hear `endpoint:PJSIP/101`, `deviceState:Custom:DND101`, `channel:ID`, `bridge:ID` (422: no such source)."""
        return await self._subscription("POST", app, sources)

    async def unsubscribe(self, app: str, sources: Iterable[str]) -> Application:
        """Hear them no more (422 when it was not subscribed)."""
        return await self._subscription("DELETE", app, sources)

    async def filter(self, app: str, allowed: Iterable[str]) -> Application:
        """Be sent these events only, by name (16.4 and later); an empty list means all again."""
        body = {"allowed": [{"type": name} for name in sorted(allowed)]}
        return await self._rest.ask(Application, f"/applications/{segment(app)}/eventFilter", "PUT", body)

    async def _subscription(self, method: str, app: str, sources: Iterable[str]) -> Application:
        path = f"/applications/{segment(app)}/subscription"
        return await self._rest.ask(Application, path, method, eventSource=",".join(sources))


class Asterisk:
    """/asterisk: the PBX itself."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def info(self) -> Info:
        """Version and start time."""
        return await self._rest.ask(Info, "/asterisk/info")

    async def ping(self) -> Pong:
        """Is it there, and what does its clock say."""
        return await self._rest.ask(Pong, "/asterisk/ping")


class Ari:
    """One Asterisk's REST interface; `async with`, or `aclose` at the end."""

    def __init__(self, login: AriLogin) -> None:
        self.login = login
        self._rest = Rest(login)
        self.endpoints = Endpoints(self._rest)
        self.device_states = DeviceStates(self._rest)
        self.channels = Channels(self._rest)
        self.bridges = Bridges(self._rest)
        self.recordings = Recordings(self._rest)
        self.applications = Applications(self._rest)
        self.asterisk = Asterisk(self._rest)

    async def ping(self) -> Pong:
        """Is it there, and what does its clock say."""
        return await self.asterisk.ping()

    async def presence(self) -> tuple[EndpointState, ...]:
        """Every endpoint and whether it is online (GET /endpoints)."""
        return tuple(
            EndpointState(endpoint=f"{one.technology}/{one.resource}", online=endpoint_online(one.state))
            for one in await self.endpoints.list()
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._rest.aclose()

    async def __aenter__(self) -> "Ari":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
