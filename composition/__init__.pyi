from .config.from_dict import from_dict as from_dict
from .config.plan import from_toml as from_toml
from .config.reader import Misconfigured as Misconfigured
from .config.to_dict import to_dict as to_dict
from .inspect.bounds import bounds as bounds
from .inspect.lint import Finding as Finding, lint as lint
from .inspect.simulate import Simulation as Simulation, Workload as Workload, compared as compared, simulate as simulate
from .layers import *
from .stack.blocking import BlockingModel as BlockingModel, blocking as blocking
from .stack.compose import Layer as Layer, LayerOf as LayerOf, compose as compose, describe as describe
from .stack.layer_policy import LayerPolicy as LayerPolicy, Rehearsal as Rehearsal
from .stack.opened import (
    Listener as Listener,
    Opened as Opened,
    Said as Said,
    T as T,
    OnEnd as OnEnd,
    after as after,
    heard as heard,
    waited as waited,
)
from .stack.policy import Between as Between, Call as Call, Decorated as Decorated, Direct as Direct, Policy as Policy
