"""with_trace: a span for each call and each attempt, through OpenTelemetry's own SDK."""

from __future__ import annotations

import asyncio
import contextvars
import json
import pickle
import subprocess
import sys

import attrs
import laws
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from subjects import Scripted

from modelport import (
    OMIT,
    Audio,
    Image,
    Message,
    ModelError,
    Reasoning,
    Response,
    ScriptedModel,
    Stall,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    VirtualClock,
    as_request,
    compose,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import OpenAIModel
from modelport.composition.layers import gen_ai
from modelport.composition.layers.trace import with_trace
from modelport.domain.attempt import Attempt, Skipped, Wait

REQUEST = as_request("Hello!")
SECRET = "sk-secret-0123456789abcdef"
EPOCH = 1_700_000_000_000_000_000


@attrs.frozen
class Sight:
    """An SDK that keeps what it is told, and a clock."""

    clock: VirtualClock = attrs.field(factory=VirtualClock)
    kept: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracers: TracerProvider = attrs.field(init=False)
    meters: MeterProvider = attrs.field(init=False)
    sampler: object = None

    def __attrs_post_init__(self):
        tracers = TracerProvider(sampler=self.sampler) if self.sampler else TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.kept))
        object.__setattr__(self, "tracers", tracers)
        object.__setattr__(self, "meters", MeterProvider([self.reader]))

    def layer(self, **how):
        return with_trace(
            tracer_provider=self.tracers,
            meter_provider=self.meters,
            clock=self.clock,
            wall=lambda: EPOCH + round(self.clock.now() * 1e9),
            **how,
        )

    def spans(self):
        """The call's span, and those of its attempts."""
        spans = self.kept.get_finished_spans()
        (call,) = (span for span in spans if span.parent is None)
        return call, *(span for span in spans if span.parent is not None)

    def metrics(self):
        """The data points by metric."""
        (resource,) = self.reader.get_metrics_data().resource_metrics
        return {m.name: list(m.data.data_points) for scope in resource.scope_metrics for m in scope.metrics}


def traced(*answers, request=REQUEST, streamed=False, layers=(), model=None, sampler=None, **how):
    """What an SDK has seen of one call."""
    sight = Sight(sampler=sampler)
    inner = model or ScriptedModel(*answers, provider="openai", model_id="gpt-4o", sleep=sight.clock.sleep, chunk=1)
    stack = compose(inner, *(layer(sight.clock) for layer in layers), sight.layer(**how))
    sight.clock.run(laws.listen(stack, request) if streamed else stack.generate(request))
    return sight


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("seen", [False, True], ids=["without an SDK", "with one"])
def test_the_law_is_kept(law, seen):
    law(Scripted(lambda _: with_trace(tracer_provider=TracerProvider() if seen else None)))


def test_a_call_is_a_span_and_its_attempt_one_below():
    said = Response.of("Hi", usage=Usage(12, 3, 4, 0, 2), model_id="gpt-4o-1", response_id="r")
    call, attempt = traced(Stall(said, seconds=2.0)).spans()
    assert (call.name, call.kind, call.status.status_code) == ("chat gpt-4o", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.id": "r",
        "gen_ai.response.model": "gpt-4o-1",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }
    assert (attempt.name, attempt.kind, attempt.parent.span_id) == (
        "attempt gpt-4o",
        SpanKind.CLIENT,
        call.context.span_id,
    )
    assert dict(attempt.attributes) == {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "modelport.attempt.number": 1,
        "modelport.attempt.input_tokens": 12,
        "modelport.attempt.output_tokens": 3,
    }


def test_each_attempt_stands_where_it_was_in_time():
    layers = (lambda clock: with_rate_limit(60, clock=clock), lambda clock: with_retry(base=0, clock=clock))
    server = Stall(ModelError("server", f"it broke with {SECRET}"), seconds=0.5)
    call, first, second = traced(server, Stall("Hi", seconds=2.0), layers=layers).spans()
    assert [(span.start_time - EPOCH, span.end_time - EPOCH) for span in (first, second)] == [
        (0, 500_000_000),
        (1_000_000_000, 3_000_000_000),
    ]
    assert (first.attributes["error.type"], first.status.status_code, first.status.description) == (
        "server",
        StatusCode.ERROR,
        "it broke with ***",
    )
    assert (second.attributes["modelport.attempt.number"], second.attributes["modelport.wait.rate_limit"]) == (2, 0.5)
    assert call.status.status_code == StatusCode.UNSET


