"""The binary event stream is read as botocore reads it, however its bytes fall, and damage is seen."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise

import pytest
from bedrock_wire import BEGIN, delta, ending, frame, framed, packed, refusal, text_delta
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.bedrock.frames import Corrupt, Frames
from modelport.adapters.http.bounds import TooLarge

WHOLE = BEGIN + text_delta("좋아!") + refusal("throttlingException", "slow down") + b"".join(ending())


def read(*chunks: bytes) -> list[tuple[Mapping[str, str], bytes]]:
    frames = Frames()
    found = [each for chunk in chunks for each in frames.feed(chunk)]
    assert not frames.broken
    return found


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_any_pieces_of_a_stream_give_the_same_frames_as_botocore_reads(cuts: list[int]) -> None:
    theirs = EventStreamBuffer()
    theirs.add_data(WHOLE)
    at = [0, *sorted(cuts), len(WHOLE)]
    ours = read(*(WHOLE[begin:end] for begin, end in pairwise(at)))
    assert ours == [(event.headers, event.payload) for event in theirs]


@given(
    st.dictionaries(st.text("abc:-", min_size=1, max_size=9), st.text(max_size=9), max_size=4), st.binary(max_size=99)
)
def test_any_frame_is_read_as_botocore_reads_it(headers: dict[str, str], payload: bytes) -> None:
    data = packed(headers, payload)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    assert read(data) == [(event.headers, event.payload) for event in theirs] == [(headers, payload)]


def test_headers_of_other_types_are_stepped_over() -> None:
    others = b"\x01a\x00" + b"\x01b\x03\x00\x07" + b"\x01c\x08" + bytes(8) + b"\x01d\x06\x00\x02hi"
    assert read(framed(others + b"\x01e\x07\x00\x01x")) == [({"e": "x"}, b"")]


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_is_never_taken_for_what_was_sent(at: int, by: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= by
    frames, found = Frames(), []
    with pytest.raises(Corrupt):
        for each in frames.feed(bytes(damaged)):
            found.append(each)  # noqa: PERF402 - those before the damage count
    assert found == read(WHOLE)[: len(found)]


SHORT = struct.pack(">II", 15, 0)


@pytest.mark.parametrize(
    "data",
    [b"<html>bad gateway</html>", b'{"message": "no"}', bytes(16), SHORT + struct.pack(">I", zlib.crc32(SHORT))],
)
def test_what_is_no_event_stream_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        list(Frames().feed(data))


def test_a_frame_that_is_too_large_is_refused_as_soon_as_it_says_so() -> None:
    with pytest.raises(TooLarge, match="an event of the stream is larger than 100 bytes"):
        list(Frames(100).feed(text_delta("x" * 100)[:12]))


def test_half_a_frame_is_known_to_be_half() -> None:
    frames = Frames()
    assert list(frames.feed(BEGIN + text_delta("lo")[:20])) == read(BEGIN)
    assert frames.broken


@pytest.mark.parametrize("headers", [b"\x05a", b"\x01a\x63", b"\x01a\x07\x00\x09x", b"\x02\xff\xfe\x07\x00\x00"])
def test_headers_that_cant_be_read_are_corrupt(headers: bytes) -> None:
    with pytest.raises(Corrupt, match="headers"):
        read(framed(headers))


def test_an_event_is_what_the_tests_think_it_is() -> None:
    ((headers, payload),) = read(delta({"text": "hi"}, 2))
    assert headers[":event-type"] == "contentBlockDelta"
    assert json.loads(payload)["contentBlockIndex"] == 2
    assert read(frame("x", b"not json"))[0][1] == b"not json"
