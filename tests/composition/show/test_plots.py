"""Simulations, findings and bounds as a notebook shows them."""

import re
import xml.etree.ElementTree as ET

import pytest

from modelport import (
    Price,
    ScriptedModel,
    Workload,
    bounds,
    compared,
    compose,
    lint,
    simulate,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.composition.show.plots import Series, plots

FIRST = compose(ScriptedModel("Hi", model_id="big"), with_retry(attempts=3))
SECOND = compose(FIRST, with_fallback(ScriptedModel("Hi", model_id="small")))
OUTAGES = {"big": {"down": [(2, 4)]}}
WORK = Workload(calls=40, rate=5)


def words(html):
    """What the picture in it says."""
    svg = re.search("<svg.*</svg>", html, re.DOTALL)
    return [element.text for element in ET.fromstring(svg[0]).iter() if element.tag.endswith("}text")]


def test_a_comparison_is_its_text_a_table_and_a_picture():
    prices = {"*": Price(1, 1)}
    shown = compared({"retry": simulate(FIRST, WORK, OUTAGES, prices=prices), "<i>": simulate(SECOND, WORK, OUTAGES)})
    html = shown._repr_html_()
    assert shown.startswith("| stack | answered |")
    assert '<th style="text-align:left">p95</th>' in html
    assert '<td style="text-align:left">&lt;i&gt;</td>' in html
    said = words(html)
    assert {"calls over within …", "answered over time", "retry", "<i>"} <= set(said)
    assert re.fullmatch(r"\d+ calls, 0\.\d{4} USD", said[-3])
    assert re.fullmatch(r"\d+ calls", said[-1])


def test_one_simulation_is_shown_as_a_comparison_of_one():
    played = simulate(FIRST, WORK, OUTAGES)
    assert played._repr_html_() == compared({"stack": played})._repr_html_()


def test_nothing_is_compared_with_nothing():
    with pytest.raises(ValueError, match="compared: there is no simulation"):
        compared({})


def test_calls_that_take_no_time_are_drawn():
    assert words(plots([Series("s", (0.0, 0.0), (1.0,), 0, None)]))[-1] == "0 calls"


def test_the_slowest_call_in_a_hundred_is_outside_the_picture():
    seconds = (*(1.0 for _ in range(199)), 900.0)
    assert "1 s" in words(plots([Series("s", seconds, (1.0,), 200, None)]))


def test_a_simulation_runs_in_a_notebooks_cell():
    import asyncio

    async def cell():
        return simulate(FIRST, WORK).success

    assert asyncio.run(cell()) == 1.0


def test_findings_are_a_table():
    stack = compose(ScriptedModel("Hi"), with_retry(attempts=3), with_rate_limit(60), with_retry(attempts=4))
    found = lint(stack)
    assert found._repr_html_().count("<tr>") == 1 + len(found)
    assert '<td style="text-align:left">nested-retries</td>' in found._repr_html_()
    assert lint(FIRST)._repr_html_() == "<p>no findings</p>"


def test_bounds_are_a_table():
    assert bounds(FIRST)._repr_markdown_() == (
        "| at most | |\n|---|---|\n| physical calls | 3 |\n| seconds in all | any number |\n"
        "| seconds of waiting | 120 |\n| seconds of work | any number |\n| places in queues | 0 |"
    )