def test_who_was_passed_over_is_told_with_the_attempt():
    waits = (Skipped("circuit_open", model_id="n"), Wait("rate_limit", 0.5), Wait("rate_limit", 0.25))
    assert gen_ai.of_attempt(Attempt(None, "m", "answered", waits=waits), 2) == {
        "gen_ai.request.model": "m",
        "modelport.attempt.number": 2,
        "modelport.attempt.passed_over": ("n: circuit_open",),
        "modelport.wait.rate_limit": 0.75,
    }


def test_a_failure_has_the_kind_as_its_type_and_no_secret():
    error = ModelError("rate_limited", f"no: {SECRET}", status=429, code="slow_down", request_id="r")
    call, attempt = traced(error).spans()
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "no: ***")
    assert {name: value for name, value in call.attributes.items() if not name.startswith("gen_ai")} == {
        "error.type": "rate_limited",
        "http.response.status_code": 429,
        "modelport.error.code": "slow_down",
        "modelport.error.request_id": "r",
    }
    assert attempt.attributes["error.type"] == "rate_limited"


def test_a_stream_says_when_its_first_event_came():
    call, attempt = traced(Stall("Hi", seconds=0.5), streamed=True).spans()
    assert call.attributes["gen_ai.request.stream"] is True
    assert call.attributes["gen_ai.response.time_to_first_chunk"] == 0.5
    assert attempt.attributes["modelport.attempt.first_event"] == 0.5


def test_what_is_asked_for_is_told_with_the_model_s_own_options():
    model = OpenAIModel("gpt-4o", base_url="http://127.0.0.1:9/v1", temperature=0.2, seed=7, api_key="none")
    request = as_request("Hi", ["."], max_tokens=5, seed=OMIT, user="me", response_format={"type": "json_object"})
    assert gen_ai.of_model(model) | gen_ai.of_request(model, request) == {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.stop_sequences": (".",),
        "server.address": "127.0.0.1",
        "server.port": 9,
        "gen_ai.output.type": "json",
    }


def test_the_options_of_a_call_are_on_its_span():
    call, _ = traced("Hi", request=as_request("Hi", max_tokens=5)).spans()
    assert call.attributes["gen_ai.request.max_tokens"] == 5


@attrs.frozen
class Elsewhere:
    """A model with an address."""

    base_url: str
    provider: str = "azure"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://user:secret@host.example/v1", {"server.address": "host.example"}),
        ("http://[::1", {}),
        ("http://host:port", {}),
    ],
)
def test_an_address_is_told_without_secrets(address, found):
    about = gen_ai.of_model(Elsewhere(address))
    assert about.pop("gen_ai.provider.name") == "azure.ai.openai"
    assert about == found


def test_a_model_in_this_process_is_internal():
    call, attempt = traced(model=ScriptedModel("Hi", provider="openvino")).spans()
    assert (call.name, call.kind, attempt.name, attempt.kind) == (
        "chat",
        SpanKind.INTERNAL,
        "attempt",
        SpanKind.INTERNAL,
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_cut_short_is_a_span_too(streamed):
    sight = Sight()
    stack = compose(ScriptedModel(Stall("Hi", after=1), chunk=1), sight.layer())

    async def leaves():
        if streamed:
            stream = stack.stream(REQUEST)
            await anext(stream)
            await stream.aclose()
        else:
            task = asyncio.create_task(stack.generate(REQUEST))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(leaves())
    (call,) = sight.spans()
    assert (call.attributes["modelport.cut_short"], call.status.status_code) == (True, StatusCode.UNSET)


def test_nothing_that_was_said_is_told():
    call, attempt = traced("the answer", request=as_request("the question")).spans()
    assert "the " not in call.to_json() + attempt.to_json()


def test_what_was_said_is_told_on_request_by_the_conventions_and_without_secrets():
    tool = Tool("look", "Looks.", {"type": "object", "properties": {"token": {"type": "string"}}})
    request = as_request(
        [
            Message("system", "Be brief."),
            Message("user", [Text(f"my key is {SECRET}"), Image(b"abc"), Audio(url="https://h/a?token=secret")]),
            Message("assistant", [ToolCall("1", "look", {"at": "sky"})]),
            Message("tool", [ToolResult("1", "blue")]),
        ],
        tools=[tool],
    )
    said = Response(Message("assistant", [Reasoning("hm"), ToolCall("2", "look")]), "tool_calls")
    call, _ = traced(said, request=request, content=True).spans()
    assert json.loads(call.attributes["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "my key is ***"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "bytes": 3},
                {"type": "uri", "modality": "audio", "mime_type": "audio/wav", "uri": "https://h/a?token=***"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "1", "name": "look", "arguments": '{"at":"sky"}'}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "blue"}]},
    ]
    assert json.loads(call.attributes["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "2", "name": "look", "arguments": "{}"},
            ],
            "finish_reason": "tool_call",
        }
    ]
    assert json.loads(call.attributes["gen_ai.tool.definitions"])[0]["parameters"]["properties"] == {
        "token": {"type": "string"}
    }


