"""The option `grammar`, by which smolagents and TGI name the form of an answer: it is read as the response format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..request import Request
from ..response_format import Free, as_response_format
from .option import OMIT, canonical, merge

_TAKEN: Final = canonical({"grammar": OMIT})


def formed(request: Request, options: Mapping[str, Any]) -> Request:
    """The request with its `grammar`, or that of the constructor's `options`, as its response format.

    A response format of the call stands over the constructor's grammar.

    >>> from modelport.domain.message import Message
    >>> request = Request([Message("user", "hi")], options={"grammar": {"type": "regex", "value": "a+"}})
    >>> formed(request, {}).response_format
    Regex(pattern='a+')
    """
    if "grammar" not in request.options and "grammar" not in options:
        return request
    grammar = request.options.get("grammar", options.get("grammar"))
    form = request.response_format
    if isinstance(form, Free) and grammar is not OMIT:
        form = as_response_format(grammar, "grammar")
    return attrs.evolve(request, response_format=form, options=merge(request.options, _TAKEN))
