"""with_retry: by kind, with growing jittered waits, Retry-After as a floor, and a deadline, in virtual time."""

import pytest
from laws import LAWS
from returns.result import Failure, Success
from subjects import Scripted

from modelport import ModelError, ScriptedModel, VirtualClock, as_request, compose, with_rate_limit, with_retry
from modelport.domain.error import MEANING, ErrorKind, ModelFailure
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.when import when

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke")


def retried(*answers, chance=0.5, layers=(), **how):
    """The result of a scripted model under with_retry, the clock, and the model."""
    clock, model = VirtualClock(), ScriptedModel(*answers)
    stack = compose(model, *layers, with_retry(**how, clock=clock, chance=lambda: chance))
    return clock.run(stack.generate(REQUEST)), clock, model


def test_an_answer_is_given_back_after_one_attempt():
    result, clock, model = retried("Hi")
    assert (result.unwrap().content, clock.now(), len(model.requests)) == ("Hi", 0.0, 1)


def test_the_waits_double_and_are_spread_by_chance():
    result, _, _ = retried(SERVER, SERVER, SERVER, "Hi", base=1, chance=0.25)
    waits = [wait.seconds for attempt in result.unwrap().attempts for wait in attempt.waits]
    assert waits == [0.25, 0.5, 1.0]


def test_the_cap_bounds_the_wait():
    result, _, _ = retried(*[SERVER] * 5, "Hi", attempts=6, base=1, cap=3, chance=1.0)
    assert [attempt.waits[0].seconds for attempt in result.unwrap().attempts[1:]] == [1, 2, 3, 3, 3]


def test_the_last_error_comes_back_with_every_attempt():
    result, _, model = retried(SERVER, ModelError("timeout", "slow"), attempts=2)
    error = result.failure()
    assert (error.kind, [a.outcome for a in error.attempts], len(model.requests)) == (
        "timeout",
        ["server", "timeout"],
        2,
    )


def test_one_attempt_never_waits():
    result, clock, _ = retried(SERVER, attempts=1)
    assert (result.failure().kind, clock.now()) == ("server", 0.0)


@pytest.mark.parametrize(("said", "calls"), [(False, 1), (True, 2), (None, 2)])
def test_a_provider_that_says_it_is_of_no_use_is_obeyed(said, calls):
    result, _, model = retried(ModelError("overloaded", "busy", should_retry=said), "Hi")
    assert (isinstance(result, Success), len(model.requests)) == (calls == 2, calls)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not MEANING[kind].retry])
def test_a_kind_that_will_not_pass_is_not_tried_again(kind):
    result, _, model = retried(ModelError(kind, "no"))
    assert (result.failure().kind, len(model.requests)) == (kind, 1)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if MEANING[kind].retry])
def test_a_kind_that_may_pass_is_tried_again(kind):
    result, _, _ = retried(ModelError(kind, "perhaps"), "Hi")
    assert result.unwrap().content == "Hi"


def test_on_names_the_kinds():
    result, _, _ = retried(ModelError("authentication", "new key soon"), "Hi", on="authentication")
    assert result.unwrap().content == "Hi"


def test_on_may_be_a_question():
    result, _, model = retried(SERVER, "Hi", on=lambda error: error.status == 500)
    assert (result.failure().kind, len(model.requests)) == ("server", 1)


def test_retry_after_is_a_floor():
    result, clock, _ = retried(ModelError("rate_limited", "slow down", retry_after=7.0), "Hi")
    assert (result.unwrap().attempts[1].waits[0].seconds, clock.now()) == (7.0, 7.0)


def test_a_retry_after_beyond_max_wait_gives_up_at_once():
    result, clock, _ = retried(ModelError("rate_limited", "tomorrow", retry_after=86400.0), "Hi")
    assert (result.failure().kind, clock.now()) == ("rate_limited", 0.0)


def test_no_sleep_goes_past_the_deadline():
    result, clock, model = retried(*[SERVER] * 4, base=4, chance=1.0, deadline=10)
    assert (result.failure().kind, clock.now(), len(model.requests)) == ("server", 4.0, 2)


