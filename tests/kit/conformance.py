"""What every adapter is measured by: a provider that can be told what to answer, and features that run or don't.

`FEATURES` are functions of a provider; each says "yes", or how far it goes. `python tests/kit/conformance.py` runs them
for every adapter of this environment and writes the table of docs/adapters/index.md, leaving other rows as they are.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import attrs
import laws
from laws import TEXT, Subject, listen
from paths import ROOT
from returns.result import Failure, Result

from modelport import (
    Event,
    Finished,
    Free,
    Grammar,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Model,
    ModelError,
    Reasoning,
    ReasoningDelta,
    Regex,
    Request,
    Response,
    ResponseFormat,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from modelport.domain.event import gather


@attrs.frozen
class Exchange:
    """A model whose provider answers with one response, and the bodies of the requests that the provider was sent."""

    model: Model
    seen: Callable[[], list[Any]]
    constrained: bool = False  # the answer is held to its form while it is made, and the model isn't told of it

    def both(self, request: Request) -> tuple[Response, Response, list[Event]] | ModelError:
        """The answer whole, streamed, and its events; or why there is none."""

        async def main() -> tuple[Result[Response, ModelError], list[Event]]:
            return await self.model.generate(request), await listen(self.model, request)

        whole, events = asyncio.run(main())
        if isinstance(whole, Failure):
            return whole.failure()
        last = events[-1]
        assert isinstance(last, Finished), last
        return whole.unwrap(), last.response, events

    def answered(self, request: Request) -> tuple[Response, Response, list[Event]] | None:
        """The same, or None where the model declares that it can't, and has sent nothing."""
        found = self.both(request)
        if isinstance(found, ModelError):
            assert (found.kind, found.sent, self.seen()) == ("unsupported", "no", []), found
            return None
        return found

    def carried(self) -> list[str]:
        """The text of each request that the provider was sent."""
        return [json.dumps(body, ensure_ascii=False) for body in self.seen()]


class Provider(Subject, Protocol):
    """A subject whose provider speaks its own wire, and can be told the answer."""

    def replying(self, response: Response) -> Exchange:
        """The provider answers with this very response in its own wire, whole and streamed; as far as it has words."""
        ...

    def signed(self, thought: str, signature: str) -> Message:
        """The message of an assistant that thinks this, with the signature where this adapter keeps it."""
        ...


WEATHER = Tool(
    "weather",
    "The weather to come.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool("clock", "The time.", {"type": "object", "properties": {}})
CALLS = (ToolCall("call_1", "weather", '{"city":"서울"}'), ToolCall("call_2", "clock", "{}"))
PICTURE = Image(  # one white point
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    media_type="image/gif",
)
SEEN_PICTURE = b64encode(PICTURE.data or b"").decode()
ASKED = Message("user", "What is there to say?")
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}


def stop(provider: Provider) -> str:
    """The text ends before the first stop, whole and streamed, and nothing of it is shown."""
    laws.no_stop_is_shown(provider)
    return "yes"


def tools(provider: Provider) -> str:
    """The model is told of a tool, and its call is read."""
    return _calls(provider, CALLS[:1])


def tool_history(provider: Provider) -> str:
    """Calls of before and their results are sent back to it."""
    exchange = provider.replying(Response.of("Sunny."))
    said = [ASKED, Message("assistant", CALLS[0]), Message("tool", ToolResult("call_1", "sunny, 21 degrees"))]
    if exchange.answered(Request(said, tools=[WEATHER])) is None:
        return "no"
    for sent in exchange.carried():
        in_order(sent, "What is there to say?", "call_1", "sunny, 21 degrees")
        assert "서울" in sent
    return "yes"


def parallel_calls(provider: Provider) -> str:
    """Several calls in one answer are read, whole and streamed."""
    return _calls(provider, CALLS)


def _calls(provider: Provider, calls: tuple[ToolCall, ...]) -> str:
    exchange = provider.replying(Response(Message("assistant", calls), "tool_calls"))
    answers = exchange.answered(Request([ASKED], tools=[WEATHER, CLOCK]))
    if answers is None:
        return "no"
    for sent in exchange.carried():
        in_order(sent, "weather", "clock")
        assert "The weather to come." in sent
        assert "The time." in sent
    for answer in answers[:2]:
        assert [(call.id, call.name, call.input) for call in answer.tool_calls] == [
            (call.id, call.name, call.input) for call in calls
        ]
        assert answer.finish_reason == "tool_calls"
    assert gather(answers[2]).tool_calls == answers[1].tool_calls
    return "yes"


def images(provider: Provider) -> str:
    """A picture is sent, in the bytes and the media type that it has."""
    exchange = provider.replying(Response.of("A picture."))
    if exchange.answered(Request([Message("user", [Text("What is this?"), PICTURE])])) is None:
        return "no"
    for sent in exchange.carried():
        assert SEEN_PICTURE in sent
        assert "gif" in sent
    return "yes"


