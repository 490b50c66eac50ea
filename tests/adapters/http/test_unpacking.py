"""A packed body is unpacked however its bytes are cut, in pieces of bounded size."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.http.unpacking import PIECE, Unpacker, unpacker

WORDS = b"The quick brown fox jumps over the lazy dog. " * 40


def bare(data: bytes) -> bytes:
    """Deflate without zlib's frame, as some servers send it."""
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(data) + packing.flush()


PACKED = {"gzip": gzip.compress(WORDS), "deflate": zlib.compress(WORDS), "deflate, bare": bare(WORDS)}


@pytest.mark.parametrize("how", PACKED)
@given(data=st.data())
def test_it_gives_the_same_however_it_is_cut(how: str, data: st.DataObject) -> None:
    packed = PACKED[how]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(packed)))))
    unpack = Unpacker(how == "gzip")
    pieces = [unpack.feed(packed[a:b]) for a, b in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    assert b"".join(b"".join(piece) for piece in pieces) == WORDS
    unpack.end()


def test_no_piece_is_large() -> None:
    sizes = [len(piece) for piece in Unpacker(True).feed(gzip.compress(bytes(1_000_000)))]
    assert (max(sizes), sum(sizes)) == (PIECE, 1_000_000)


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_what_is_not_packed_needs_nothing(encoding: str | None) -> None:
    assert unpacker(encoding) is None


def test_an_empty_body_is_whole_whatever_it_says() -> None:
    Unpacker(True).end()
