"""How much is read of an answer, whoever sends it: what is larger is an error rather than the end of the memory."""

from __future__ import annotations

from typing import Final

import attrs

from ...domain.checks import Number
from .http_errors import Malformed

_SIZE: Final = Number("must be a number of bytes, at least 1", least=1)


class TooLarge(Malformed):
    """More came than is read."""

    def __init__(self, what: str, size: int, name: str) -> None:
        super().__init__(f"{what} is larger than {size:,} bytes; HttpTransport(bounds=Bounds({name}=...)) reads more")


def _check(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    _SIZE.check(value, f"Bounds: {attribute.name}")


@attrs.frozen(kw_only=True)
class Bounds:
    """How many bytes are read at most, after unpacking: of one header, of one event of a stream, of a whole answer.

    A streamed answer is bounded as a whole one is. Of a refusal, `refusal` bytes are read and the rest is left.
    Raises ValueError for what is no number of bytes.
    """

    header: int = attrs.field(default=16 * 1024, validator=_check)
    event: int = attrs.field(default=16 * 1024 * 1024, validator=_check)
    answer: int = attrs.field(default=64 * 1024 * 1024, validator=_check)
    refusal: int = attrs.field(default=256 * 1024, validator=_check)


BOUNDS: Final = Bounds()
"""What holds where nobody says otherwise."""
