"""What the exceptions of MLX and mlx-lm mean beside what those of every runtime do.

MLX's own are RuntimeErrors and ValueErrors, told apart by what they say.
"""

from __future__ import annotations

from typing import Final

from ..local.errors import NOT_FOUND, UNSUPPORTED, Errors
from .sdk import OTHER_PARAMETERS

ERRORS: Final = Errors(
    "mlx",
    "'modelport[mlx]' (on Linux also 'mlx[cpu]')",
    frozenset({"mlx", "mlx_lm", "llguidance", "numpy", "transformers"}),
    by_words=(
        ("loading", "[read] unable to read", NOT_FOUND),
        ("loading", "safetensor", NOT_FOUND),  # there are no weights, or no whole ones
        ("loading", OTHER_PARAMETERS, UNSUPPORTED),
        ("loading", "can be converted", UNSUPPORTED),
        ("loading", "not supported", UNSUPPORTED),
        ("loading", " parameters: ", NOT_FOUND),  # "Missing 9 parameters: ..."
        ("loading", "expected shape", NOT_FOUND),  # the weights of another model
    ),
)
translate: Final = ERRORS.translate
