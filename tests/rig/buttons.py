"""The hold button of the phones, pressed over the phones' own ARI when a phone was told "hold:RING:TALK:HOLD:TALK"."""

import asyncio
import contextlib
import json
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.rig.plan import Plan


class Buttons:
    """Use as: async with rig.buttons(): ... While it lasts, phones that want to hold do."""

    def __init__(self, plan: Plan) -> None:
        self._base = f"127.0.0.1:{plan.phones_ari}/ari"
        self._login = ("rig", plan.rig_secret)

    async def __aenter__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._http = await self._stack.enter_async_context(httpx.AsyncClient(auth=self._login, trust_env=False))
        authorization = httpx.BasicAuth(*self._login)._auth_header
        events = connect(
            f"ws://{self._base}/events?app=rig", additional_headers={"Authorization": authorization}, proxy=None
        )
        listening = await self._stack.enter_async_context(events)
        self._task = asyncio.get_running_loop().create_task(self._listen(listening))

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._stack.aclose()

    async def _listen(self, events: ClientConnection) -> None:
        async with asyncio.TaskGroup() as holds:
            async for text in events:
                event = json.loads(text)
                if event["type"] == "StasisStart":
                    holds.create_task(self._hold(event))

    async def _hold(self, event: dict[str, Any]) -> None:
        channel = f"http://{self._base}/channels/{event['channel']['id']}"
        (await self._http.post(f"{channel}/hold")).raise_for_status()
        await asyncio.sleep(float(event["args"][1]))
        (await self._http.delete(f"{channel}/hold")).raise_for_status()
        (await self._http.post(f"{channel}/continue")).raise_for_status()
