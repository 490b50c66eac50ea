"""An error says at which address it was met, without the secrets that an address may hold."""

from __future__ import annotations

from typing import Final

import attrs

from ...domain.error import ErrorKind, ModelError, Sent
from .arguments import parts_of

_OF_THE_PLACE: Final = frozenset({ErrorKind.CONNECTION, ErrorKind.NOT_FOUND})


def asked_at(error: ModelError, address: str | None) -> ModelError:
    """The error with the address in its message, where the address may be what is wrong.

    A 404 without a word of its own at an address that ends with its host asks whether /v1 is missing.

    >>> str(asked_at(ModelError("connection", "refused"), "http://me:secret@127.0.0.1:8000/v1/?key=secret").message)
    'http://127.0.0.1:8000/v1: refused'
    """
    parts = None if address is None else parts_of(address)
    unheard = error.kind is ErrorKind.TIMEOUT and error.sent is Sent.NO
    if parts is None or not (error.kind in _OF_THE_PLACE or unheard):
        return error
    host = parts.netloc.rpartition("@")[2]
    place = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
    if place in error.message:
        return error
    question = f" (is it {place}/v1?)" if error.status == 404 and error.code is None and parts.path in ("", "/") else ""
    return attrs.evolve(error, message=f"{place}: {error.message}{question}")
