"""Tool calls that models write as text."""

import json

import pytest
from domain_values import objects
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.message import ToolCall
from modelport.domain.tools.calls_in_text import parse_tool_calls

F = ("f", {"x": 1})
G = ("g", {})


def found(text: str) -> list[tuple[str, object]]:
    calls = parse_tool_calls(text)
    assert [call.id for call in calls] == [f"call_{at}" for at in range(len(calls))]
    return [(call.name, json.loads(call.arguments)) for call in calls]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>', [F]),
        (
            '<tool_call>{"name":"f","arguments":{"x":1}}</tool_call>\n<tool_call>{"name":"g","arguments":{}}</tool_call>',
            [F, G],
        ),
        ('<tool_call>{"name": "g"}</tool_call>', [G]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}', [F]),
        ('<tool_call>{"name": "f", "arguments": {"x": 1}</tool_call>', [F]),
        ("<tool_call>{'name': 'f', 'arguments': {'x': 1}}</tool_call>", [F]),
        ('<tool_call>[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]</tool_call>', [F, G]),
        ('<|tool_call|>[{"name": "f", "arguments": {"x": 1}}]<|/tool_call|>', [F]),
        ('{"name": "f", "arguments": {"x": 1}}', [F]),
        ('{"name": "f", "parameters": {"x": 1}}', [F]),
        ('{"arguments": {"x": 1}, "name": "f"}', [F]),
        ('{"type": "function", "name": "f", "parameters": {"x": 1}}', [F]),
        ('{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}', [F]),
        ('{"function": "f", "arguments": {"x": 1}}', [F]),
        (
            '{"tool_calls": [{"name": "f", "arguments": {"x": 1}}, {"function": {"name": "g", "arguments": "{}"}}]}',
            [F, G],
        ),
        ('{"name": "f", "arguments": "{\\"x\\": 1}"}', [F]),
        ('{"name": "g", "arguments": null}', [G]),
        ('{"name": "g", "arguments": ""}', [G]),
        ('I call it: {"name": "f", "arguments": {"x": 1}} and then {"name": "g", "arguments": {}}.', [F, G]),
        ('[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]', [F, G]),
        ('```json\n{"name": "f", "arguments": {"x": 1}}\n```', [F]),
        ('```\n[{"name": "f", "arguments": {"x": 1}}]\n```', [F]),
        ('<|python_tag|>{"name": "f", "parameters": {"x": 1}}; {"name": "g", "parameters": {}}<|eom_id|>', [F, G]),
        ('<|python_tag|>brave_search.call(query="a b")', [("brave_search.call", {"query": "a b"})]),
        ("<|tool_call_start|>[f(x=1), g()]<|tool_call_end|>done", [F, G]),
        ("```tool_code\nf(x=1)\ng()\n```", [F, G]),
        ("[f(x=1), g()]", [F, G]),
        ('[TOOL_CALLS][{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]', [F, G]),
        ('[TOOL_CALLS]f[ARGS]{"x": 1}[TOOL_CALLS]g[CALL_ID]ab12[ARGS]{}', [F, G]),
        ('[TOOL_CALLS]f{"x": 1}', [F]),
        ('<function=f>{"x": 1}</function><function=g>{}</function>', [F, G]),
        ("<function=g></function>", [G]),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>", [F]),
        (
            '<function=f><parameter=x>[1, "a"]</parameter><parameter=y>\nto be\nsaid\n</parameter></function>',
            [("f", {"x": [1, "a"], "y": "to be\nsaid"})],
        ),
        ("<function=f><parameter=x>1", [F]),
        ('<think>I could say {"name": "g", "arguments": {}}</think>{"name": "f", "arguments": {"x": 1}}', [F]),
        ('so {"name": "g", "arguments": {}}, no</think>\n\n[f(x=1)]', [F]),
        ('{"name": "f", "arguments": {"x": "a\nb"}}', [("f", {"x": "a\nb"})]),
        ('{"name": "f", "arguments": {"x": NaN, "y": 1e999, "z": 0.5}}', [("f", {"x": None, "y": None, "z": 0.5})]),
        ('{"name": "f", "arguments": {"x": "\\ud800"}}', [("f", {"x": "\ud800"})]),
        ('{"name": "날씨", "arguments": {"도시": "서울"}}', [("날씨", {"도시": "서울"})]),
        ('{ broken {"name": "f", "arguments": {"x": 1}}', [F]),
    ],
)
def test_calls_are_found(text: str, calls: list[tuple[str, object]]) -> None:
    """Every form that small models write, once or several times, with words around."""
    assert found(text) == calls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No call at all.",
        "{",
        "{}",
        '{"name": "Bob", "age": 3}',
        '{"name": "Bob", "parameters": "tall"}',
        '{"name": "Bob", "arguments": [1]}',
        '{"name": "", "arguments": {}}'.replace('""', "3"),
        '{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {}}}}',
        '{"answer": {"name": "f", "arguments": {}}}',
        '{"tool_calls": 3}',
        "{'name': f()}",
        "{'a', 'b'}",
        "{'a': 'b'} {'a': {1, 2}}",
        '<think>{"name": "f", "arguments": {}}',
        "[TOOL_CALLS]f[ARGS]{broken",
        "[f(1)]",
        "[f(**x)]",
        "[f(x=y)]",
        "[f(x=1)](y=2)",
        "[f(x=1)",
        "[a[0](x=1), f(x=1)]"[1:],
        "<|python_tag|>f(x=1)(y=2)",
        "<|python_tag|>import(os)",
        "f(x=1)",
        "print('a')",
        '{"name": "f", "arguments": {"x": 1',
        '{"name": "f", "arguments": {"x": ' + "9" * 5000 + "}}",
        '{"tool_call": ' * 900 + "{}" + "}" * 900,
        '{"a": ' * 100_000,
        "{" * 10_000,
        "{'a': " * 1_000,
    ],
)
def test_no_call_is_found(text: str) -> None:
    """What isn't a call, is a definition, a thought, or broken off in its arguments, is none; nothing is raised."""
    assert parse_tool_calls(text) == ()


def test_arguments_that_are_no_json_are_kept() -> None:
    """What a model wrote between its tags is not lost, though it can't be read."""
    (call,) = parse_tool_calls('<function=f>\n{"x": 1, \n</function>')
    assert call == ToolCall("call_0", "f", '{"x": 1,')


@given(objects, st.sampled_from(["<tool_call>{}</tool_call>", "{}", "```json\n{}\n```", "a {} b", "[{}]"]))
def test_what_is_written_is_read(arguments: dict[str, object], frame: str) -> None:
    """Any arguments come back as they were written."""
    text = frame.replace("{}", json.dumps({"name": "f", "arguments": arguments}))
    assert found(text) == [("f", arguments)]


@given(st.text(alphabet="{}[]()\"',:x1=<>|/", max_size=40) | st.text())
def test_any_text_can_be_read(text: str) -> None:
    """Whatever a model writes, nothing is raised, and what is found is a call."""
    for frame in ("{}", "<tool_call>{}", "<|python_tag|>f({})", "<function=f>{}", "[TOOL_CALLS]f{}"):
        assert all(isinstance(call, ToolCall) for call in parse_tool_calls(frame.replace("{}", text)))
