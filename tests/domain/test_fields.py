"""A value says of itself what isn't so by default."""

import pytest

from modelport import (
    Attempt,
    Capabilities,
    Image,
    Message,
    ModelError,
    Reasoning,
    Request,
    Response,
    Text,
    ToolResult,
    Usage,
    as_request,
)

TRIED = (Attempt("openai", "gpt-4o", "server"), Attempt("openai", "gpt-4o", "answered"))
THOUGHTFUL = Response(Message("assistant", [Reasoning("Hm"), Text("Hi")]), attempts=TRIED)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Message("user", "Hi"), "Message('user', 'Hi')"),
        (Message("user", [Image(b"1234")]), "Message('user', (Image(data=<4 bytes>),))"),
        (Message("tool", ToolResult("1", "sunny")), "Message('tool', (ToolResult('1', content='sunny'),))"),
        (as_request("Hi"), "Request((Message('user', 'Hi'),))"),
        (
            as_request("Hi", ["."], temperature=0, extra_body={"api_key": "sk-123"}),
            (
                "Request((Message('user', 'Hi'),), stop_sequences=('.',),"
                " options={'temperature': 0, 'extra_body': {'api_key': '***'}})"
            ),
        ),
        (Response.of("Hi"), "Response('Hi')"),
        (Response.of("Hi", usage=Usage(3, 5)), "Response('Hi', usage=Usage(input_tokens=3, output_tokens=5))"),
        (THOUGHTFUL, "Response(Message('assistant', (Reasoning(text='Hm'), Text(text='Hi'))), attempts=<2 attempts>)"),
        (ModelError("server", "No", attempts=TRIED[:1]), "ModelError('server', 'No', attempts=<1 attempt>)"),
        (Capabilities(tools=True, max_stops=4), "Capabilities(tools=True, max_stops=4)"),
        (TRIED[0], "Attempt('openai', 'gpt-4o', 'server')"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_repr_is_short(value: Request, shown: str) -> None:
    assert repr(value) == shown
