"""Each layer by the name that a configuration has for it, which is that of the function that makes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .. import layers
from ..stack.compose import Layer

NAMES: Final = tuple(name for name in dir(layers) if name.startswith("with_"))
"""They are `with_budget`, `with_cache` and so on."""


def maker(name: str) -> Callable[..., Layer]:
    """What makes the layer of this name."""
    make: Callable[..., Layer] = getattr(layers, name)
    return make


def name_of(policy: object) -> str | None:
    """The name of the layer whose policy this is: `with_rate_limit` for `RateLimit`; None for one of your own."""
    name = "with" + re.sub("(?=[A-Z])", "_", type(policy).__name__).lower()
    return name if name in NAMES and maker(name).__module__ == type(policy).__module__ else None
