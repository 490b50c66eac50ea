"""A stack as a picture."""

import xml.etree.ElementTree as ET

from modelport import (
    ScriptedModel,
    compose,
    describe,
    with_defaults,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.composition.show.diagram import Node, diagram

STACK = compose(
    ScriptedModel("Hi", model_id="big"),
    with_rate_limit(60),
    with_retry(on=["timeout", "server"]),
    with_fallback(ScriptedModel("Hi", model_id="<b>&small"), ScriptedModel("Hi")),
)


def words(svg):
    """All that the picture says, from the outermost box."""
    return [element.text for element in ET.fromstring(svg).iter() if element.tag.endswith("}text")]


def boxes(svg):
    """The place of each box: left, top, right, bottom."""
    rects = [{name: float(element.get(name)) for name in ("x", "y", "width", "height")}
             for element in ET.fromstring(svg).iter() if element.tag.endswith("}rect")]  # fmt: skip
    return [(each["x"], each["y"], each["x"] + each["width"], each["y"] + each["height"]) for each in rects]


def test_a_box_stands_for_each_layer_and_each_model():
    assert words(describe(STACK, "svg")) == [
        "Fallback",
        "Retry", "attempts=4, on=['server',", "'timeout']",
        "RateLimit", "60",
        "ScriptedModel", "'big'",
        "then", "ScriptedModel", "'<b>&small'",
        "then", "ScriptedModel",
    ]  # fmt: skip


def test_no_box_lies_on_another_and_all_are_inside():
    svg = describe(STACK, "svg")
    root = ET.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    places = boxes(svg)
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in places)
    apart = [
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        for number, one in enumerate(places)
        for other in places[:number]
    ]
    assert all(apart)


def test_a_notebook_shows_the_picture_in_the_colour_of_its_page():
    shown = STACK._repr_html_()
    assert shown.startswith("<svg ")
    assert 'fill="currentColor"' in shown
    assert "<style>" not in shown


def test_a_picture_of_its_own_brings_colours_for_light_and_dark():
    assert "prefers-color-scheme:dark" in describe(STACK, "svg")


def test_a_bare_model_is_one_box():
    assert words(compose(ScriptedModel("Hi", model_id="m"))._repr_html_()) == ["ScriptedModel", "'m'"]


def test_a_policy_of_another_form_is_a_box_of_one_name():
    class Mine:
        def __repr__(self):
            return "<mine>"

        async def __call__(self, call, model, request, /):
            return await call(model, request)

    from modelport import Decorated

    assert words(Decorated(ScriptedModel("Hi"), Mine())._repr_html_()) == ["<mine>", "ScriptedModel"]


def test_long_settings_are_cut():
    assert Node("N", "setting=1, " * 30).lines[-1] == "…"
    assert words(diagram(Node("N", "a")))[0] == "N"


def test_a_secret_is_in_no_picture():
    stack = compose(ScriptedModel("Hi"), with_defaults(extra_body={"api_key": "sk-123"}, temperature=0.5))
    assert "sk-123" not in describe(stack, "svg")
    assert "0.5" in describe(stack, "svg")
