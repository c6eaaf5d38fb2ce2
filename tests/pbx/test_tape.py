"""Tapes keep a link's bytes as they came, and the moments beside them."""

from pathlib import Path

import pytest

from pbxmonitor.pbx.asterisk.frames import Cutter
from pbxmonitor.pbx.asterisk.tape import TapeError, TapeWriter, read_tape, times_path

GREETING = b"Asterisk Call Manager/11.0.0\r\n"


def test_a_tape_gives_back_each_chunk_with_its_moment(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    with TapeWriter(tape) as write:
        write(GREETING, 1795419147.049245)
        write(b"Event: Hang", 1795419148.5)
    assert list(read_tape(tape)) == [(GREETING, 1795419147.049245), (b"Event: Hang", 1795419148.5)]


def test_the_bytes_of_a_tape_are_those_of_the_socket_and_nothing_else(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    with TapeWriter(tape) as write:
        write(GREETING, 1.0)
        write("Анна".encode()[:3], 2.0)
    assert tape.read_bytes() == GREETING + "Анна".encode()[:3]
    assert times_path(tape).read_text() == "0 1.000000\n30 2.000000\n"


def test_what_was_written_is_on_the_disk_before_the_tape_is_closed(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    with TapeWriter(tape) as write:
        write(GREETING, 1.0)
        assert list(read_tape(tape)) == [(GREETING, 1.0)]


def test_a_tape_goes_on_where_it_ended(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    for moment in (1.0, 2.0):
        with TapeWriter(tape) as write:
            write(GREETING, moment)
    assert list(read_tape(tape)) == [(GREETING, 1.0), (GREETING, 2.0)]


def test_what_was_there_before_the_times_has_no_moment(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(b"Event: Hangup\r\n\r\n")
    with TapeWriter(tape) as write:
        write(GREETING, 2.0)
    assert list(read_tape(tape)) == [(b"Event: Hangup\r\n\r\n", None), (GREETING, 2.0)]


def test_a_tape_without_times_has_no_moments_and_loses_no_byte(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(b"Event: Hangup\r\nCause: 16\r\n\r\n" * 10_000)
    chunks = list(read_tape(tape))
    assert {moment for _, moment in chunks} == {None}
    assert b"".join(chunk for chunk, _ in chunks) == tape.read_bytes()


@pytest.mark.parametrize("before", range(65_480, 65_560))
def test_a_second_connection_begins_a_chunk_wherever_it_lies(tmp_path: Path, before: int) -> None:
    tape = tmp_path / "office.ami"
    hello = GREETING + b"Response: Success\r\n\r\n"
    tape.write_bytes(hello + b"a" * (before - len(hello)) + hello + b"b" * 70_000)
    chunks = [chunk for chunk, _ in read_tape(tape)]
    assert b"".join(chunks) == tape.read_bytes()
    assert sum(chunk.startswith(GREETING) for chunk in chunks) == 2


def test_an_empty_tape_has_no_chunks(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.touch()
    assert list(read_tape(tape)) == []


def test_two_connections_on_one_tape_are_read_through_one_cutter(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    response = b"Response: Success\r\n\r\n"
    tape.write_bytes((GREETING + response + b"Event: Hangup\r\nCau") * 2)
    cutter = Cutter()
    assert [raw for chunk, _ in read_tape(tape) for raw in cutter.feed(chunk)] == [b"Response: Success"] * 2


def test_a_line_of_times_cut_by_a_crash_is_forgotten(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(GREETING * 2)
    times_path(tape).write_text("0 1.000000\n30 17")
    assert list(read_tape(tape)) == [(GREETING * 2, 1.0)]


def test_times_that_go_on_after_the_tape_are_forgotten(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(GREETING)
    times_path(tape).write_text("0 1.000000\n90 2.000000\n120 3.000000\n")
    assert list(read_tape(tape)) == [(GREETING, 1.0)]


@pytest.mark.parametrize("line", ["zero 1.0", "12", "0 1.0 2.0"])
def test_times_that_are_no_times_are_one_clear_error(tmp_path: Path, line: str) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(GREETING)
    times_path(tape).write_text(f"0 1.0\n{line}\n")
    with pytest.raises(TapeError, match=r"office\.ami\.times:2: expected 'offset epoch_seconds', got"):
        list(read_tape(tape))


def test_times_that_go_back_in_the_tape_are_one_clear_error(tmp_path: Path) -> None:
    tape = tmp_path / "office.ami"
    tape.write_bytes(GREETING * 2)
    times_path(tape).write_text("30 1.0\n0 2.0\n")
    with pytest.raises(TapeError, match="the offsets do not grow"):
        list(read_tape(tape))


def test_a_missing_tape_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"cannot read the tape .*: No such file"):
        list(read_tape(tmp_path / "none.ami"))


def test_a_tape_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"cannot write the tape .*: No such file .*; give a file in a writable folder"):
        TapeWriter(tmp_path / "none" / "office.ami")
