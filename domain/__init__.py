"""What is true of models, whatever they stand on: frozen values and pure functions."""

from .answer_builder import AnswerBuilder, trimmed
from .attempt import Attempt, Wait
from .capability import Capabilities, missing
from .error import (
    MEANING,
    ErrorKind,
    Fault,
    Meaning,
    ModelError,
    ModelFailure,
    Scope,
    Sent,
    table,
)
from .event import (
    Delta,
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    cut_off,
    gather,
    replay,
    settle,
)
from .facts import max_stops, rejects_stop
from .forms.fingerprint import fingerprint
from .forms.json_form import from_json, to_json
from .frozen import FrozenDict, freeze, thaw
from .machines.bounds import Bounds
from .message import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from .model import Model
from .options.option import OMIT, canonical, merge, resolve
from .price import Price
from .reading.messages import as_messages
from .request import Request
from .response import FinishReason, Response
from .response_format import (
    Free,
    Grammar,
    JsonObject,
    JsonSchema,
    Regex,
    ResponseFormat,
    as_response_format,
    feature,
)
from .stop import Scanner, as_stops, cut
from .tool import Tool
from .tools.calls_in_text import parse_tool_calls
from .usage import Usage

__all__ = [
    "MEANING",
    "OMIT",
    "AnswerBuilder",
    "Attempt",
    "Audio",
    "Bounds",
    "Capabilities",
    "Delta",
    "Document",
    "ErrorKind",
    "Event",
    "Failed",
    "Fault",
    "FinishReason",
    "Finished",
    "Free",
    "FrozenDict",
    "Grammar",
    "Image",
    "JsonObject",
    "JsonSchema",
    "Meaning",
    "Message",
    "Model",
    "ModelError",
    "ModelFailure",
    "Part",
    "Price",
    "Reasoning",
    "ReasoningDelta",
    "Regex",
    "Request",
    "Response",
    "ResponseFormat",
    "Role",
    "Scanner",
    "Scope",
    "Sent",
    "Text",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "Usage",
    "Wait",
    "as_messages",
    "as_response_format",
    "as_stops",
    "canonical",
    "cut",
    "cut_off",
    "feature",
    "fingerprint",
    "freeze",
    "from_json",
    "gather",
    "max_stops",
    "merge",
    "missing",
    "parse_tool_calls",
    "rejects_stop",
    "replay",
    "resolve",
    "settle",
    "table",
    "thaw",
    "to_json",
    "trimmed",
]
