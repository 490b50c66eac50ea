"""What the command line does for the embedded default, a model of 135 million parameters that is there to be tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...domain.frozen import FrozenDict

SYSTEM: Final = "You are a helpful assistant. Answer in one short paragraph."
"""What it is told where nobody tells it anything: it repeats itself less."""

OPTIONS: Final[Mapping[str, Any]] = FrozenDict({"frequency_penalty": 0.3, "max_tokens": 200})
"""With these its answers end, most of them by themselves."""

NOTE: Final = "(this is a small demonstration model; for others: --model, modelport models)"
UNNAMED: Final = "(no model was named: --model, MODELPORT_MODEL or the model of modelport.toml names one)"
"""What is said besides of an error of it."""

REPEATS: Final = "(the model began to repeat itself, and was ended)"
