from .budget import Purse as Purse, with_budget as with_budget
from .cache import bypass_cache as bypass_cache, with_cache as with_cache
from .chaos import with_chaos as with_chaos
from .check import with_check as with_check
from .circuit_breaker import Breaker as Breaker, with_circuit_breaker as with_circuit_breaker
from .concurrency import Slots as Slots, with_concurrency as with_concurrency
from .defaults import with_defaults as with_defaults
from .fallback import Fallback as Fallback, with_fallback as with_fallback
from .hedge import with_hedge as with_hedge
from .log import with_log as with_log
from .rate_limit import RateLimit as RateLimit, with_rate_limit as with_rate_limit
from .recording import with_recording as with_recording
from .replay import with_replay as with_replay
from .retry import Retry as Retry, with_retry as with_retry
from .route import with_route as with_route
from .stores import DiskStore as DiskStore, MemoryStore as MemoryStore
from .timeout import with_timeout as with_timeout
from .trace import with_trace as with_trace
