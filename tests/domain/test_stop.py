"""Where a text ends."""

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain import stop
from modelport.domain.stop import Scanner, as_stops, cut

# A small alphabet, so that stops overlap, begin, end and hold one another; one character outside of the first plane.
alphabet = "ab이\U0001f600"
many_stops = st.lists(st.text(alphabet, min_size=1, max_size=5), max_size=5).map(as_stops)
many_texts = st.text(alphabet, max_size=30)


def naive(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """The rule itself: the earliest match, the longest among equals."""
    for at in range(len(text)):
        found = [stop for stop in stops if text.startswith(stop, at)]
        if found:
            return text[:at], max(found, key=len)
    return text, None


def scanned(pieces: list[str], stops: tuple[str, ...]) -> tuple[str, str | None]:
    scanner, shown = Scanner.of(stops), ""
    for piece in pieces:
        scanner, safe = scanner.feed(piece)
        shown += safe
    held, found = scanner.close()
    return shown + held, found


@st.composite
def chunked(draw: Callable[..., Any]) -> list[str]:
    text = draw(many_texts)
    borders = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *borders], [*borders, len(text)], strict=True)]


@given(many_texts, many_stops)
def test_cut_is_the_rule(text: str, stops: tuple[str, ...]) -> None:
    """`cut` gives what the rule says."""
    assert cut(text, stops) == naive(text, stops)


@given(chunked(), many_stops)
def test_any_chunking_gives_one_text(pieces: list[str], stops: tuple[str, ...]) -> None:
    """However the pieces fall, the text and the stop are those of the whole."""
    assert scanned(pieces, stops) == naive("".join(pieces), stops)


@given(chunked(), many_stops)
def test_no_more_is_held_than_may_become_a_stop(pieces: list[str], stops: tuple[str, ...]) -> None:
    """What is held is the longest ending of the text that begins a stop, and all before it is shown."""
    scanner, shown, fed = Scanner.of(stops), "", ""
    for piece in pieces:
        scanner, safe = scanner.feed(piece)
        shown, fed = shown + safe, fed + piece
        if scanner.stop is not None:
            break
        assert shown + scanner.held == fed
        assert len(scanner.held) == scanner.holds
        assert not scanner.held or any(stop.startswith(scanner.held) for stop in stops)
        longest = max(
            (n for n in range(len(fed) + 1) if any(s.startswith(fed[len(fed) - n :]) for s in (*stops, ""))), default=0
        )
        assert scanner.holds <= longest


@given(chunked(), many_stops)
def test_a_scanner_survives_pickle_and_copy(pieces: list[str], stops: tuple[str, ...]) -> None:
    """A copied or unpickled scanner goes on as the original does."""
    scanner, shown = Scanner.of(stops), ""
    for piece in pieces:
        assert copy.deepcopy(scanner) == scanner
        scanner, safe = pickle.loads(pickle.dumps(scanner)).feed(piece)
        shown += safe
    held, found = scanner.close()
    assert (shown + held, found) == naive("".join(pieces), stops)


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("안녕하세요, 저는 이름이 있어요", ("이",), ("안녕하세요, 저는 ", "이")),
        ("abcd", ("bc", "abcd"), ("", "abcd")),
        ("abcx", ("bc", "abcd"), ("a", "bc")),
        ("abc", ("bc", "abcd"), ("a", "bc")),
        ("aab", ("ab",), ("a", "ab")),
        ("a]b^c-d\\e", ("]b",), ("a", "]b")),
        ("x\n\ny", ("\n", "\n\n"), ("x", "\n\n")),
        ("e\u0301", ("\u0301",), ("e", "\u0301")),
        ("none", (), ("none", None)),
    ],
)
def test_examples(text: str, stops: tuple[str, ...], expected: tuple[str, str | None]) -> None:
    """The earliest match wins, and the longest of those that begin there."""
    assert cut(text, stops) == expected
    assert scanned(list(text), stops) == expected


def test_nothing_follows_a_stop() -> None:
    """A scanner that has stopped shows nothing more."""
    scanner, shown = Scanner.of(("b",)).feed("abc")
    assert (shown, scanner.stop) == ("a", "b")
    again, nothing = scanner.feed("more")
    assert (again, nothing, again.close()) == (scanner, "", ("", "b"))


def steps(pieces: list[str], stops: tuple[str, ...]) -> int:
    """How many lines of stop.py run, which is what scanning costs, whatever the machine."""
    Scanner.of(stops)  # the automaton is made once
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != stop.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        scanned(pieces, stops)
    finally:
        sys.settrace(before)
    return count


def test_the_cost_is_linear_however_the_pieces_fall() -> None:
    """A near miss of a thousand characters costs per character what it costs in one piece, within a constant."""
    near_miss, stops = "a" * 999 + "c", ("a" * 999 + "b",)
    once, twice = near_miss * 2, near_miss * 4
    whole = steps([once], stops)
    assert steps([twice], stops) < 2.1 * whole
    assert steps(list(twice), stops) < 2.1 * steps(list(once), stops)
    assert steps(list(once), stops) < 5 * whole


def test_a_piece_copies_only_what_it_shows() -> None:
    """Held text is not copied again with every piece: the state is a node of the automaton, and no text."""
    scanner, shown = Scanner.of(("a" * 1000 + "b",)).feed("a" * 1000)
    assert (shown, scanner.holds) == ("", 1000)
    scanner, shown = scanner.feed("a")
    assert (shown, scanner.holds) == ("a", 1000)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [(None, ()), ("x", ("x",)), (["b", "a", "b"], ("b", "a")), (iter(["a"]), ("a",)), ((), ())],
)
def test_as_stops(given_: Any, expected: tuple[str, ...]) -> None:
    """Stops are a string or several, each kept once and in order."""
    assert as_stops(given_) == expected


@pytest.mark.parametrize(
    ("given_", "error", "words"),
    [
        ([""], ValueError, r"stop_sequences\[0\]: an empty stop"),
        (["a", 3], TypeError, r"stop_sequences\[1\]: 3 is not a string"),
        (7, TypeError, "stop_sequences: a string or several, not 7"),
        (["a", "\ud800"], ValueError, r"stop_sequences\[1\].*half a character"),
    ],
)
def test_bad_stops(given_: Any, error: type[Exception], words: str) -> None:
    """A stop that can't be one is an error that names its place."""
    with pytest.raises(error, match=words):
        as_stops(given_)
