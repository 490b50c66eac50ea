from .adapters.custom import Model as Model
from .adapters.function import from_function as from_function
from .adapters.process.calling import as_request as as_request
from .adapters.process.clock import (
    Chance as Chance,
    Clock as Clock,
    SystemClock as SystemClock,
    VirtualClock as VirtualClock,
)
from .adapters.process.limiter import Limiter as Limiter
from .adapters.process.secret import Env as Env
from .adapters.scripted import Break as Break, ScriptedModel as ScriptedModel, Stall as Stall
from .composition.config.from_dict import from_dict as from_dict
from .composition.config.plan import from_toml as from_toml
from .composition.config.to_dict import to_dict as to_dict
from .composition.inspect.bounds import bounds as bounds
from .composition.inspect.lint import Finding as Finding, lint as lint
from .composition.inspect.simulate import (
    Simulation as Simulation,
    Workload as Workload,
    compared as compared,
    simulate as simulate,
)
from .composition.layers import *
from .composition.stack.blocking import BlockingModel as BlockingModel, blocking as blocking
from .composition.stack.compose import Layer as Layer, LayerOf as LayerOf, compose as compose, describe as describe
from .composition.stack.policy import Call as Call, Decorated as Decorated, Policy as Policy
from .domain.attempt import Attempt as Attempt, Skipped as Skipped, Wait as Wait
from .domain.bad_answer import BadAnswer as BadAnswer
from .domain.options.call_options import CallOptions as CallOptions, Options as Options
from .domain.capability import Capabilities as Capabilities, missing as missing
from .domain.error import (
    MEANING as MEANING,
    ErrorKind as ErrorKind,
    Fault as Fault,
    Meaning as Meaning,
    ModelError as ModelError,
    ModelFailure as ModelFailure,
    Scope as Scope,
    Sent as Sent,
)
from .domain.event import (
    Event as Event,
    Failed as Failed,
    Finished as Finished,
    ReasoningDelta as ReasoningDelta,
    TextDelta as TextDelta,
    ToolCallDelta as ToolCallDelta,
    replay as replay,
    settle as settle,
)
from .domain.forms.fingerprint import fingerprint as fingerprint
from .domain.forms.markdown import as_markdown as as_markdown
from .domain.forms.json_form import from_json as from_json, to_json as to_json
from .domain.machines.allowance import Allowance as Allowance
from .domain.machines.bounds import Bounds as Bounds
from .domain.message import (
    Audio as Audio,
    Document as Document,
    Image as Image,
    Message as Message,
    Part as Part,
    Reasoning as Reasoning,
    Role as Role,
    Text as Text,
    ToolCall as ToolCall,
    ToolResult as ToolResult,
)
from .domain.options.option import OMIT as OMIT, merge as merge
from .domain.outcome import outcome as outcome
from .domain.price import Price as Price
from .domain.reading.messages import as_messages as as_messages
from .domain.request import Request as Request
from .domain.response import FinishReason as FinishReason, Response as Response
from .domain.response_format import (
    Free as Free,
    Grammar as Grammar,
    JsonObject as JsonObject,
    JsonSchema as JsonSchema,
    Regex as Regex,
    ResponseFormat as ResponseFormat,
)
from .domain.stop import cut as cut
from .domain.tool import Tool as Tool, ToolChoice as ToolChoice
from .domain.usage import Usage as Usage
from .domain.when import when as when
