"""What is leaned on inside OpenVINO, and what a user loses of each where a newer release hasn't it any more.

What its exceptions say is written in C++, where no test reads it: `errors.py` lists the words, its tests cause them.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from ..process.inside import Inside


class _Uncounted(Inside):
    """One that is looked up without OpenVINO's counting its use."""

    def holder(self) -> Any:
        """The module or class that has it."""
        no_statistics()
        return super().holder()


def _of(owner: str, name: str, lost: str) -> Inside:
    return _Uncounted("openvino-genai", owner, name, lost)


STATISTICS: Final = _Uncounted(
    "openvino",
    "openvino.tools.ovc.telemetry_utils",
    "openvino_telemetry",
    "it may write an id and counts of its use into the home folder, and send them",
)
INSIDES: Final[tuple[Inside, ...]] = (
    STATISTICS,
    *(
        _of("openvino_genai:GenerationFinishReason", name, "an answer's finish reason is `other`")
        for name in ("LENGTH", "STOP", "TOOL_CALL")
    ),
    *(_of("openvino_genai:StreamerBase", name, "calls can't be answered") for name in ("end", "write")),
    *(_of("openvino_genai:StreamingStatus", name, "calls can't be answered") for name in ("CANCEL", "RUNNING")),
    *(
        _of("openvino_genai:GenerationConfig", name, "calls with this option are refused")
        for name in ("do_sample", "max_new_tokens", "rng_seed", "structured_output_config")
    ),
)


def no_statistics() -> None:
    """Keeps OpenVINO from counting its use: importing it would write an id into the home folder and may send it."""
    # None is how Python marks a module that must not be imported, which the types of sys.modules don't say.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def check_no_statistics() -> None:
    """Warn where OpenVINO, now that it is imported, doesn't count its use by what was kept from it."""
    ours = "openvino" in sys.modules and sys.modules["openvino_telemetry"] is None
    counter = getattr(sys.modules.get(STATISTICS.owner), "tm", None)
    if ours and getattr(counter, "__name__", "") != "openvino.tools.ovc.telemetry_stub":
        STATISTICS.gone()
