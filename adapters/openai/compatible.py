"""`compatible("groq/llama-3.3-70b-versatile")`: a model of a server that is known by name, in one word."""

from __future__ import annotations

from typing import Unpack

from ..http.keys import Key
from ..http.settings import ApiArguments
from ..http.transport import Transport
from .model import OpenAIModel
from .servers import server_named


class OpenAIArguments(ApiArguments, total=False):
    """The arguments of `OpenAIModel`, but for the model's name and its server's."""

    base_url: str | None
    api_base: str | None
    api_key: Key | None
    organization: str | None
    project: str | None
    reasoning_name: str | None
    tool_calls_in_text: bool
    transport: Transport | None


def compatible(name: str, **arguments: Unpack[OpenAIArguments]) -> OpenAIModel:
    """The model that `SERVER/MODEL` names; the rest is as in `OpenAIModel`.

    Raises ValueError, with the nearest, for a server that isn't known, and for a name without a model.

    >>> compatible("deepseek/deepseek-chat", temperature=0.2)
    OpenAIModel('deepseek-chat', server='deepseek', temperature=0.2)
    """
    server, _, model = name.partition("/")
    row = server_named(server, "compatible")
    if not model:
        raise ValueError(f"compatible: {name!r} names no model; write {f'{server}/{row.example}'!r}")
    return OpenAIModel(model, server=server, **arguments)
