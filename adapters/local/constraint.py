"""Which token may come next under a response format, by llguidance: for runtimes that decode without constraints.

A model's vocabulary is read once, each grammar is compiled once, and each call walks a copy of its own.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, assert_never

from ...domain.frozen import thaw
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ..process.per_process import PerProcess

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Small models fill whatever space they may with line breaks, without end.
_JSON: Final[Any] = {"whitespace_pattern": "[ \n]{0,4}"}
_REMEMBERED: Final = 64


class Uncompilable(ValueError):
    """The response format is no grammar that can be followed."""


def vocabulary(tokenizer: Any, ends: Collection[int]) -> Any:
    """The tokens of a Hugging Face tokenizer as llguidance reads them, and which of them end a text.

    Takes about half a second.
    """
    import llguidance.hf

    return llguidance.hf.from_tokenizer(tokenizer, eos_token=[*ends])


class Constraints:
    """The constraints of one model. `vocabulary` gives its llguidance tokenizer, and is asked once, at need."""

    def __init__(self, vocabulary: Callable[[], Any]) -> None:
        self._vocabulary = vocabulary
        self._tokenizer: Any = None
        self._compiled: OrderedDict[ResponseFormat, Any] = OrderedDict()
        self._lock: PerProcess[threading.Lock] = PerProcess()  # a fork may leave the parent's taken

    def start(self, form: ResponseFormat) -> Constraint | None:
        """The beginning of an answer in this form; None where any text will do. Raises `Uncompilable`."""
        if isinstance(form, Free):
            return None
        with self._lock.get(threading.Lock):
            matcher = self._compiled.get(form)
            if matcher is None:
                matcher = self._compiled[form] = self._compile(form)
                if len(self._compiled) > _REMEMBERED:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(form)
            return Constraint(matcher.deep_copy())

    def _compile(self, form: ResponseFormat) -> Any:
        import llguidance

        try:
            grammar = _grammar(form)
        except Exception as error:  # whatever reads the definition, it can't be read
            raise Uncompilable(f"response_format: {_first_line(error)}") from error
        if self._tokenizer is None:
            self._tokenizer = self._vocabulary()
        matcher = llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise Uncompilable(f"response_format: {_first_line(matcher.get_error())}")
        return matcher


class Constraint:
    """One answer's way through a grammar."""

    __slots__ = ("_matcher",)

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def take(self, tokens: Iterable[int]) -> None:
        """These tokens have come."""
        self._matcher.consume_tokens(list(tokens))

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """For each of `size` tokens whether it may come next; the end of text alone, once the form is complete."""
        import numpy as np

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        known = np.unpackbits(bits, bitorder="little", count=min(size, bits.size * 8)).view(np.bool_)
        return known if known.size == size else np.pad(known, (0, size - known.size))


def _grammar(form: ResponseFormat) -> str:
    from llguidance import LLMatcher

    grammar: str
    match form:
        case JsonObject():
            grammar = LLMatcher.grammar_from_json_schema({"type": "object"}, defaults=_JSON)
        case JsonSchema(schema=schema):
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(thaw(schema)), defaults=_JSON)
        case Regex(pattern=pattern):
            grammar = LLMatcher.grammar_from_regex(pattern)
        case Grammar(definition=definition, syntax="lark"):
            grammar = LLMatcher.grammar_from_lark(definition)
        case Grammar(definition=definition):
            from llguidance.gbnf_to_lark import gbnf_to_lark

            grammar = LLMatcher.grammar_from_lark(gbnf_to_lark(definition))
        case Free():
            raise AssertionError("any text is no grammar")
        case _:
            assert_never(form)
    return grammar


def _first_line(message: object) -> str:
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[0] if lines else type(message).__name__
