"""Tokens become text as they come, whole characters only, at the same cost each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.local.detokenizer import Detokenizer


def utf8(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


def sentences(ids: list[int]) -> str:
    """Like SentencePiece: words with a space before each, of which the first is stripped."""
    return "".join(f" w{i}" for i in ids).removeprefix(" ")


def fed(decode: object, chunks: list[list[int]]) -> list[str]:
    detokenizer = Detokenizer(decode)  # type: ignore[arg-type]
    return [detokenizer.feed(chunk) for chunk in chunks]


@given(st.text(max_size=80))
def test_bytes_make_the_text_and_never_half_a_character(text: str) -> None:
    pieces = fed(utf8, [[byte] for byte in text.encode()])
    assert "".join(pieces).rstrip("\ufffd") == text.rstrip("\ufffd")
    assert all("\ufffd" not in piece for piece in pieces if "\ufffd" not in text)


@given(st.text(max_size=60), st.data())
def test_however_the_tokens_are_cut(text: str, data: st.DataObject) -> None:
    raw, chunks = text.encode(), []
    while raw:
        size = data.draw(st.integers(1, 7))
        chunks.append(list(raw[:size]))
        raw = raw[size:]
    assert "".join(fed(utf8, chunks)).rstrip("\ufffd") == text.rstrip("\ufffd")


@given(st.lists(st.integers(0, 9), max_size=60))
def test_a_token_that_reads_otherwise_at_the_beginning(ids: list[int]) -> None:
    assert "".join(fed(sentences, [[i] for i in ids])) == sentences(ids)


def test_a_character_is_shown_with_its_last_byte() -> None:
    assert fed(utf8, [[byte] for byte in "가이".encode()]) == ["", "", "가", "", "", "이"]


def test_a_character_that_is_never_finished_is_never_shown() -> None:
    assert "".join(fed(utf8, [[97], [0xEC], [0x9D]])) == "a"


def test_bytes_that_are_no_character_are_marked_once_what_follows_shows_it() -> None:
    assert "".join(fed(utf8, [[97], [0xEC], [98]])) == "a\ufffdb"


@given(st.binary(max_size=100))
def test_any_bytes_at_all_are_taken(raw: bytes) -> None:
    assert "".join(fed(utf8, [[byte] for byte in raw])).replace("\ufffd", "") == utf8(list(raw)).replace("\ufffd", "")


def test_a_token_costs_the_same_however_long_the_answer_is() -> None:
    sizes: list[int] = []

    def decode(ids: list[int]) -> str:
        sizes.append(len(ids))
        return utf8(ids)

    fed(decode, [[byte] for byte in "가나다라 hello ".encode() * 200])
    assert max(sizes) < 40
    korean = ("가나다라" * 300).encode()
    split = [list(korean[:1]), *(list(korean[at : at + 3]) for at in range(1, len(korean), 3))]  # never at a border
    assert "".join(fed(decode, split)) == korean.decode()
    assert max(sizes) < 300
