"""compose, Decorated and describe: a stack is a value with the port's members."""

import asyncio
from types import SimpleNamespace

import pytest
from returns.result import Success

from modelport import (
    ModelError,
    ScriptedModel,
    VirtualClock,
    as_request,
    compose,
    describe,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.domain.capability import Capabilities
from modelport.domain.error import ModelFailure
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.model import Model
from modelport.domain.response import Response

REQUEST = as_request("Hello!")


class Rude:
    """A custom model whose stream breaks the law: it sends an empty delta, and just ends."""

    capabilities = Capabilities()

    def __init__(self, *pieces):
        self.pieces = pieces
        self.closed = False

    async def generate(self, request):
        return Success(Response.of("".join(self.pieces)))

    async def stream(self, request):
        try:
            for piece in self.pieces:
                yield TextDelta(piece)
        finally:
            self.closed = True


def events(model):
    async def collect():
        return [event async for event in model.stream(REQUEST)]

    return asyncio.run(collect())


def test_a_stack_is_called_like_a_function():
    assert compose(ScriptedModel("Hello!"))("Hi", stop_sequences=["!"]).content == "Hello"


def test_a_stack_is_a_model():
    assert isinstance(compose(ScriptedModel("Hi")), Model)


def test_a_failure_raises_when_called_like_a_function():
    with pytest.raises(ModelFailure, match="server: it broke"):
        compose(ScriptedModel(ModelError("server", "it broke")))("Hi")


def test_stacks_of_equal_parts_are_equal():
    model, layers = ScriptedModel("Hi"), (with_retry(), with_retry(attempts=2))
    assert compose(model, *layers) == compose(model, *layers)


def test_the_repr_prints_the_nesting():
    assert repr(compose(ScriptedModel("Hi"), with_retry(), with_rate_limit(60))).startswith(
        "RateLimit(60)(Retry(attempts=4)(Scri"
    )


def test_describe_draws_the_tree():
    stack = compose(
        SimpleModel("a"), with_rate_limit(60), with_retry(), with_fallback(compose(SimpleModel("b")), SimpleModel("c"))
    )
    assert describe(stack).splitlines() == [
        "Fallback()",
        "├─ Retry(attempts=4)",
        "│  └─ RateLimit(60)",
        "│     └─ SimpleModel('a')",
        "├─ SimpleModel('b')",
        "└─ SimpleModel('c')",
    ]


class SimpleModel(Rude):
    """A custom model with a name."""

    def __init__(self, model_id):
        super().__init__("Hi")
        self.model_id = model_id


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["gpt-4o"], "first argument is 'gpt-4o', which is not a model"),
        ([ScriptedModel], "which is not a model"),
        (
            [ScriptedModel("Hi"), with_fallback],
            r"layer 1 \(with_fallback\) makes the layer: its parentheses are missing: with_fallback\(\.\.\.\)",
        ),
        (
            [ScriptedModel("Hi"), lambda model: lambda other: other],
            r"layer 1 \(<lambda>\) gave another function, not a model; call it first: <lambda>\(\.\.\.\)",
        ),
        ([ScriptedModel("Hi"), with_retry(), ScriptedModel("Hi")], "layer 2 .* a second model goes into with_fallback"),
        ([ScriptedModel("Hi"), 3], r"layer 1 \(3\) is not a layer"),
        ([ScriptedModel("Hi"), lambda model: None], "gave None, which is not a model"),
    ],
)
def test_what_does_not_fit_is_named_at_once(parts, said):
    with pytest.raises(TypeError, match=said):
        compose(*parts)


class Shouting:
    """Somebody's layer, written as a class that is a model."""

    def __init__(self, inner):
        self.inner = inner
        self.capabilities = inner.capabilities

    async def generate(self, request):
        return (await self.inner.generate(request)).map(lambda response: Response.of(response.content.upper()))

    def stream(self, request):
        return self.inner.stream(request)


def test_a_class_of_models_is_a_layer():
    assert compose(ScriptedModel("Hello!"), Shouting)("Hi").content == "HELLO!"


def of_my_own(model, attempts):
    return model


def test_a_layer_that_was_not_called_first_is_told_to_be():
    with pytest.raises(TypeError) as caught:
        compose(ScriptedModel("Hi"), of_my_own)
    (note,) = caught.value.__notes__
    assert note.endswith("does it want its own arguments first: of_my_own(...)?")


def test_a_layer_of_somebody_else_s_is_taken():
    response = compose(ScriptedModel("x"), lambda model: SimpleModel("other"))("Hi")
    assert (response.content, response.attempts[0].model_id) == ("Hi", "other")