def test_within_the_deadline_it_is_tried_again():
    result, _, _ = retried(SERVER, "Hi", deadline=10)
    assert result.unwrap().content == "Hi"


def test_an_answer_within_the_deadline_is_given_back():
    assert isinstance(retried("Hi", deadline=10)[0], Success)


def test_the_deadline_reaches_the_limiter_below():
    clock = VirtualClock()
    model = ScriptedModel(SERVER, "Hi")
    layers = (with_rate_limit(6, clock=clock), with_retry(deadline=5, base=1, chance=lambda: 1.0, clock=clock))
    error = clock.run(compose(model, *layers).generate(REQUEST)).failure()
    assert (error.kind, clock.now(), len(model.requests)) == ("deadline_exceeded", 1.0, 1)


def test_tenacity_strategies_are_taken():
    from tenacity import stop_after_delay, wait_fixed

    result, clock, _ = retried(*[SERVER] * 9, attempts=9, wait=wait_fixed(2), stop=stop_after_delay(5))
    assert (len(result.failure().attempts), clock.now()) == (4, 6.0)


def test_a_tenacity_strategy_sees_the_failure():
    from tenacity import wait_exception

    def kind_decides(failure):
        assert isinstance(failure, ModelFailure)
        return 3.0 if failure.error.kind == "server" else 9.0

    assert retried(SERVER, "Hi", wait=wait_exception(kind_decides))[1].now() == 3.0


def streamed(*answers):
    clock = VirtualClock()
    stack = compose(ScriptedModel(*answers), with_retry(clock=clock, chance=lambda: 0.5))

    async def collect():
        return [event async for event in stack.stream(REQUEST)]

    return clock.run(collect())


def test_a_stream_is_tried_again_before_its_first_content():
    *deltas, last = streamed(SERVER, "Hi")
    assert "".join(delta.text for delta in deltas) == "Hi"
    assert [a.outcome for a in last.response.attempts] == ["server", "answered"]


def test_a_stream_is_never_repeated_after_its_first_content():
    events = streamed([TextDelta("Hel"), Failed(SERVER)], "Hello")
    assert [type(event) for event in events] == [TextDelta, Failed]


def test_a_stream_that_always_fails_ends_in_one_failure():
    (event,) = streamed(SERVER, SERVER, SERVER, SERVER)
    assert isinstance(event, Failed)
    assert len(event.error.attempts) == 4


def test_an_empty_answer_is_an_answer():
    (event,) = streamed("")
    assert isinstance(event, Finished)


def test_the_repr_shows_what_differs_from_the_defaults():
    assert repr(compose(ScriptedModel("Hi"), with_retry(attempts=2, base=1.0)).policy) == "Retry(attempts=2, base=1.0)"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"attempts": 0}, "attempts must be at least 1 .* not 0"),
        ({"base": -1}, "base must be at least 0 seconds, not -1"),
        ({"cap": float("nan")}, "cap must be at least 0 seconds, not nan"),
        ({"deadline": 0}, "deadline must be more than 0 seconds, not 0"),
        ({"max_wait": -2}, "max_wait must be at least 0"),
        ({"on": []}, "an empty set acts on nothing"),
        ({"on": "slowness"}, "'slowness' is not a valid ErrorKind; the kinds are authentication, "),
    ],
)
def test_a_number_that_makes_no_sense_is_an_error_at_once(how, said):
    with pytest.raises(ValueError, match=said):
        with_retry(**how)


@pytest.mark.parametrize("attempts", [2.5, True, "3"])
def test_attempts_are_a_whole_number(attempts):
    with pytest.raises(TypeError, match="whole number"):
        with_retry(attempts)


def test_a_failure_is_a_value_not_an_exception():
    assert isinstance(retried(ModelError("invalid_request", "no"))[0], Failure)


# Which errors, how often, and how long


