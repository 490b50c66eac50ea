"""Stacks that can't be meant are told, with the fix."""

from __future__ import annotations

import pytest

from modelport import Capabilities, Layer, Model, ScriptedModel, compose, with_fallback, with_rate_limit, with_retry
from modelport.adapters import OpenAIModel, OpenVINOModel, TransformersModel
from modelport.composition.inspect.lint import RULES, Finding, lint
from modelport.composition.layers.cache import with_cache
from modelport.composition.layers.circuit_breaker import with_circuit_breaker
from modelport.composition.layers.concurrency import with_concurrency
from modelport.composition.layers.hedge import with_hedge
from modelport.composition.layers.timeout import with_timeout


def model(**able: bool) -> Model:
    return ScriptedModel("Hi!", capabilities=Capabilities(**able))


def rules(*layers: Layer) -> list[str]:
    return [finding.rule for finding in lint(compose(model(), *layers))]


@pytest.mark.parametrize(
    ("layers", "rule"),
    [
        ([with_retry(), with_retry()], "nested-retries"),
        ([with_retry(), with_rate_limit(60)], "limiter-outside-retry"),
        ([with_retry(), with_circuit_breaker()], "breaker-outside-retry"),
        ([with_timeout(attempt=9), with_timeout(total=5)], "attempt-over-total"),
        ([with_timeout(idle=9), with_retry(), with_timeout(total=5)], "attempt-over-total"),
        ([with_hedge(1.0)], "hedge-without-limiter"),
        ([with_fallback(model()), with_retry()], "retry-outside-fallback"),
        ([with_fallback(model()), with_cache()], "cache-outside-fallback"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_told(layers: list[Layer], rule: str) -> None:
    assert rules(*layers) == [rule]


def test_the_order_that_is_taught_has_no_findings() -> None:
    stack = [
        with_timeout(attempt=5),
        with_concurrency(8),
        with_rate_limit(60),
        with_circuit_breaker(),
        with_hedge(percentile=0.95),
        with_retry(),
        with_cache(),
        with_fallback(compose(model(), with_timeout(attempt=5), with_retry())),
        with_timeout(total=60),
    ]
    assert rules(*stack) == []


@pytest.mark.parametrize(
    "layers",
    [
        [with_fallback(model(), on=["circuit_open"]), with_retry()],
        [with_fallback(model(), on=lambda error: error.status == 404), with_retry()],
        [with_fallback(model()), with_retry(on=["exhausted"])],
        [with_fallback(model()), with_retry(on=lambda error: True)],
    ],
    ids=["other kinds", "what a function says", "when all have failed", "whatever fails"],
)
def test_a_retry_of_what_a_fallback_gives_back_as_it_is_may_be_meant(layers: list[Layer]) -> None:
    assert rules(*layers) == []


def test_a_limiter_of_the_model_s_own_limits_a_hedge() -> None:
    paced = OpenAIModel("m", base_url="http://127.0.0.1:9/v1", api_key="none", requests_per_minute=60)
    assert lint(compose(paced, with_hedge(1.0))) == ()


def test_each_way_through_a_fallback_is_looked_at() -> None:
    other = compose(model(), with_retry(attempts=2))
    finding, *_ = lint(compose(model(), with_fallback(compose(other, with_retry(attempts=3)))))
    assert str(finding) == (
        "nested-retries: Retry(attempts=3) around Retry(attempts=2): at worst these are 3 x 2 = 6 calls; "
        "keep one of them"
    )


def test_a_finding_is_told_once() -> None:
    stack = compose(model(), with_fallback(model(), model()), with_retry())
    assert [finding.rule for finding in lint(stack)] == ["retry-outside-fallback"]


def test_a_model_that_stands_there_twice_is_told() -> None:
    one = model()
    (finding,) = lint(compose(one, with_fallback(compose(one, with_retry()))))
    assert finding.rule == "one-model-twice"


def test_a_model_that_can_t_do_what_will_be_asked_is_told() -> None:
    stack = compose(model(tools=True, images=True), with_fallback(model(tools=True)))
    assert lint(stack) == ()
    assert lint(stack, needs="tools") == ()
    (finding,) = lint(stack, needs=["tools", "images"])
    assert (finding.rule, "no images" in finding.message) == ("lacks-capability", True)


def test_a_capability_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="there is no capability 'vision'; there are tools, images"):
        lint(model(), needs="vision")


def test_every_rule_says_what_it_is_about() -> None:
    assert all(rule.__doc__ for rule in RULES)
    assert Finding("a", "b", "c", "d") == Finding("a", "b", "c", "d")


@pytest.mark.parametrize("default", [OpenVINOModel(), TransformersModel("default")], ids=repr)
def test_the_embedded_default_is_no_substitute(default: Model) -> None:
    (finding,) = lint(compose(OpenAIModel("gpt-4o"), with_retry(), with_fallback(model(), compose(default))))
    assert (finding.rule, finding.where) == ("fallback-of-another-kind", repr(default))
    assert finding.message.startswith("its answers can't stand for those of OpenAIModel('gpt-4o')")


def test_the_embedded_default_may_stand_for_itself_and_a_larger_one_for_it() -> None:
    assert lint(compose(OpenVINOModel(), with_fallback(TransformersModel("default")))) == ()
    assert lint(compose(OpenVINOModel(), with_fallback(OpenVINOModel("org/larger")))) == ()
