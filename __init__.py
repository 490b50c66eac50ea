"""Models as values that answer requests, and layers that make better ones of them: the public face.

A name is loaded when it is first asked for, so that importing this costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters.calling import as_request
    from .adapters.clock import Chance, Clock, SystemClock, VirtualClock
    from .adapters.function import from_function
    from .adapters.limiter import Limiter
    from .adapters.scripted import Break, ScriptedModel, Stall
    from .adapters.secret import Env
    from .composition.blocking import BlockingModel, blocking
    from .composition.compose import Layer, compose, describe
    from .composition.fallback import Fallback, with_fallback
    from .composition.from_dict import from_dict
    from .composition.policy import Call, Decorated, Policy
    from .composition.rate_limit import RateLimit, with_rate_limit
    from .composition.retry import Retry, with_retry
    from .composition.to_dict import to_dict
    from .domain.attempt import Attempt, Wait
    from .domain.capability import Capabilities, missing
    from .domain.error import MEANING, ErrorKind, Fault, Meaning, ModelError, ModelFailure, Scope, Sent
    from .domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta, replay, settle
    from .domain.fingerprint import fingerprint
    from .domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
    from .domain.model import Model
    from .domain.option import OMIT, merge
    from .domain.reading import as_messages
    from .domain.request import Request
    from .domain.response import FinishReason, Response
    from .domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
    from .domain.stop import cut
    from .domain.tool import Tool
    from .domain.usage import Usage

__all__ = [
    "MEANING",
    "OMIT",
    "Attempt",
    "Audio",
    "BlockingModel",
    "Break",
    "Call",
    "Capabilities",
    "Chance",
    "Clock",
    "Decorated",
    "Document",
    "Env",
    "ErrorKind",
    "Event",
    "Failed",
    "Fallback",
    "Fault",
    "FinishReason",
    "Finished",
    "Free",
    "Grammar",
    "Image",
    "JsonObject",
    "JsonSchema",
    "Layer",
    "Limiter",
    "Meaning",
    "Message",
    "Model",
    "ModelError",
    "ModelFailure",
    "Part",
    "Policy",
    "RateLimit",
    "Reasoning",
    "ReasoningDelta",
    "Regex",
    "Request",
    "Response",
    "ResponseFormat",
    "Retry",
    "Role",
    "Scope",
    "ScriptedModel",
    "Sent",
    "Stall",
    "SystemClock",
    "Text",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "Usage",
    "VirtualClock",
    "Wait",
    "as_messages",
    "as_request",
    "blocking",
    "compose",
    "cut",
    "describe",
    "fingerprint",
    "from_dict",
    "from_function",
    "merge",
    "missing",
    "replay",
    "settle",
    "to_dict",
    "with_fallback",
    "with_rate_limit",
    "with_retry",
]

# Where each name lives: what type checkers read above, once more for the interpreter.
_HOME = {
    "adapters.calling": ("as_request",),
    "adapters.clock": (
        "Chance",
        "Clock",
        "SystemClock",
        "VirtualClock",
    ),
    "adapters.function": ("from_function",),
    "adapters.limiter": ("Limiter",),
    "adapters.secret": ("Env",),
    "adapters.scripted": (
        "Break",
        "ScriptedModel",
        "Stall",
    ),
    "composition.blocking": (
        "BlockingModel",
        "blocking",
    ),
    "composition.compose": (
        "Layer",
        "compose",
        "describe",
    ),
    "composition.fallback": (
        "Fallback",
        "with_fallback",
    ),
    "composition.from_dict": ("from_dict",),
    "composition.policy": (
        "Call",
        "Decorated",
        "Policy",
    ),
    "composition.rate_limit": (
        "RateLimit",
        "with_rate_limit",
    ),
    "composition.retry": (
        "Retry",
        "with_retry",
    ),
    "composition.to_dict": ("to_dict",),
    "domain.attempt": (
        "Attempt",
        "Wait",
    ),
    "domain.capability": (
        "Capabilities",
        "missing",
    ),
    "domain.error": (
        "MEANING",
        "ErrorKind",
        "Fault",
        "Meaning",
        "ModelError",
        "ModelFailure",
        "Scope",
        "Sent",
    ),
    "domain.event": (
        "Event",
        "Failed",
        "Finished",
        "ReasoningDelta",
        "TextDelta",
        "ToolCallDelta",
        "replay",
        "settle",
    ),
    "domain.fingerprint": ("fingerprint",),
    "domain.message": (
        "Audio",
        "Document",
        "Image",
        "Message",
        "Part",
        "Reasoning",
        "Role",
        "Text",
        "ToolCall",
        "ToolResult",
    ),
    "domain.model": ("Model",),
    "domain.option": (
        "OMIT",
        "merge",
    ),
    "domain.reading": ("as_messages",),
    "domain.request": ("Request",),
    "domain.response": (
        "FinishReason",
        "Response",
    ),
    "domain.response_format": (
        "Free",
        "Grammar",
        "JsonObject",
        "JsonSchema",
        "Regex",
        "ResponseFormat",
    ),
    "domain.stop": ("cut",),
    "domain.tool": ("Tool",),
    "domain.usage": ("Usage",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
