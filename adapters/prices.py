"""What models cost, by their ids: the caller's own table first, then the prices that genai-prices keeps.

genai-prices (pip install 'modelport[prices]') ships its table, and fetches nothing unless it is told to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

from ..domain.price import Price
from ..domain.usage import Usage

Prices = Callable[[str | None, Usage], float | None]
"""Dollars for what a model has read and written; None where the price isn't known."""

EVERY_OTHER = "*"
"""The name under which a table has the price of whatever it doesn't name."""


def as_prices(prices: Mapping[str, Price] | Prices | None, where: str) -> Prices:
    """What people pass as `prices=`. Raises TypeError or ValueError, with the fix, for what tells no price."""
    if callable(prices):
        return prices
    table = dict(prices or {})
    for name, price in table.items():
        if not isinstance(name, str) or not isinstance(price, Price):
            raise TypeError(f"{where}: a mapping from a model's id to its Price, not {name!r}: {price!r}")
    kept = EVERY_OTHER not in table and importlib.util.find_spec("genai_prices") is not None
    if not table and not kept:
        raise ValueError(f"{where}: pass {{'a-model': Price(2.5, 10.0)}}, or pip install 'modelport[prices]'")

    def price_of(model_id: str | None, usage: Usage) -> float | None:
        own = table.get(model_id or EVERY_OTHER) or table.get(EVERY_OTHER)
        if own is not None:
            return own.of(usage)
        return kept_price(model_id, usage) if kept and model_id is not None else None

    return price_of


def kept_price(model_id: str, usage: Usage) -> float | None:
    """The dollars by the table of genai-prices, which must be installed; None for a model that it doesn't know."""
    from genai_prices import Usage as Kept
    from genai_prices import calc_price

    counts = Kept(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(calc_price(counts, model_id).total_price)
    except LookupError:
        return None