def test_questions_of_the_error_combine():
    on = when(kind="server") & ~when(status=501) | when(code="busy")
    for error, tried in (
        (ModelError("server", "no"), 2),
        (ModelError("server", "no", status=501), 1),
        (ModelError("rate_limited", "no"), 1),
        (ModelError("rate_limited", "no", code="busy"), 2),
    ):
        assert len(retried(error, "Hi", on=on, attempts=2)[2].requests) == tried


def test_a_kind_may_have_fewer_attempts_than_the_others():
    slow = ModelError("timeout", "slow")
    result, _, model = retried(SERVER, slow, SERVER, slow, "Hi", attempts=9, per_kind={"timeout": 2})
    assert (result.failure().kind, len(model.requests)) == ("timeout", 4)
    assert retried(SERVER, SERVER, slow, "Hi", per_kind={"timeout": 2})[0].unwrap().content == "Hi"


def test_no_kind_has_more_attempts_than_there_are():
    assert len(retried(SERVER, SERVER, "Hi", attempts=2, per_kind={"server": 5})[2].requests) == 2


@pytest.mark.parametrize(
    ("sent", "resend", "tried"),
    [
        ("yes", "yes", 2),
        ("yes", "perhaps", 1),
        ("perhaps", "perhaps", 2),
        ("perhaps", "no", 1),
        ("no", "no", 2),
    ],
)
def test_what_may_have_been_sent_is_sent_again_only_if_that_is_allowed(sent, resend, tried):
    error = ModelError("interrupted", "cut", sent=sent)
    assert len(retried(error, "Hi", attempts=2, resend=resend)[2].requests) == tried


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_what_the_provider_refused_did_nothing_and_is_sent_again(kind):
    assert retried(ModelError(kind, "not now", sent="yes"), "Hi", resend="no")[0].unwrap().content == "Hi"


def test_a_hook_is_told_of_each_retry_and_may_give_another_wait():
    told = []

    def hook(error, attempts, wait):
        told.append((error.kind, attempts, wait))
        return 7.0 if attempts == 2 else None

    result, clock, _ = retried(SERVER, SERVER, "Hi", base=1, chance=0.5, hook=hook)
    assert told == [("server", 1, 0.5), ("server", 2, 1.0)]
    assert [a.waits[0].seconds for a in result.unwrap().attempts[1:]] == [0.5, 7.0]
    assert clock.now() == 7.5


def test_no_hook_breaks_a_retry_after():
    error = ModelError("rate_limited", "slow down", retry_after=5.0)
    assert retried(error, "Hi", hook=lambda *_: 1.0)[1].now() == 5.0


def test_a_hook_that_waits_for_ever_gives_up():
    assert len(retried(SERVER, "Hi", hook=lambda *_: float("inf"))[2].requests) == 1


@pytest.mark.parametrize("given", [-1, float("nan"), "soon", True])
def test_a_hook_gives_seconds(given):
    with pytest.raises(ValueError, match="with_retry: hook must give seconds of at least 0, or None"):
        retried(SERVER, "Hi", hook=lambda *_: given)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"per_kind": {"slowness": 2}}, ValueError, "with_retry: per_kind: 'slowness' is not a valid ErrorKind"),
        (
            {"per_kind": {"server": 0}},
            ValueError,
            r"with_retry: per_kind\['server'\] must be a whole number of at least 1",
        ),
        ({"per_kind": 2}, TypeError, "with_retry: per_kind must be a dict"),
        ({"resend": "sometimes"}, ValueError, "with_retry: resend must be one of no, perhaps, yes, not 'sometimes'"),
        ({"hook": 3}, TypeError, "with_retry: hook must be a function"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(how, error, said):
    with pytest.raises(error, match=said):
        with_retry(**how)


def test_the_repr_shows_them():
    policy = compose(ScriptedModel("Hi"), with_retry(on=when(retry=True), per_kind={"timeout": 2}, resend="no")).policy
    assert repr(policy) == "Retry(attempts=4, on=when(retry=True), per_kind={'timeout': 2}, resend='no')"


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_retry(base=0.001, per_kind={"interrupted": 2}, resend="yes", hook=lambda *_: 0.0)))
