"""What models cost, by their ids: the caller's own table first, then the prices that genai-prices keeps.

genai-prices (pip install 'modelport[prices]') ships its table, and fetches nothing unless it is told to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping

from ..domain.price import Price
from ..domain.usage import Usage

Prices = Callable[[str | None, Usage], float | None]
"""Dollars for what a model has read and written; None where the price isn't known."""

EVERY_OTHER = "*"
"""The name under which a table has the price of whatever it doesn't name."""


def as_prices(prices: Mapping[str, Price] | Prices | None, where: str) -> Prices:
    """What people pass as `prices=`. Raises TypeError, with the fix, for what tells no price."""
    if callable(prices):
        return prices
    table = dict(prices or {})
    for name, price in table.items():
        if not isinstance(name, str) or not isinstance(price, Price):
            raise TypeError(f"{where}: a mapping from a model's id to its Price, not {name!r}: {price!r}")
    kept = EVERY_OTHER not in table and importlib.util.find_spec("genai_prices") is not None

    def price_of(model_id: str | None, usage: Usage) -> float | None:
        own = table.get(model_id or EVERY_OTHER) or table.get(EVERY_OTHER)
        if own is not None:
            return own.of(usage)
        return kept_price(model_id, usage) if kept and model_id is not None else None

    return price_of


def local_free(prices: Mapping[str, Price] | Prices | None, price_of: Prices, models: Iterable[object]) -> Prices:
    """The same prices, but that those of these models cost nothing that run on this machine and have none of their own.

    `"*"` is no price of their own: it is meant for those that are paid by the token.
    """
    local, paid = set[str | None](), set[str | None]()
    for model in models:
        model_id = getattr(model, "model_id", None)
        own = prices(model_id, Usage(1, 1)) is not None if callable(prices) else model_id in (prices or {})
        (local if getattr(model, "is_local", False) and not own else paid).add(model_id)
    free = local - paid

    def price(model_id: str | None, usage: Usage) -> float | None:
        return 0.0 if model_id in free else price_of(model_id, usage)

    return price if free else price_of


def no_price(where: str, model_id: str | None) -> ValueError:
    """What is raised for a model whose price isn't known, with the fix."""
    name = model_id or EVERY_OTHER
    said = f"{where}: there is no price for {model_id!r}; say it: prices={{{name!r}: Price(2.5, 10.0)}}"
    kept = importlib.util.find_spec("genai_prices") is not None
    return ValueError(said if kept else f"{said}, or pip install 'modelport[prices]'")


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
