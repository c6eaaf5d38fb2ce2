"""Bytes to frames: no name is cut, nothing is lost, nothing that is not followed is decoded."""

import tracemalloc
from pathlib import Path

import pytest

from pbxmonitor.pbx.asterisk.frames import EVERYTHING, FOLLOWED, Cutter, Follows, Frame, FrameTooLong, parse

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.ami"))

JOIN = "\r\n".join(
    [
        "Event: QueueCallerJoin",
        "Timestamp: 1795419147.049245",
        "Channel: PJSIP/trunk-0000003d",
        "CallerIDName: Анна Иванова",
        "Queue: sales\r\n\r\n",
    ]
).encode()


def frames(*chunks: bytes, follows: Follows = FOLLOWED) -> list[Frame]:
    cutter = Cutter()
    cut = [raw for chunk in chunks for raw in cutter.feed(chunk)]
    return [frame for raw in cut if (frame := parse(raw, 1.0, follows)) is not None]


def test_a_name_cut_in_the_middle_of_a_character_arrives_whole() -> None:
    for at in range(len(JOIN) + 1):
        (frame,) = frames(JOIN[:at], JOIN[at:])
        assert frame["CallerIDName"] == "Анна Иванова"
        assert frame["Queue"] == "sales"


def test_a_stream_that_comes_byte_by_byte_is_the_same_stream() -> None:
    stream = JOIN + b"\r\n" + JOIN.replace(b"\r\n\r\n", b"\r\n\n") + JOIN
    assert frames(*(stream[at : at + 1] for at in range(len(stream)))) == frames(stream) == frames(JOIN) * 3


@pytest.mark.parametrize("end", [b"\r\n\n", b"\n\n", b"\n\r\n", b"\r\n\r\n\r\n", b"\r\n\r\n\r\n\r\n"])
def test_a_message_may_end_carelessly(end: bytes) -> None:
    loose = JOIN.removesuffix(b"\r\n\r\n") + end
    assert frames(loose * 3) == frames(JOIN) * 3


def test_lines_that_end_in_a_bare_lf_are_headers_too() -> None:
    assert frames(JOIN.replace(b"\r\n", b"\n")) == frames(JOIN)


def test_two_messages_glued_together_are_two_frames() -> None:
    hangup = b"Event: Hangup\r\nChannel: PJSIP/101-1\r\nCause: 17\r\n\r\n"
    assert [frame.event for frame in frames(JOIN + hangup)] == ["QueueCallerJoin", "Hangup"]


def test_a_torn_message_waits_for_its_other_half() -> None:
    cutter = Cutter()
    assert cutter.feed(JOIN[:60]) == []
    assert cutter.feed(JOIN[60:]) == [JOIN.removesuffix(b"\r\n\r\n")]


def test_the_greeting_glued_in_front_is_not_part_of_the_message() -> None:
    cutter = Cutter()
    response = b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
    assert cutter.feed(b"Asterisk Call Manager/11.0.0\r\n" + response) == [response.strip()]
    assert cutter.greeting == "11.0.0"


def test_a_message_torn_by_a_new_connection_is_dropped_and_the_next_is_whole() -> None:
    again = b"Asterisk Call Manager/5.0.4\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n"
    found = frames(JOIN + JOIN[:50] + again + JOIN)
    assert [frame.event for frame in found] == ["QueueCallerJoin", "", "QueueCallerJoin"]
    assert found[1].headers == {"Response": "Success", "Message": "Authentication accepted"}


def test_a_caller_who_calls_himself_a_greeting_is_only_a_caller() -> None:
    (frame,) = frames(JOIN.replace("Анна Иванова".encode(), b"Asterisk Call Manager/11.0.0"))
    assert frame["CallerIDName"] == "Asterisk Call Manager/11.0.0"
    assert frame["Channel"] == "PJSIP/trunk-0000003d"


