"""Every fault that a setting can have and the catalogue has words for is said in Russian, from a real refusal."""

from typing import Any, Final

import pytest

from pbxmonitor.in_force import DoesNotFit, fits
from pbxmonitor.settings import Settings
from pbxmonitor.settings_errors import Fault
from pbxmonitor.settings_fixed import SITE
from pbxmonitor.settings_overlay import Stored
from pbxmonitor.texts import tr
from pbxmonitor.web import setting_faults
from pbxmonitor.web.setting_faults import fault_text

FILE: Final[dict[str, Any]] = {
    "people": {"anna": {"devices": ["PJSIP/101"]}},
    "notify": {"hook": {"kind": "webhook", "secret": "hook-secret-of-32-letters-and-more"}},
    "policy": {"min_ring": 3},
}
NORM: Final = {"after": "norm", "to": ["owner"]}
WRONG: Final[list[tuple[str, str, Any, str, dict[str, Any]]]] = [
    ("policy", SITE, {"short_abandon": "soon"}, "span", {}),
    ("policy", SITE, {"callback_keep": "99999 d"}, "span", {}),
    ("policy", SITE, {"max_missed_share": "150 %"}, "share", {}),
    ("alerts", "x", {"kind": "missed_share", "clear": "much"}, "share", {}),
    ("hours", SITE, {"mon": "from nine"}, "hours", {}),
    ("hours", SITE, {"mon": "09:00-25:00"}, "hours", {}),
    ("hours", SITE, {"mon": "14:00-20:00, 09:00-13:00"}, "order", {}),
    ("policy", SITE, {"peak_hours": "10:30-12:00"}, "whole_hours", {}),
    ("digests", "1", {"at": "nine"}, "time", {}),
    ("digests", "1", {"kind": "monthly", "on": "mon"}, "weekday", {}),
    ("digests", "1", {"kind": "monthly", "on": 31}, "weekday", {}),
    ("hours", SITE, {"holidays": ["soon"]}, "date", {}),
    ("policy", SITE, {"min_offered_for_rating": "many"}, "number", {}),
    ("alerts", "x", {"kind": "short_hangups", "clear": "few"}, "number", {}),
    ("policy", SITE, {"min_offered_for_rating": -1}, "least", {"least": "0"}),
    ("digests", "1", {"kind": "callbacks", "days": 4}, "most", {"most": "3"}),
    ("people", "boris", {"devices": ["PJSIP/101"]}, "both", {"what": "PJSIP/101", "one": "anna", "other": "boris"}),
    ("teams", "desk", {"reserve": ["zoe"]}, "no_person", {"name": "zoe"}),
    ("messages", SITE, {"channels": ["pigeon"]}, "no_channel", {"name": "pigeon"}),
    ("alerts", "x", {"kind": "offline", "teams": ["moon"]}, "no_team", {"name": "moon"}),
    ("crm_users", "moon", {"anna": 1}, "no_crm", {"name": "moon"}),
    ("steps", SITE, [NORM | {"after": "2 h"}, NORM | {"after": "1 h"}], "step_order", {"number": "2"}),
    ("steps", SITE, [NORM, NORM], "norm_once", {}),
    ("digests", "1", {"kind": "daily", "days": 2}, "days", {}),
    ("digests", "1", {"to": ["owner"]}, "nobody", {"name": "owner"}),
    ("alerts", "x", {"kind": "missed_share", "window": 0}, "window", {}),
    ("alerts", "x", {"kind": "missed_share", "above": 0.1, "clear": 0.2}, "clear", {"most": "0.1"}),
    ("digests", "1", {"to": []}, "missing", {}),
    ("steps", SITE, [{"to": ["owner"]}], "missing", {}),
    ("alerts", "x", {"kind": "offline", "title": "x" * 81}, "long", {"most": "80"}),
    ("people", "anna", {"addresses": {"hook": "https://hook.example/key"}}, "secret", {}),
    ("policy", SITE, {"min_ring": 9}, "fixed", {}),
    ("people", "anna", {"gone_since_then": 1}, "unknown", {}),
    ("people", "boris", {"role": "emperor"}, "choice", {"given": "emperor"}),
]


def fault_of(section: str, key: str, value: Any) -> Fault:
    with pytest.raises(DoesNotFit) as refused:
        fits(Settings(**FILE))([], [Stored(section=section, key=key, value=value)])
    return refused.value.left[0].fault


@pytest.mark.parametrize(("section", "key", "value", "name", "values"), WRONG)
def test_a_fault_is_said_in_the_readers_language(
    section: str, key: str, value: Any, name: str, values: dict[str, Any]
) -> None:
    fault = fault_of(section, key, value)
    for language in ("ru", "en"):
        assert fault_text(fault, language) == tr(f"web.fault.{name}", language=language, **values), fault


def test_no_words_are_kept_for_what_cannot_be() -> None:
    assert {name for _, name in setting_faults.RULES} == {name for *_, name, _ in WRONG}


def test_what_the_catalogue_has_no_words_for_is_said_as_the_file_has_it() -> None:
    fault = fault_of("alerts", "x", {"kind": "offline", "above": 0.2})
    assert fault_text(fault, "ru").startswith("above means nothing to offline")
