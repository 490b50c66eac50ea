"""The two clocks."""

import asyncio

import pytest

from modelport.adapters.process.clock import SystemClock, VirtualClock, system_chance


def test_virtual_time_jumps_to_the_next_timer():
    clock = VirtualClock()
    order = []

    async def sleeper(name, seconds):
        await clock.sleep(seconds)
        order.append((name, clock.now()))

    async def main():
        await asyncio.gather(sleeper("hour", 3600), sleeper("second", 1))

    clock.run(main())
    assert order == [("second", pytest.approx(1)), ("hour", pytest.approx(3600))]


def test_virtual_time_goes_on_from_run_to_run():
    clock = VirtualClock()
    clock.run(clock.sleep(5))
    clock.advance(5)
    clock.run(clock.sleep(5))
    assert clock.now() == pytest.approx(15)


def test_waiting_for_nothing_is_an_error_not_a_hang():
    async def forever():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer will wake"):
        VirtualClock().run(forever())


def test_the_system_clock_moves_on_while_it_sleeps():
    clock = SystemClock()
    before = clock.now()
    asyncio.run(clock.sleep(0.001))
    assert clock.now() > before


def test_chance_is_a_share():
    assert 0 <= system_chance() < 1


@pytest.mark.parametrize("begin", [-1e6, 1e9, 1e12])
def test_virtual_time_passes_wherever_it_begins(begin):
    clock = VirtualClock(begin)

    async def many():
        await asyncio.gather(*(clock.sleep(at / 10) for at in range(20)))

    clock.run(many())
    assert clock.now() - begin == pytest.approx(1.9, abs=1e-2)


def test_virtual_time_passes_inside_a_running_loop_too():
    """A notebook's cell runs inside one."""
    clock = VirtualClock()

    async def cell():
        return clock.run(clock.sleep(3600)), clock.now()

    assert asyncio.run(cell()) == (None, 3600.0)