def test_a_failure_has_only_what_was_asked():
    call, _ = traced(ModelError("server", "it broke"), content=True).spans()
    assert ("gen_ai.input.messages" in call.attributes, "gen_ai.output.messages" in call.attributes) == (True, False)


def test_the_time_and_the_tokens_are_metrics():
    layers = (lambda clock: with_retry(base=0, clock=clock),)
    metrics = traced(
        ModelError("server", "it broke"), Stall(Response.of("Hi", usage=Usage(12, 3)), seconds=2.0), layers=layers
    ).metrics()
    (duration,) = metrics["gen_ai.client.operation.duration"]
    assert (duration.count, duration.sum, duration.explicit_bounds[:2]) == (1, 2.0, (0.01, 0.02))
    assert dict(duration.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
    }
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": 12, "output": 3}


def test_a_failure_is_counted_by_its_kind():
    (duration,) = traced(ModelError("server", "it broke", code="x")).metrics()["gen_ai.client.operation.duration"]
    assert duration.attributes["error.type"] == "server"
    assert not [name for name in duration.attributes if name.startswith("modelport")]


def current():
    """The id of the span that is current."""
    return trace.get_current_span().get_span_context().span_id


@pytest.mark.parametrize("streamed", [False, True])
def test_the_span_is_current_while_the_model_is_asked_and_only_then(streamed):
    inside = []
    sight = Sight()
    stack = compose(ScriptedModel(lambda _: inside.append(current()) or "Hello", chunk=1), sight.layer())

    async def main():
        if not streamed:
            await stack.generate(REQUEST)
            return [current()]
        return [current() async for _ in stack.stream(REQUEST)]

    outside = asyncio.run(main())
    call, _ = sight.spans()
    assert (inside, set(outside)) == ([call.context.span_id], {0})


def test_the_span_is_below_the_one_of_the_application():
    sight = Sight()
    stack = compose(ScriptedModel("Hi"), sight.layer())

    async def main():
        with sight.tracers.get_tracer("app").start_as_current_span("app"):
            await stack.generate(REQUEST)
            return trace.get_current_span().name

    assert asyncio.run(main()) == "app"
    spans = {span.name: span for span in sight.kept.get_finished_spans()}
    assert spans["chat"].parent.span_id == spans["app"].context.span_id


def test_a_call_may_be_closed_in_another_context():
    sight = Sight()
    call = compose(ScriptedModel(Stall("Hi")), sight.layer()).generate(REQUEST)

    async def begin():
        call.send(None)

    before = context.get_current()
    contextvars.copy_context().run(asyncio.run, begin())
    call.close()
    assert context.get_current() == before
    assert len(sight.spans()) == 1


def test_a_call_that_is_not_sampled_tells_nothing_and_still_counts():
    sight = traced("Hi", sampler=ALWAYS_OFF)
    assert sight.kept.get_finished_spans() == ()
    assert sight.metrics()["gen_ai.client.operation.duration"][0].count == 1


def test_the_policy_can_be_pickled_and_shows_what_differs():
    layers = [with_trace(), with_trace(content=True)]
    policies = [layer(ScriptedModel("Hi")).policy for layer in layers]
    assert [repr(policy) for policy in policies] == ["Trace()", "Trace(content=True)"]
    assert pickle.loads(pickle.dumps(policies[1])) == policies[1]


def test_without_the_api_the_layer_is_left_out():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from modelport import ScriptedModel\n"
        "from modelport.composition.layers.trace import with_trace\n"
        "model = ScriptedModel('Hi')\n"
        "print(with_trace()(model) is model)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_importing_the_layer_imports_no_opentelemetry():
    code = "import sys, modelport.composition.layers.trace; print([n for n in sys.modules if 'opentelemetry' in n])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
