from .adapters.function import from_function as from_function
from .adapters.process.calling import as_request as as_request
from .adapters.process.clock import (
    Chance as Chance,
)
from .adapters.process.clock import (
    Clock as Clock,
)
from .adapters.process.clock import (
    SystemClock as SystemClock,
)
from .adapters.process.clock import (
    VirtualClock as VirtualClock,
)
from .adapters.process.limiter import Limiter as Limiter
from .adapters.process.secret import Env as Env
from .adapters.scripted import (
    Break as Break,
)
from .adapters.scripted import (
    ScriptedModel as ScriptedModel,
)
from .adapters.scripted import (
    Stall as Stall,
)
from .composition.config.from_dict import from_dict as from_dict
from .composition.config.plan import from_toml as from_toml
from .composition.config.to_dict import to_dict as to_dict
from .composition.inspect.bounds import bounds as bounds
from .composition.inspect.lint import (
    Finding as Finding,
)
from .composition.inspect.lint import (
    lint as lint,
)
from .composition.inspect.simulate import (
    Simulation as Simulation,
)
from .composition.inspect.simulate import (
    Workload as Workload,
)
from .composition.inspect.simulate import (
    compared as compared,
)
from .composition.inspect.simulate import (
    simulate as simulate,
)
from .composition.layers.budget import (
    Purse as Purse,
)
from .composition.layers.budget import (
    with_budget as with_budget,
)
from .composition.layers.cache import (
    bypass_cache as bypass_cache,
)
from .composition.layers.cache import (
    with_cache as with_cache,
)
from .composition.layers.chaos import with_chaos as with_chaos
from .composition.layers.check import with_check as with_check
from .composition.layers.circuit_breaker import (
    Breaker as Breaker,
)
from .composition.layers.circuit_breaker import (
    with_circuit_breaker as with_circuit_breaker,
)
from .composition.layers.concurrency import (
    Slots as Slots,
)
from .composition.layers.concurrency import (
    with_concurrency as with_concurrency,
)
from .composition.layers.defaults import with_defaults as with_defaults
from .composition.layers.fallback import (
    Fallback as Fallback,
)
from .composition.layers.fallback import (
    with_fallback as with_fallback,
)
from .composition.layers.hedge import with_hedge as with_hedge
from .composition.layers.log import with_log as with_log
from .composition.layers.rate_limit import (
    RateLimit as RateLimit,
)
from .composition.layers.rate_limit import (
    with_rate_limit as with_rate_limit,
)
from .composition.layers.recording import with_recording as with_recording
from .composition.layers.replay import with_replay as with_replay
from .composition.layers.retry import (
    Retry as Retry,
)
from .composition.layers.retry import (
    with_retry as with_retry,
)
from .composition.layers.route import with_route as with_route
from .composition.layers.stores import (
    DiskStore as DiskStore,
)
from .composition.layers.stores import (
    MemoryStore as MemoryStore,
)
from .composition.layers.timeout import with_timeout as with_timeout
from .composition.layers.trace import with_trace as with_trace
from .composition.stack.blocking import (
    BlockingModel as BlockingModel,
)
from .composition.stack.blocking import (
    blocking as blocking,
)
from .composition.stack.compose import (
    Layer as Layer,
)
from .composition.stack.compose import (
    compose as compose,
)
from .composition.stack.compose import (
    describe as describe,
)
from .composition.stack.policy import (
    Call as Call,
)
from .composition.stack.policy import (
    Decorated as Decorated,
)
from .composition.stack.policy import (
    Policy as Policy,
)
from .domain.attempt import (
    Attempt as Attempt,
)
from .domain.attempt import (
    Skipped as Skipped,
)
from .domain.attempt import (
    Wait as Wait,
)
from .domain.bad_answer import BadAnswer as BadAnswer
from .domain.capability import (
    Capabilities as Capabilities,
)
from .domain.capability import (
    missing as missing,
)
from .domain.error import (
    MEANING as MEANING,
)
from .domain.error import (
    ErrorKind as ErrorKind,
)
from .domain.error import (
    Fault as Fault,
)
from .domain.error import (
    Meaning as Meaning,
)
from .domain.error import (
    ModelError as ModelError,
)
from .domain.error import (
    ModelFailure as ModelFailure,
)
from .domain.error import (
    Scope as Scope,
)
from .domain.error import (
    Sent as Sent,
)
from .domain.event import (
    Event as Event,
)
from .domain.event import (
    Failed as Failed,
)
from .domain.event import (
    Finished as Finished,
)
from .domain.event import (
    ReasoningDelta as ReasoningDelta,
)
from .domain.event import (
    TextDelta as TextDelta,
)
from .domain.event import (
    ToolCallDelta as ToolCallDelta,
)
from .domain.event import (
    replay as replay,
)
from .domain.event import (
    settle as settle,
)
from .domain.forms.fingerprint import fingerprint as fingerprint
from .domain.forms.json_form import (
    from_json as from_json,
)
from .domain.forms.json_form import (
    to_json as to_json,
)
from .domain.machines.allowance import Allowance as Allowance
from .domain.machines.bounds import Bounds as Bounds
from .domain.message import (
    Audio as Audio,
)
from .domain.message import (
    Document as Document,
)
from .domain.message import (
    Image as Image,
)
from .domain.message import (
    Message as Message,
)
from .domain.message import (
    Part as Part,
)
from .domain.message import (
    Reasoning as Reasoning,
)
from .domain.message import (
    Role as Role,
)
from .domain.message import (
    Text as Text,
)
from .domain.message import (
    ToolCall as ToolCall,
)
from .domain.message import (
    ToolResult as ToolResult,
)
from .domain.model import Model as Model
from .domain.option import (
    OMIT as OMIT,
)
from .domain.option import (
    merge as merge,
)
from .domain.price import Price as Price
from .domain.reading.messages import as_messages as as_messages
from .domain.request import Request as Request
from .domain.response import (
    FinishReason as FinishReason,
)
from .domain.response import (
    Response as Response,
)
from .domain.response_format import (
    Free as Free,
)
from .domain.response_format import (
    Grammar as Grammar,
)
from .domain.response_format import (
    JsonObject as JsonObject,
)
from .domain.response_format import (
    JsonSchema as JsonSchema,
)
from .domain.response_format import (
    Regex as Regex,
)
from .domain.response_format import (
    ResponseFormat as ResponseFormat,
)
from .domain.stop import cut as cut
from .domain.tool import Tool as Tool
from .domain.usage import Usage as Usage
from .domain.when import when as when
