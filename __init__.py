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
    from .composition.bounds import bounds
    from .composition.budget import Purse, with_budget
    from .composition.cache import bypass_cache, with_cache
    from .composition.chaos import with_chaos
    from .composition.check import with_check
    from .composition.circuit_breaker import Breaker, with_circuit_breaker
    from .composition.compose import Layer, compose, describe
    from .composition.concurrency import Slots, with_concurrency
    from .composition.defaults import with_defaults
    from .composition.fallback import Fallback, with_fallback
    from .composition.from_dict import from_dict
    from .composition.hedge import with_hedge
    from .composition.lint import Finding, lint
    from .composition.log import with_log
    from .composition.plan import from_toml
    from .composition.policy import Call, Decorated, Policy
    from .composition.rate_limit import RateLimit, with_rate_limit
    from .composition.recording import with_recording
    from .composition.replay import with_replay
    from .composition.retry import Retry, with_retry
    from .composition.route import with_route
    from .composition.simulate import Simulation, Workload, compared, simulate
    from .composition.stores import DiskStore, MemoryStore
    from .composition.timeout import with_timeout
    from .composition.to_dict import to_dict
    from .composition.trace import with_trace
    from .domain.allowance import Allowance
    from .domain.attempt import Attempt, Skipped, Wait
    from .domain.bounds import Bounds
    from .domain.capability import Capabilities, missing
    from .domain.error import MEANING, ErrorKind, Fault, Meaning, ModelError, ModelFailure, Scope, Sent
    from .domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta, replay, settle
    from .domain.fingerprint import fingerprint
    from .domain.json_form import from_json, to_json
    from .domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
    from .domain.model import Model
    from .domain.option import OMIT, merge
    from .domain.price import Price
    from .domain.reading import as_messages
    from .domain.request import Request
    from .domain.response import FinishReason, Response
    from .domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
    from .domain.shortcoming import Shortcoming
    from .domain.stop import cut
    from .domain.tool import Tool
    from .domain.usage import Usage
    from .domain.when import when

__all__ = [
    "MEANING",
    "OMIT",
    "Allowance",
    "Attempt",
    "Audio",
    "BlockingModel",
    "Bounds",
    "Break",
    "Breaker",
    "Call",
    "Capabilities",
    "Chance",
    "Clock",
    "Decorated",
    "DiskStore",
    "Document",
    "Env",
    "ErrorKind",
    "Event",
    "Failed",
    "Fallback",
    "Fault",
    "Finding",
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
    "MemoryStore",
    "Message",
    "Model",
    "ModelError",
    "ModelFailure",
    "Part",
    "Policy",
    "Price",
    "Purse",
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
    "Shortcoming",
    "Simulation",
    "Skipped",
    "Slots",
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
    "Workload",
    "as_messages",
    "as_request",
    "blocking",
    "bounds",
    "bypass_cache",
    "compared",
    "compose",
    "cut",
    "describe",
    "fingerprint",
    "from_dict",
    "from_function",
    "from_json",
    "from_toml",
    "lint",
    "merge",
    "missing",
    "replay",
    "settle",
    "simulate",
    "to_dict",
    "to_json",
    "when",
    "with_budget",
    "with_cache",
    "with_chaos",
    "with_check",
    "with_circuit_breaker",
    "with_concurrency",
    "with_defaults",
    "with_fallback",
    "with_hedge",
    "with_log",
    "with_rate_limit",
    "with_recording",
    "with_replay",
    "with_retry",
    "with_route",
    "with_timeout",
    "with_trace",
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
    "adapters.scripted": (
        "Break",
        "ScriptedModel",
        "Stall",
    ),
    "adapters.secret": ("Env",),
    "composition.blocking": (
        "BlockingModel",
        "blocking",
    ),
    "composition.bounds": ("bounds",),
    "composition.budget": (
        "Purse",
        "with_budget",
    ),
    "composition.cache": (
        "bypass_cache",
        "with_cache",
    ),
    "composition.chaos": ("with_chaos",),
    "composition.check": ("with_check",),
    "composition.circuit_breaker": (
        "Breaker",
        "with_circuit_breaker",
    ),
    "composition.compose": (
        "Layer",
        "compose",
        "describe",
    ),
    "composition.concurrency": (
        "Slots",
        "with_concurrency",
    ),
    "composition.defaults": ("with_defaults",),
    "composition.fallback": (
        "Fallback",
        "with_fallback",
    ),
    "composition.from_dict": ("from_dict",),
    "composition.hedge": ("with_hedge",),
    "composition.lint": (
        "Finding",
        "lint",
    ),
    "composition.log": ("with_log",),
    "composition.plan": ("from_toml",),
    "composition.policy": (
        "Call",
        "Decorated",
        "Policy",
    ),
    "composition.rate_limit": (
        "RateLimit",
        "with_rate_limit",
    ),
    "composition.recording": ("with_recording",),
    "composition.replay": ("with_replay",),
    "composition.retry": (
        "Retry",
        "with_retry",
    ),
    "composition.route": ("with_route",),
    "composition.simulate": (
        "Simulation",
        "Workload",
        "compared",
        "simulate",
    ),
    "composition.stores": (
        "DiskStore",
        "MemoryStore",
    ),
    "composition.timeout": ("with_timeout",),
    "composition.to_dict": ("to_dict",),
    "composition.trace": ("with_trace",),
    "domain.allowance": ("Allowance",),
    "domain.attempt": (
        "Attempt",
        "Skipped",
        "Wait",
    ),
    "domain.bounds": ("Bounds",),
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
    "domain.json_form": (
        "from_json",
        "to_json",
    ),
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
    "domain.price": ("Price",),
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
    "domain.shortcoming": ("Shortcoming",),
    "domain.stop": ("cut",),
    "domain.tool": ("Tool",),
    "domain.usage": ("Usage",),
    "domain.when": ("when",),
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
