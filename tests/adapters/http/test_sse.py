"""Server-sent events are read alike however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.http.bounds import TooLarge
from modelport.adapters.http.sse import START, ServerEvent, end, feed

CASES = [
    (b"data: one\n\n", [(b"one", "")]),
    (b"data: one\r\n\r\ndata: two\r\n\r\n", [(b"one", ""), (b"two", "")]),
    (b"data: one\r\rdata: two\r\r", [(b"one", ""), (b"two", "")]),
    (b"data: a\ndata: b\n\n", [(b"a\nb", "")]),
    (b"data:no space\n\n", [(b"no space", "")]),
    (b"data:  two spaces\n\n", [(b" two spaces", "")]),
    (b": a comment\n\ndata: x\n: another\n\n", [(b"x", "")]),
    (b"event: error\ndata: x\n\ndata: y\n\n", [(b"x", "error"), (b"y", "")]),
    (b"event: lonely\n\ndata: y\n\n", [(b"y", "")]),
    (b"id: 7\nretry: 10\ndata: x\n\n", [(b"x", "")]),
    (b"data\n\n", [(b"", "")]),
    (b"data: \n\n", [(b"", "")]),
    (b"\xef\xbb\xbfdata: x\n\n", [(b"x", "")]),
    (b"\n\n\n", []),
    (b"", []),
    ("data: 안녕 🙂\n\n".encode(), [("안녕 🙂".encode(), "")]),
]


def read(*chunks: bytes) -> list[ServerEvent]:
    state, out = START, []
    for chunk in chunks:
        state, events = feed(state, chunk)
        out += events
    return out


@pytest.mark.parametrize(("stream", "events"), CASES)
def test_a_stream_gives_these_events(stream: bytes, events: list[tuple[bytes, str]]) -> None:
    assert read(stream) == events


@pytest.mark.parametrize(("stream", "events"), CASES)
def test_it_gives_them_byte_by_byte(stream: bytes, events: list[tuple[bytes, str]]) -> None:
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == events


LINES = st.sampled_from(
    [b"data: x", b"data: " + "이🙂".encode(), b"data", b"event: e", b": c", b"", b"", b"data: [1]", b"other: y"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.data())
def test_random_chunkings_give_the_same_events(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(line + ending for line, ending in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*chunks) == read(stream)


def test_an_event_is_given_out_with_its_last_byte() -> None:
    state, events = feed(START, b"data: x\r\n\r")
    assert events == [ServerEvent(b"x")]
    assert feed(state, b"\ndata: y\n\n")[1] == [ServerEvent(b"y")]


def test_an_event_without_its_empty_line_is_given_at_the_end() -> None:
    assert end(feed(START, b"data: [DONE]")[0]) == [ServerEvent(b"[DONE]")]
    assert end(feed(START, b"data: [DONE]\n")[0]) == [ServerEvent(b"[DONE]")]
    assert end(feed(START, b"data: [DONE]\r")[0]) == [ServerEvent(b"[DONE]")]
    assert end(feed(START, b"data: x\n\n")[0]) == []


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    assert ServerEvent(b"a\xffb").text == "a\ufffdb"


def test_a_long_line_costs_the_same_however_it_is_cut() -> None:
    piece, count = b"x" * 10, 50_000
    state, events = feed(START, b"data: ")
    for _ in range(count):
        state, events = feed(state, piece)
    state, events = feed(state, b"\n\n")
    assert len(events[0].data) == len(piece) * count


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"data: ", b"x" * 100),
        (b"", b"data: x\n" * 10),
        (b"", b": nothing to say\n\n"),
        (b"data: x", b"\r" + b"data: y" * 9),
        (b"", b"event: " + b"x" * 90 + b"\n"),
    ],
    ids=["a line", "an event", "comments", "lines", "names"],
)
def test_what_has_no_end_is_not_kept(begin: bytes, piece: bytes) -> None:
    state, _ = feed(START, begin, 1000)
    with pytest.raises(TooLarge, match="^an event of the stream is larger than 1,000 bytes"):
        for _ in range(100):
            state, _ = feed(state, piece, 1000)


def test_each_event_may_be_as_large_as_one_may() -> None:
    event = b"data: " + b"x" * 990 + b"\n\n"
    state = START
    for half in [event[:400], event[400:]] * 5:
        state, _ = feed(state, half, 1000)


def test_many_lines_of_one_event_cost_the_same_however_they_come() -> None:
    state, count = START, 50_000
    for _ in range(count):
        state, _ = feed(state, b"data: x\n")
    assert feed(state, b"\n")[1] == [ServerEvent(b"\n".join([b"x"] * count))]