def test_a_repeated_header_keeps_all_its_values_in_order() -> None:
    (frame,) = frames(
        b"Event: Newchannel\r\nChannel: SIP/1-1\r\nChanVariable: FROM_DID=\r\n"
        b"ChanVariable: URI=sip:42@10.10.10.1\r\n\r\n"
    )
    assert frame["ChanVariable"] == "FROM_DID="
    assert frame.repeated == {"ChanVariable": ("FROM_DID=", "URI=sip:42@10.10.10.1")}
    assert frame.values("ChanVariable") == ("FROM_DID=", "URI=sip:42@10.10.10.1")
    assert frame.values("Channel") == ("SIP/1-1",)
    assert frame.values("Absent") == ()


def test_the_output_of_a_command_is_kept_line_by_line() -> None:
    (frame,) = frames(
        b"Response: Success\r\nActionID: 7\r\nMessage: Command output follows\r\n"
        b"Output: \r\nOutput:   queue: sales\r\n\r\n"
    )
    assert (frame.event, frame["ActionID"], frame.values("Output")) == ("", "7", ("", "  queue: sales"))


def test_one_line_of_output_is_a_list_of_lines_too() -> None:
    (frame,) = frames(b"Response: Success\r\nOutput: Asterisk 22.10.1\r\n\r\n")
    assert frame.repeated == {"Output": ("Asterisk 22.10.1",)}


@pytest.mark.parametrize("size", [1, 7, 1448])
def test_the_old_form_of_a_command_may_hold_empty_lines(size: int) -> None:
    old = (
        b"Response: Follows\r\nPrivilege: Command\r\nActionID: 7\r\n"
        b"sales: 0 calls\n\nMembers: 2\n--END COMMAND--\r\n\r\n" + JOIN
    )
    command, join = frames(*(old[at : at + size] for at in range(0, len(old), size)))
    assert command["ActionID"] == "7"
    assert command.values("Output") == ("sales: 0 calls", "", "Members: 2")
    assert join["Queue"] == "sales"


def test_a_windows_1251_name_survives_as_text() -> None:
    (frame,) = frames(JOIN.decode().encode("cp1251"))
    assert frame["CallerIDName"] == "Анна Иванова"


def test_a_windows_1251_name_does_not_spoil_its_neighbours() -> None:
    assert [frame["CallerIDName"] for frame in frames(JOIN + JOIN.decode().encode("cp1251") + JOIN)] == [
        "Анна Иванова"
    ] * 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_name_that_asterisk_cut_within_a_letter_spoils_neither_itself_nor_the_queues(size: int) -> None:
    cut = "Зоя 😀".encode()[: 7 + size]
    (frame,) = frames(b"Event: QueueCallerJoin\r\nCallerIDName: " + cut + "\r\nQueue: продажи\r\n\r\n".encode())
    assert (frame["CallerIDName"], frame["Queue"]) == ("Зоя ", "продажи")


def test_a_value_may_hold_colons_and_be_empty() -> None:
    (frame,) = frames(b"Event: Hangup\r\nCause-txt: sip: 486: Busy\r\nAccountCode: \r\n\r\n")
    assert (frame["Cause-txt"], frame["AccountCode"]) == ("sip: 486: Busy", "")


def test_a_header_without_a_space_and_a_line_without_a_colon_do_no_harm() -> None:
    (frame,) = frames(b"Event: Hangup\r\nLinkedid:1.2\r\nnoise\r\nCause: 16\r\n\r\n")
    assert frame.headers == {"Event": "Hangup", "Linkedid": "1.2", "Cause": "16"}


def test_an_absent_header_reads_as_empty() -> None:
    (frame,) = frames(JOIN)
    assert frame["Uniqueid"] == ""


def test_the_timestamp_keeps_its_microseconds() -> None:
    (frame,) = frames(JOIN)
    assert frame.timestamp == 1795419147.049245
    assert frame.received_at == 1.0
    (bare,) = frames(JOIN.replace(b"Timestamp: 1795419147.049245\r\n", b""))
    assert bare.timestamp is None


def test_an_event_whose_name_is_not_its_first_line_is_still_found() -> None:
    (frame,) = frames(b"Privilege: call,all\r\nEvent: Hangup\r\nCause: 16\r\n\r\n")
    assert (frame.event, frame["Cause"]) == ("Hangup", "16")


