"""adapters/fork: what is in progress when a process forks is the parent's, and the child doesn't wait for it."""

import asyncio
import os

import pytest

from modelport import ModelError, ScriptedModel, VirtualClock, as_request, compose
from modelport.adapters.scripted import Stall
from modelport.composition.layers.budget import Purse, with_budget
from modelport.composition.layers.circuit_breaker import Breaker, with_circuit_breaker
from modelport.composition.layers.route import with_route
from modelport.domain.machines.budget import Cost
from modelport.domain.machines.router import Situation

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # of a process with threads
]

REQUEST = as_request("Hello!", max_tokens=90)


def in_a_child_forked_during(model, clock, lock, question):
    """Whether the child says yes, forked while the model is called and somebody holds the lock."""

    async def main():
        calling = asyncio.create_task(model.generate(REQUEST))
        await asyncio.sleep(0)
        with lock:
            child = os.fork()
            if not child:
                os._exit(0 if question() else 1)
        await calling
        return child

    return os.waitstatus_to_exitcode(os.waitpid(clock.run(main()), 0)[1]) == 0


def test_a_probe_of_the_parent_keeps_no_child_out():
    clock = VirtualClock()
    breaker = Breaker(minimum=1, clock=clock)
    down = ModelError("server", "broken")
    model = compose(ScriptedModel(down, Stall("Hi!", seconds=1)), with_circuit_breaker(breaker, clock=clock))
    clock.run(model.generate(REQUEST))
    clock.advance(30)
    assert in_a_child_forked_during(model, clock, breaker._lock, lambda: isinstance(breaker.ask(), int))
    assert breaker.mode == "closed"


def test_what_the_parent_has_set_aside_is_free_in_a_child():
    clock, purse = VirtualClock(), Purse(tokens=150)
    model = compose(ScriptedModel(Stall("Hi!", seconds=1)), with_budget(purse, clock=clock))

    def may_be_asked():
        return purse.reserve(Cost(tokens=100)) is None

    assert in_a_child_forked_during(model, clock, purse._lock, may_be_asked)
    assert purse.spent_tokens == 95


def test_nobody_is_busy_in_a_child():
    clock = VirtualClock()
    model = compose(
        ScriptedModel(Stall("Hi!", seconds=1)), with_route(ScriptedModel("Hi!"), by="least_busy", clock=clock)
    )
    router = model.policy.router
    assert in_a_child_forked_during(
        model, clock, router._lock, lambda: router.order(Situation()) and router.traffic.busy == (0, 0)
    )