def test_every_answer_has_its_attempt_in_the_ledger():
    clock = VirtualClock()
    stack = compose(ScriptedModel("Hi"), with_retry(clock=clock))
    (attempt,) = clock.run(stack.generate(REQUEST)).unwrap().attempts
    assert (attempt.outcome, attempt.started, attempt.duration, attempt.first_event) == ("answered", 0.0, 0.0, None)


def test_a_stream_s_attempt_knows_its_first_event():
    last = events(compose(SimpleModel("a"), with_retry()))[-1]
    assert isinstance(last, Failed)
    assert last.error.attempts[0].first_event >= 0.0


def test_a_stream_that_just_ends_is_interrupted():
    first, last = events(compose(Rude("Hi")))
    assert (first, last.error.kind) == (TextDelta("Hi"), "interrupted")


def test_a_stream_of_nothing_is_interrupted():
    (last,) = events(compose(Rude("", "")))
    assert last.error.kind == "interrupted"


def test_a_closed_stream_closes_what_is_below():
    inner = Rude("a", "b")

    async def first_only():
        stream = compose(inner, with_retry(), with_fallback(ScriptedModel("Hi"))).stream(REQUEST)
        await anext(stream)
        await stream.aclose()

    asyncio.run(first_only())
    assert inner.closed


def test_a_stream_cancelled_before_its_first_event_closes_what_is_below():
    class Stalled(Rude):
        async def stream(self, request):
            try:
                await asyncio.sleep(60)
                yield TextDelta("never")
            finally:
                self.closed = True

    inner, clock = Stalled(), VirtualClock()

    async def cancelled():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(compose(inner, with_retry()).stream(REQUEST))

    clock.run(cancelled())
    assert inner.closed


def test_one_attempt_stays_one_through_many_layers():
    last = events(compose(ScriptedModel("Hi"), with_rate_limit(60), with_retry(), with_fallback(ScriptedModel("no"))))[
        -1
    ]
    assert [attempt.outcome for attempt in last.response.attempts] == ["answered"]


def test_an_outer_ledger_is_kept_in_order_over_streams():
    clock = VirtualClock()
    broken = ModelError("server", "it broke")
    stack = compose(
        ScriptedModel(broken, broken),
        with_rate_limit(60, clock=clock),
        with_retry(attempts=2, clock=clock, chance=lambda: 0.0),
        with_fallback(ScriptedModel("Hi"), clock=clock),
    )

    async def collect():
        return [event async for event in stack.stream(REQUEST)]

    *_, last = clock.run(collect())
    assert isinstance(last, Finished)
    assert [(a.outcome, [w.reason for w in a.waits]) for a in last.response.attempts] == [
        ("server", []),
        ("server", ["retry", "rate_limit"]),
        ("answered", []),
    ]


def test_a_provider_s_name_goes_into_the_ledger():
    named = SimpleNamespace(capabilities=Capabilities(), provider="p", model_id="m", generate=Rude("x").generate)
    named.stream = Rude("x").stream
    (attempt,) = compose(named)("Hi").attempts
    assert (attempt.provider, attempt.model_id) == ("p", "m")


def test_a_stack_is_a_diagram_too() -> None:
    spare = compose(ScriptedModel("b", model_id='the "spare"'), with_retry(attempts=2))
    stack = compose(compose(ScriptedModel("a", model_id="first")), with_retry(attempts=3), with_fallback(spare))
    assert describe(stack, "mermaid") == (
        "flowchart TD\n"
        '    n0["Fallback()"]\n'
        '    n0 --> n1["Retry(attempts=3)"]\n'
        "    n1 --> n2([\"ScriptedModel('first')\"])\n"
        '    n0 -. then .-> n3["Retry(attempts=2)"]\n'
        "    n3 --> n4([\"ScriptedModel('the #quot;spare#quot;')\"])"
    )


def test_a_stack_has_no_other_form() -> None:
    with pytest.raises(ValueError, match="form is 'text', 'mermaid' or 'svg', not 'png'"):
        describe(ScriptedModel("a"), "png")  # type: ignore[arg-type]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stack_outside_asyncio_says_that_it_needs_it(streamed):
    stack = compose(ScriptedModel("Hi!"), with_retry())
    request = as_request("Hello!")
    calling = stack.stream(request).__anext__() if streamed else stack.generate(request)
    with pytest.raises(RuntimeError, match=r"needs asyncio, .* under trio, call it in a thread: await trio\.to_thread"):
        calling.__await__().send(None)
    calling.close()
