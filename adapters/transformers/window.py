"""The keys and values of answers that are written side by side, the next token of each by one pass of the model.

Each row begins at the first column and is padded on the right, to a width of sixteens; one row alone is read twice
where less than float32 is kept, on a CPU, since a product with one row is added up in another order than with several.
So no row moves when others join or leave, and a row's sums are made in the same order whoever else is there. Without
either, a model in bfloat16 would often answer otherwise than alone (measured).

Nothing counts until it is whole: where memory runs out, the rows that were there still are, and the pass can be made
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH = 16
_MORE_COLUMNS = 256
_MORE_ROWS = 4


class Window:
    """The rows, numbered from 0; when one leaves, the last one takes its number."""

    __slots__ = ("_argument", "_cache", "_lengths", "copies", "places")

    def __init__(self, argument: str) -> None:
        from transformers.cache_utils import Cache, CacheLayerMixin

        CacheLayerMixin.register(_Layer)
        self._argument = argument  # what the model's forward calls a cache
        self._lengths: list[int] = []  # so many tokens of each row have been read
        self.places: Any = None  # where each row's next token goes, while it is read
        self.copies = 1  # how often each row is read, then
        self._cache: Any = Cache(layers=[])

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self._lengths)

    @property
    def width(self) -> int:
        """So many columns are looked at."""
        return _width(max(self._lengths, default=0))

    def join(self, cache: Any) -> None:
        """One row more, which has been read into a cache of its own."""
        row, length = self.rows, cache.get_seq_length()
        layers = self._cache.layers
        layers.extend(_Layer(self) for _ in cache.layers[len(layers) :])
        for mine, its in zip(layers, cache.layers, strict=True):
            mine.fit(its.keys, its.values, row + 1, max(self.width, _width(length)))
            mine.keys[row, :, :length] = its.keys[0]
            mine.values[row, :, :length] = its.values[0]
        self._lengths.append(length)

    def leave(self, row: int) -> None:
        """This row is done."""
        last = self.rows - 1
        if row != last:
            length = self._lengths[row] = self._lengths[last]
            for layer in self._cache.layers:
                for kept in (layer.keys, layer.values):
                    kept[row, :, :length] = kept[last, :, :length]
        del self._lengths[last]

    def read(self, model: Any, tokens: Sequence[int], rest: Mapping[str, Any]) -> Any:
        """The model's logits after these tokens, one of each row."""
        import torch

        device = model.device
        self.places = torch.tensor(self._lengths, device=device)
        self.copies = 2 if self.rows == 1 and device.type == "cpu" and model.dtype != torch.float32 else 1
        places = self.places.repeat(self.copies)[:, None]
        output = model(
            input_ids=torch.tensor([*tokens] * self.copies, device=device)[:, None],
            position_ids=places,
            attention_mask=(torch.arange(self.width, device=device) <= places).long(),
            use_cache=True,
            return_dict=True,
            **{self._argument: self._cache},
            **rest,
        )
        self._lengths = [length + 1 for length in self._lengths]
        return output.logits[: self.rows, -1]


class _Layer:
    """What transformers asks of a layer of a cache."""

    is_compileable = is_sliding = is_croppable = False
    is_initialized = True

    def __init__(self, window: Window) -> None:
        self._window = window
        self.keys: Any = None
        self.values: Any = None

    def fit(self, keys: Any, values: Any, rows: int, width: int) -> None:
        """Have room for so many rows and columns, each shaped as in `keys` and `values`."""
        if self.keys is not None and rows <= self.keys.shape[0] and width <= self.keys.shape[2]:
            return
        held = self._window.rows
        room, columns = _up(rows, _MORE_ROWS) if rows > 1 else 1, _up(width, _MORE_COLUMNS)
        larger = []
        for one, old in ((keys, self.keys), (values, self.values)):
            # Not empty: a place that is masked has no weight, but no weight of what is no number is no number.
            new = one.new_zeros(room, one.shape[1], columns, one.shape[3])
            if old is not None:
                kept = min(columns, old.shape[2])
                new[:held, :, :kept] = old[:held, :, :kept]
            larger.append(new)
        self.keys, self.values = larger

    def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, ...]:
        """Keep those of the next token, and give all."""
        import torch

        rows, width = self._window.rows, self._window.width
        self.fit(keys, values, rows, width)
        places = self._window.places.to(keys.device)
        each = torch.arange(rows, device=keys.device)
        self.keys[each, :, places] = keys[:rows, :, 0]
        self.values[each, :, places] = values[:rows, :, 0]
        shown = rows * self._window.copies
        return tuple(kept[:rows, :, :width].expand(shown, -1, -1, -1) for kept in (self.keys, self.values))

    def get_seq_length(self) -> int:
        """The next token is looked at as if it came last."""
        return self._window.width - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """So many columns there are, and the number of the first."""
        return self._window.width - 1 + query_length, 0

    def get_max_length(self) -> int:
        """None."""
        return -1


def _width(length: int) -> int:
    """With one column at least that is masked: without a mask transformers attends in another way."""
    return _up(length + 2, _WIDTH)


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
