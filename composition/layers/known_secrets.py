"""The secrets that this process knows: those of a stack's models, and those in its environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import attrs

from ...adapters.process.secret import secrets_in
from ...domain.model import Model
from ..stack.walk import leaves

_NAMED: Final = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTH)\Z", re.IGNORECASE)
_SHORTEST: Final = 8
_NO_WORD: Final = 16


def known_secrets(model: Model) -> tuple[str, ...]:
    """Their texts, the longest first; what may be a plain word is left out."""
    of_models = chain.from_iterable(_of(leaf) for leaf in leaves(model))
    texts = {*of_models, *(text for name, text in os.environ.items() if _NAMED.search(name))}
    return tuple(sorted(filter(_is_no_word, texts), key=lambda text: (-len(text), text)))


def _is_no_word(text: str) -> bool:
    return len(text) >= _NO_WORD or len(text) >= _SHORTEST and any(letter.isdigit() for letter in text)


def _of(model: Any) -> Iterator[str]:
    fields = attrs.fields(type(model)) if attrs.has(type(model)) else ()
    slots = (getattr(kind, "__slots__", ()) for kind in type(model).__mro__)
    names = {*(field.name for field in fields), *getattr(model, "__dict__", ()), *chain.from_iterable(slots)}
    yield from secrets_in({name.lstrip("_"): getattr(model, name, None) for name in names})
