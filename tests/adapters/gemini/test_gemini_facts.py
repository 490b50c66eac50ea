"""What is known of Google's models beforehand: what they can, and what they cost."""

from __future__ import annotations

import pytest

from modelport import Capabilities, Usage
from modelport.adapters import GeminiModel
from modelport.adapters.prices import as_prices


def test_what_is_assumed() -> None:
    every = Capabilities(
        tools=True, images=True, audio=True, documents=True, json_object=True, json_schema=True, max_stops=5
    )
    assert GeminiModel("of-mine").capabilities == every
    assert GeminiModel("of-mine", base_model="gemini-2.5-pro").capabilities.context_window == 1_048_576
    assert GeminiModel("gemini-2.5-pro", capabilities=every).capabilities == every


@pytest.mark.parametrize(
    "model_id", ["gemini-3-pro-preview", "gemini-3-flash-preview", "gemini-2.5-pro", "gemini-2.5-flash"]
)
def test_the_price_of_each_main_model_is_known(model_id: str) -> None:
    """Thoughts are paid as the answer is, and what comes from the cache less than what doesn't."""
    pytest.importorskip("genai_prices", reason="genai-prices isn't installed here: pip install 'modelport[prices]'")
    price_of = as_prices(None, "here")
    read, cached, written = (
        price_of(model_id, usage)
        for usage in (
            Usage(10_000, 1),
            Usage(10_000, 1, cached_tokens=10_000),
            Usage(1, 10_000, reasoning_tokens=9_999),
        )
    )
    assert read is not None
    assert cached is not None
    assert written is not None
    assert cached < read < written
