"""What is leaned on inside aiohttp. It is read without aiohttp."""

from __future__ import annotations

import functools
from typing import Final

from ..process.inside import Argument, Inside

_LOST: Final = "no call can be made"
_ARGUMENTS: Final = {
    "aiohttp.connector:BaseConnector.connect": ("req", "traces", "timeout"),
    "aiohttp.client_proto:ResponseHandler.set_response_params": (
        "read_until_eof",
        "auto_decompress",
        "read_timeout",
        "max_line_size",
        "max_field_size",
    ),
}
_NAMES: Final = {
    "aiohttp.connector:Connection": ("protocol", "transport", "close", "release"),
    "aiohttp.client_proto:ResponseHandler": ("read", "start_timeout", "force_close", "should_close", "writing_paused"),
}
INSIDES: Final[tuple[Inside, ...]] = (
    *(Argument("aiohttp", owner, name, _LOST) for owner, names in _ARGUMENTS.items() for name in names),
    *(Inside("aiohttp", owner, name, _LOST) for owner, names in _NAMES.items() for name in names),
)


@functools.cache
def check() -> None:
    """Raise `Gone` where this release of aiohttp would no longer carry what it is given."""
    for inside in INSIDES:
        inside.check()