def test_what_is_not_followed_is_not_decoded() -> None:
    assert parse(b"Event: RTCPSent\r\nChannel: \xff\xfe", 1.0) is None
    assert frames(b"Event: CEL\r\nEventName: CHAN_START\r\n\r\n" + JOIN + b"Event: TestEvent\r\n\r\n") == frames(JOIN)
    assert parse(b"a line of noise", 1.0) is None


@pytest.mark.parametrize(
    ("application", "followed"),
    [
        ("Dial", True),
        ("BackGround", True),
        ("Background", True),
        ("VoiceMail", True),
        ("AppDial", False),
        ("Set", False),
    ],
)
def test_only_the_applications_that_tell_something_are_followed(application: str, followed: bool) -> None:
    raw = f"Event: Newexten\r\nChannel: SIP/Application: Dial\r\nApplication: {application}\r\nAppData: x".encode()
    assert (parse(raw, 1.0) is not None) is followed


@pytest.mark.parametrize(
    ("variable", "followed"),
    [("DIALSTATUS", True), ("QUEUESTATUS", True), ("PBXMONITOR_LINE", True), ("DIALEDTIME", False), ("dial", False)],
)
def test_only_the_variables_that_tell_something_are_followed(variable: str, followed: bool) -> None:
    raw = f"Event: VarSet\r\nChannel: SIP/1-1\r\nVariable: {variable}\r\nValue: x".encode()
    assert (parse(raw, 1.0) is not None) is followed


def test_everything_can_be_followed_when_asked() -> None:
    (frame,) = frames(b"Event: CEL\r\nEventName: CHAN_START\r\n\r\n", follows=EVERYTHING)
    assert (frame.event, frame["EventName"]) == ("CEL", "CHAN_START")


def test_two_events_of_one_name_are_told_apart_by_their_action_id() -> None:
    state = b"Event: DeviceStateChange\r\nDevice: PJSIP/101\r\nState: NOT_INUSE\r\n"
    told, listed = frames(state + b"\r\n" + state + b"ActionID: pbxmonitor-3\r\n\r\n")
    assert (told["ActionID"], listed["ActionID"]) == ("", "pbxmonitor-3")


def feed(cutter: Cutter, chunk: bytes, times: int) -> None:
    for _ in range(times):
        cutter.feed(chunk)


def test_a_line_of_a_megabyte_is_refused_and_not_kept() -> None:
    cutter = Cutter()
    chunk = b"a" * 1448
    tracemalloc.start()
    with pytest.raises(FrameTooLong, match="a line longer than 262144 bytes was refused"):
        feed(cutter, chunk, 724)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024
    assert kept < 16 * 1024
    assert cutter.feed(JOIN) == [JOIN.strip()]


def test_a_line_of_half_a_megabyte_in_one_chunk_is_refused_too() -> None:
    with pytest.raises(FrameTooLong, match="a line longer") as refused:
        Cutter().feed(JOIN + b"Event: Hangup\r\nChannel: " + b"a" * 512 * 1024 + b"\r\n\r\n" + JOIN)
    assert refused.value.messages == [JOIN.strip()]


def test_a_message_without_an_end_is_refused() -> None:
    cutter = Cutter()
    with pytest.raises(FrameTooLong, match="a message longer than 1048576 bytes was refused"):
        feed(cutter, b"Output: " + b"a" * 1000 + b"\r\n", 2000)


def test_a_long_answer_under_the_limit_arrives() -> None:
    line = b"Output: " + b"a" * 1000 + b"\r\n"
    (frame,) = frames(b"Response: Success\r\n", *([line] * 900), b"\r\n")
    assert frame.values("Output") == ("a" * 1000,) * 900


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recording_reads_the_same_however_it_is_cut(path: Path) -> None:
    tape = path.read_bytes()
    whole = frames(tape, follows=EVERYTHING)
    assert whole == frames(*(tape[at : at + 1448] for at in range(0, len(tape), 1448)), follows=EVERYTHING)
    assert sum(1 for frame in whole if frame.event) == tape.count(b"\r\nEvent: ")


def test_there_are_recordings_of_both_versions() -> None:
    assert {path.parent.name for path in SCENARIOS} >= {"16", "22"}
