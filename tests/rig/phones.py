"""What the phones themselves saw: each stretch that one was on the line, from the second Asterisk's own CEL."""

import csv
import re
from collections.abc import Iterable
from typing import Any

_CALLING = re.compile(r"PJSIP/phone(\d+)-")
Stretch = dict[str, Any]


def stretches(lines: Iterable[str]) -> list[Stretch]:
    """Every answered call of a phone: who, from its own answer (or the other side's) to its end, epoch seconds."""
    lived: dict[str, Stretch] = {}
    for kind, at, channel, exten, uniqueid in csv.reader(lines):
        calling = _CALLING.match(channel)
        if kind == "CHAN_START" and (calling or exten.lstrip("+").isdigit()):
            lived[uniqueid] = {"phone": calling[1] if calling else exten, "calls": bool(calling)}
        elif kind == "ANSWER" and uniqueid in lived:
            lived[uniqueid].setdefault("answered_at", float(at))
        elif kind == "CHAN_END" and uniqueid in lived:
            lived[uniqueid]["ended_at"] = float(at)
    return [each for each in lived.values() if "answered_at" in each and "ended_at" in each]
