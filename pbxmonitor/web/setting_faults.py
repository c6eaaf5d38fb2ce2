"""What is wrong with a setting, in the reader's language as far as the catalogue goes; else in the file's English."""

import re
from collections.abc import Mapping
from typing import Final

from pbxmonitor.settings_errors import Fault
from pbxmonitor.settings_fixed import FIXED
from pbxmonitor.texts import tr

_TEXTS: Final[Mapping[str, str]] = {
    r"must be seconds, or text such as": "span",
    r"must be a duration from 0 seconds": "span",
    r"must be a share from 0 to 1|clear must be a share": "share",
    r"must be working hours such as|must be times of day from": "hours",
    r"must be spans in order": "order",
    r"must be whole hours": "whole_hours",
    r"must be a time of day": "time",
    r"must be a weekday|on must be a weekday": "weekday",
    r"must be a valid date|must be a date": "date",
    r"must be a whole number|clear must be a whole number": "number",
    r"must be greater than or equal to (?P<least>[\d.]+)": "least",
    r"must be less than or equal to (?P<most>[\d.]+)": "most",
    r"(?P<what>.+) cannot belong to both (?P<one>.+) and (?P<other>.+)": "both",
    r"there is no person (?P<name>[^;]+)": "no_person",
    r"there is no channel (?P<name>[^;]+)": "no_channel",
    r"there is no team (?P<name>[^;]+)": "no_team",
    r"there is no CRM (?P<name>.+) in the settings file": "no_crm",
    r"steps?: step (?P<number>\d+) comes before|step (?P<step>\d+) comes before": "step_order",
    r"(?:steps: )?norm can stand once": "norm_once",
    r"days is for kind": "days",
    r"(?:to: )?(?P<name>\w+) is nobody for a digest": "nobody",
    r"window must be longer": "window",
    r"clear must not be above (?P<most>\S+): ": "clear",
    r"must be .*at least 1 item|is missing|must be .*at least 1 char": "missing",
    r"must be .*at most (?P<most>\d+) char": "long",
    r"such an address is a secret": "secret",
    re.escape(FIXED): "fixed",
    r"unknown key": "unknown",
    r"must be '.+, not '(?P<given>.+)'": "choice",
}
RULES: Final = [(re.compile(rf"(?:\w[\w.-]*: )?(?:{pattern})"), key) for pattern, key in _TEXTS.items()]


def fault_text(fault: Fault, language: str) -> str:
    """The fault in one line; where it is, only if the catalogue has no words for it."""
    for pattern, key in RULES:
        if found := pattern.match(fault.text):
            given = {name: value for name, value in found.groupdict().items() if value is not None}
            if "step" in given:
                given["number"] = given.pop("step")
            return tr(f"web.fault.{key}", language=language, **given)
    return str(fault)
