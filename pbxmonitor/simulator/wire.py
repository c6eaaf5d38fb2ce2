"""AMI messages as bytes, and actions out of them."""

import asyncio
from collections.abc import Mapping
from typing import Final

Fields = Mapping[str, str]
ACTION_LIMIT: Final = 64 * 1024


def message(fields: Fields) -> bytes:
    """One AMI message; ValueError where a value would break out of its line."""
    lines = [f"{header}: {value}\r\n" for header, value in fields.items()]
    if any("\r" in line[:-2] or "\n" in line[:-2] for line in lines):
        raise ValueError("a header or a value has a line end in it")
    return "".join(lines).encode() + b"\r\n"


async def next_action(reader: asyncio.StreamReader) -> dict[str, str] | None:
    """The next action's fields, their names in lower case; None at the end, or when it is longer than the limit."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    pairs = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n") if ":" in line)
    return {name.strip().lower(): value.strip().replace("\n", " ").replace("\r", " ") for name, _, value in pairs}
