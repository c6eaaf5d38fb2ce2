"""The persistent map under the floor."""

import pytest

from pbxmonitor.domain.table import Table


def test_an_empty_table_holds_nothing() -> None:
    table: Table[int] = Table()
    assert (len(table), list(table), table.get("a"), "a" in table) == (0, [], None, False)
    with pytest.raises(KeyError):
        table["a"]


def test_what_is_put_is_there_and_none_takes_it_out() -> None:
    table = Table[int]().put({"a": 1, "b": 2}).put({"a": None, "c": 3, "absent": None})
    assert dict(table) == {"b": 2, "c": 3}


def test_the_table_before_stays_as_it_was() -> None:
    before = Table[int]().put({str(n): n for n in range(1000)})
    after = before.put({"5": None, "7": 70, "1000": 1000})
    assert dict(before) == {str(n): n for n in range(1000)}
    assert (len(after), after["7"], "5" in after) == (1000, 70, False)


def test_putting_nothing_is_the_same_table() -> None:
    table = Table[int]().put({"a": 1})
    assert table.put({}) is table


def test_tables_with_the_same_entries_are_equal() -> None:
    assert Table[int]().put({"a": 1}).put({"b": 2}) == Table[int]().put({"b": 2, "a": 1})
    assert Table[int]().put({"a": 1}) != Table[int]().put({"a": 2})


def test_a_change_copies_only_the_buckets_it_touches() -> None:
    before = Table[int]().put({str(n): n for n in range(5000)})
    after = before.put({"7": 70})
    shared = sum(one is other for one, other in zip(before._buckets, after._buckets, strict=True))
    assert shared == len(before._buckets) - 1
