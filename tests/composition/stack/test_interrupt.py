"""An interruption ends one wait, once, and is told from a cancellation by anybody else."""

import asyncio

import pytest

from modelport.composition.stack.interrupt import Interrupt


async def waits(interrupt: Interrupt) -> bool:
    """Whether the wait was ended by the interruption."""
    interrupt.begin()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if interrupt.mine():
            return True
        raise
    raise AssertionError("nothing ended the wait")


async def struck(times: int) -> tuple[bool, int]:
    """Whether a wait was ended by so many strikes, and how many cancellations are left behind."""
    loop = asyncio.get_running_loop()
    interrupt = Interrupt(loop)
    for _ in range(times):
        loop.call_soon(interrupt.strike)
    return await waits(interrupt), asyncio.current_task().cancelling()


def test_a_strike_ends_a_wait_and_leaves_no_cancellation_behind():
    assert asyncio.run(struck(1)) == (True, 0)


def test_a_second_strike_in_one_wait_does_nothing_more():
    assert asyncio.run(struck(2)) == (True, 0)


def test_a_strike_after_the_wait_has_ended_does_nothing():
    async def main():
        interrupt = Interrupt(asyncio.get_running_loop())
        interrupt.begin()
        before = interrupt.mine()
        interrupt.strike()
        await asyncio.sleep(0)
        return before, interrupt.mine(), asyncio.current_task().cancelling()

    assert asyncio.run(main()) == (False, False, 0)


def test_a_cancellation_beside_the_strike_is_still_heard():
    async def main():
        interrupt = Interrupt(asyncio.get_running_loop())
        task = asyncio.ensure_future(waits(interrupt))
        await asyncio.sleep(0)
        interrupt.strike()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_where_no_task_waits_nothing_is_interrupted():
    async def main():
        loop = asyncio.get_running_loop()
        interrupt, mine = Interrupt(loop), loop.create_future()

        def outside_any_task():
            interrupt.begin()
            interrupt.strike()
            mine.set_result(interrupt.mine())

        loop.call_soon(outside_any_task)
        return await mine

    assert asyncio.run(main()) is False
