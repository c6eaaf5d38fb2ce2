"""Calls of an import as the stable JSON shows them: judged and settled one after the other, as the daemon does."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, colour_of, settle
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json, call_view, callback_view

POLICY = Policy()


def judged(calls: Iterable[Call]) -> Json:
    """The calls in the order they began, and the callbacks; calls are settled in the order given."""
    told = tuple(calls)
    debts = _debts(told)
    views = [_view(call, debts) for call in sorted(told, key=lambda call: (call.started_at, call.key))]
    return dict(json.loads(json.dumps({"calls": views, "callbacks": [callback_view(debt) for debt in debts]})))


def _debts(calls: Iterable[Call]) -> list[Callback]:
    debts: list[Callback] = []
    for call in calls:
        if call.ended_at is None:
            continue
        for changed in settle(debts, call, judge(call, POLICY, call.ended_at), POLICY):
            same = [
                n
                for n, debt in enumerate(debts)
                if (debt.number, debt.opened_at) == (changed.number, changed.opened_at)
            ]
            debts = [changed if n in same else debt for n, debt in enumerate(debts)] + ([] if same else [changed])
    return debts


def _view(call: Call, debts: list[Callback]) -> Json:
    now = call.ended_at or call.started_at
    verdict = judge(call, POLICY, now)
    debt = next((debt for debt in debts if call.key in debt.missed_calls), None)
    return call_view(call, verdict, colour_of(call, verdict, debt), now)


def differences(expected: Any, got: Any, seconds: float, path: str = "") -> Iterator[str]:
    """Where the two differ, times and lengths by more than so many seconds."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted(expected.keys() | got.keys()):
            yield from differences(expected.get(key, "absent"), got.get(key, "absent"), seconds, f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, pair in enumerate(zip(expected, got, strict=True)):
            yield from differences(*pair, seconds, f"{path}[{number}]")
    elif not same(expected, got, seconds):
        yield f"{path}: expected {expected!r}, got {got!r}"


def same(expected: Any, got: Any, seconds: float) -> bool:
    """Whether two values are the same; of times and lengths, nearly."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return bool(expected is got)
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return abs(expected - got) <= seconds
    if is_time(expected) and is_time(got):
        return abs((at(expected) - at(got)).total_seconds()) <= seconds
    return bool(expected == got)


def is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