def structured_output(provider: Provider) -> str:
    """Which forms of an answer are asked for in the provider's own way."""

    def sent(form: ResponseFormat) -> list[str] | None:
        exchange = provider.replying(Response.of('{"colour": "red"}'))
        if exchange.answered(Request([ASKED], response_format=form, options={"max_tokens": 8})) is None:
            return None
        return [] if exchange.constrained else exchange.carried()

    free = sent(Free())

    def taken(form: ResponseFormat) -> bool:
        found = sent(form)
        if found:
            assert found != free
            assert not isinstance(form, JsonSchema) or all("colour" in body for body in found)
        return found is not None

    forms: dict[str, tuple[ResponseFormat, ...]] = {
        "JSON": (JsonObject(),),
        "schema": (JsonSchema(SCHEMA, "answer"),),
        "regex": (Regex("[a-z]+"),),
        "grammar": (Grammar('start: "red" | "blue"', "lark"), Grammar('root ::= "red" | "blue"', "ebnf")),
    }
    return ", ".join(name for name, spellings in forms.items() if any(map(taken, spellings))) or "no"


def reasoning(provider: Provider) -> str:
    """What the model thought comes apart from what it says, whole and streamed."""
    exchange = provider.replying(Response(Message("assistant", [Reasoning("I think of 서울."), Text("Seoul.")])))
    answers = exchange.answered(Request([ASKED], options={"max_tokens": 80}))
    assert answers is not None
    whole, streamed, events = answers
    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert whole.reasoning == streamed.reasoning == thoughts
    if not thoughts:
        return "no"
    assert (thoughts, whole.content, streamed.content) == ("I think of 서울.", "Seoul.", "Seoul.")
    return "yes"


def usage(provider: Provider) -> str:
    """Tokens read and written are counted, and those that came from the provider's cache."""
    told = Usage(20, 5, cached_tokens=8)
    exchange = provider.replying(Response.of("Seoul.", usage=told))
    answers = exchange.answered(Request([ASKED], options={"max_tokens": 8}))
    assert answers is not None
    whole, streamed, _ = answers
    assert whole.usage == streamed.usage
    if whole.usage is None:
        return "no"
    if whole.usage.cached_tokens:
        assert whole.usage == told
        return "yes"
    assert whole.usage.input_tokens > 0
    assert whole.usage.output_tokens > 0
    return "without a cache"


def streaming(provider: Provider) -> str:
    """The answer comes in pieces, while it is made."""
    case = provider.answering(TEXT)
    events = asyncio.run(listen(case.model, case.request()))
    if len([event for event in events if isinstance(event, TextDelta)]) < 2:
        return "in one piece"
    laws.closing_a_stream_frees_everything(provider)
    return "yes"


def cancellation(provider: Provider) -> str:
    """A call that is cancelled, whole or streamed, ends at the provider too."""
    laws.cancelling_frees_everything(provider)
    return "yes"


FEATURES: dict[str, Callable[[Provider], str]] = {
    "stop": stop,
    "tools": tools,
    "tool history": tool_history,
    "parallel calls": parallel_calls,
    "images": images,
    "structured output": structured_output,
    "reasoning": reasoning,
    "usage with cached tokens": usage,
    "streaming": streaming,
    "cancellation": cancellation,
}


def in_order(text: str, *pieces: str) -> None:
    """Each of these stands in the text, after the one before."""
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        assert found >= 0, f"{piece!r} isn't there, or not after what should be before it: {text}"
        at = found + len(piece)


def measured(provider: Provider) -> dict[str, str]:
    """What each feature says of this provider."""
    return {name: feature(provider) for name, feature in FEATURES.items()}


PAGE = ROOT / "docs" / "adapters" / "index.md"
_TABLE = re.compile(r"(<!-- features[^>]*-->\n).*?(\n<!-- /features -->)", re.DOTALL)


def documented() -> dict[str, dict[str, str]]:
    """The table of the page: by adapter, what it says of each feature."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    assert found, f"{PAGE} has no table between its marks"
    lines = [line for line in found[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {_plain(row[0]): dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def _plain(cell: str) -> str:
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell)


def table(rows: Mapping[str, Mapping[str, str]], pages: Mapping[str, str]) -> str:
    """The table in Markdown; `pages` is where each adapter is described."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    head = [line(["adapter", *FEATURES]), line(["---"] * (len(FEATURES) + 1))]
    body = [line([f"[{name}]({pages[name]})", *(cells[at] for at in FEATURES)]) for name, cells in rows.items()]
    return "\n".join([*head, *body])


def main() -> None:
    """Run every feature of every adapter that is here, and write the table."""
    from subjects import ADAPTERS, provider, why_not_here

    rows = documented()
    for name in ADAPTERS:
        reason = why_not_here(name)
        if reason is None:
            with provider(name) as told:
                rows[name] = measured(told)
        print(f"{name}: {reason or rows[name]}")
    ordered = {name: rows[name] for name in ADAPTERS if name in rows}
    pages = {name: ADAPTERS[name].page for name in ordered}
    written = _TABLE.sub(lambda found: found[1] + table(ordered, pages) + found[2], PAGE.read_text("utf-8"))
    PAGE.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
