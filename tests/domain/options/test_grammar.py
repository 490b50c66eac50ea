"""`grammar=` is read as the response format."""

from __future__ import annotations

from modelport import OMIT, Free, JsonObject, JsonSchema, Message, Regex, Request
from modelport.domain.options.grammar import formed
from modelport.domain.options.option import canonical, resolve

HI = [Message("user", "Hi")]
DIGITS = {"type": "regex", "value": "[0-9]+"}
SCHEMA = {"type": "object"}


def test_a_request_without_one_is_as_it_was() -> None:
    request = Request(HI)
    assert formed(request, {"seed": 7}) is request


def test_the_constructors_holds_for_each_call() -> None:
    request = formed(Request(HI, options={"seed": 7}), {"grammar": {"type": "json", "value": SCHEMA}})
    assert request.response_format == JsonSchema(SCHEMA)
    assert resolve({"grammar": DIGITS}, request.options) == {"seed": 7}


def test_the_calls_stands_over_the_constructors() -> None:
    grammar = {"grammar": {"type": "json", "value": SCHEMA}}
    assert formed(Request(HI, options={"grammar": DIGITS}), grammar).response_format == Regex("[0-9]+")
    assert formed(Request(HI, options={"grammar": OMIT}), grammar).response_format == Free()


def test_a_response_format_stands_over_the_constructors() -> None:
    request = Request(HI, response_format=JsonObject())
    assert formed(request, canonical({"grammar": DIGITS})).response_format == JsonObject()
