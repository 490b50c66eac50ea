from .config.from_dict import from_dict as from_dict
from .config.plan import from_toml as from_toml
from .config.reader import Misconfigured as Misconfigured
from .config.to_dict import to_dict as to_dict
from .inspect.bounds import bounds as bounds
from .inspect.lint import (
    Finding as Finding,
)
from .inspect.lint import (
    lint as lint,
)
from .inspect.simulate import (
    Simulation as Simulation,
)
from .inspect.simulate import (
    Workload as Workload,
)
from .inspect.simulate import (
    compared as compared,
)
from .inspect.simulate import (
    simulate as simulate,
)
from .layers.budget import (
    Purse as Purse,
)
from .layers.budget import (
    with_budget as with_budget,
)
from .layers.cache import (
    bypass_cache as bypass_cache,
)
from .layers.cache import (
    with_cache as with_cache,
)
from .layers.chaos import with_chaos as with_chaos
from .layers.check import with_check as with_check
from .layers.circuit_breaker import (
    Breaker as Breaker,
)
from .layers.circuit_breaker import (
    with_circuit_breaker as with_circuit_breaker,
)
from .layers.concurrency import (
    Slots as Slots,
)
from .layers.concurrency import (
    with_concurrency as with_concurrency,
)
from .layers.defaults import with_defaults as with_defaults
from .layers.fallback import (
    Fallback as Fallback,
)
from .layers.fallback import (
    with_fallback as with_fallback,
)
from .layers.hedge import with_hedge as with_hedge
from .layers.log import with_log as with_log
from .layers.rate_limit import (
    RateLimit as RateLimit,
)
from .layers.rate_limit import (
    with_rate_limit as with_rate_limit,
)
from .layers.recording import with_recording as with_recording
from .layers.replay import with_replay as with_replay
from .layers.retry import (
    Retry as Retry,
)
from .layers.retry import (
    with_retry as with_retry,
)
from .layers.route import with_route as with_route
from .layers.stores import (
    DiskStore as DiskStore,
)
from .layers.stores import (
    MemoryStore as MemoryStore,
)
from .layers.timeout import with_timeout as with_timeout
from .layers.trace import with_trace as with_trace
from .stack.blocking import (
    BlockingModel as BlockingModel,
)
from .stack.blocking import (
    blocking as blocking,
)
from .stack.compose import (
    Layer as Layer,
)
from .stack.compose import (
    compose as compose,
)
from .stack.compose import (
    describe as describe,
)
from .stack.layer_policy import (
    LayerPolicy as LayerPolicy,
)
from .stack.layer_policy import (
    Rehearsal as Rehearsal,
)
from .stack.opened import (
    Listener as Listener,
)
from .stack.opened import (
    OnEnd as OnEnd,
)
from .stack.opened import (
    Opened as Opened,
)
from .stack.opened import (
    Said as Said,
)
from .stack.opened import (
    T as T,
)
from .stack.opened import (
    after as after,
)
from .stack.opened import (
    heard as heard,
)
from .stack.opened import (
    waited as waited,
)
from .stack.policy import (
    Between as Between,
)
from .stack.policy import (
    Call as Call,
)
from .stack.policy import (
    Decorated as Decorated,
)
from .stack.policy import (
    Direct as Direct,
)
from .stack.policy import (
    Policy as Policy,
)
