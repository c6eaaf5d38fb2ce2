"""How a replay is compared with what a recording is expected to say."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

# Asterisk tells one moment in several events, milliseconds apart; which of them counts is nobody's business.
SAME_MOMENT = 0.05


def differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted(expected.keys() | got.keys()):
            yield from differences(expected.get(key, "absent"), got.get(key, "absent"), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, pair in enumerate(zip(expected, got, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif not same(expected, got):
        yield f"{path}: expected {expected!r}, got {got!r}"


def same(expected: Any, got: Any) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return bool(expected is got)
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return abs(expected - got) <= SAME_MOMENT
    if isinstance(expected, str) and isinstance(got, str) and expected.endswith("Z") and got.endswith("Z"):
        return abs((datetime.fromisoformat(expected) - datetime.fromisoformat(got)).total_seconds()) <= SAME_MOMENT
    return bool(expected == got)


def is_shape(path: Path) -> bool:
    """Whether a recording shows a shape of docs/call-shapes.md: a story told its truth, or it was cut out of a day.

    The importers are not held to those: of most, a log of the PBX tells too little.
    """
    about = json.loads(path.with_name(f"{path.name.split('.')[0]}.json").read_text())
    return "began" not in about or isinstance((about["truth"] or {}).get("calls"), list)
