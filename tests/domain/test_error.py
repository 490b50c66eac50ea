"""What can go wrong, and what it means."""

import pickle

import pytest
from domain_values import errors
from hypothesis import given

from modelport.domain.attempt import Attempt, Wait, with_wait
from modelport.domain.error import MEANING, ErrorKind, Fault, ModelError, ModelFailure, Scope, Sent, table


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_a_meaning(kind: ErrorKind) -> None:
    """Each kind says whose fault it is and what to do, and only failures of others break a circuit."""
    meaning = MEANING[kind]
    assert meaning.advice
    assert ModelError(kind, "x").meaning is meaning
    if meaning.breaks_circuit:
        assert meaning.fault in (Fault.PROVIDER, Fault.NETWORK)
    if meaning.retry:
        assert meaning.fall_back
    assert f"| {kind} |" in table()


def test_the_table_is_markdown() -> None:
    """The table has a row for each kind, and as many cells in each row."""
    rows = table().splitlines()
    assert len(rows) == 2 + len(ErrorKind) == 2 + len(MEANING)
    assert {row.count("|") for row in rows} == {7}
    assert rows[2].startswith("| authentication | caller | no | yes | no | check the key")


def test_the_meanings_cannot_be_changed() -> None:
    """The table is closed."""
    with pytest.raises(TypeError):
        MEANING[ErrorKind.SERVER] = MEANING[ErrorKind.TIMEOUT]  # type: ignore[index]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ModelError("rate_limited", "slow down", status=429, provider="openai", model_id="gpt-4o"),
            "rate_limited (429) from openai:gpt-4o: slow down [wait, and pace the calls: with_rate_limit(...)]",
        ),
        (
            ModelError(ErrorKind.SERVER, "oops", attempts=(Attempt(None, None, "server"),) * 2),
            "server after 2 attempts: oops [the provider failed: try again: with_retry()]",
        ),
    ],
)
def test_an_error_is_one_line(error: ModelError, text: str) -> None:
    """It says what, from whom, after how much, why, and what to do."""
    assert str(error) == text
    assert str(ModelFailure(error)) == text


@given(errors)
def test_a_failure_carries_its_error(error: ModelError) -> None:
    """The exception can be pickled, and has the error in it."""
    failure = pickle.loads(pickle.dumps(ModelFailure(error)))
    assert failure.error == error
    assert failure.args == (error,)


def test_enums_are_read() -> None:
    """Kinds, scopes and whether it was sent can be given as words; others are refused."""
    error = ModelError("server", "x", "model", "no")  # type: ignore[arg-type]
    assert (error.kind, error.scope, error.sent) == (ErrorKind.SERVER, Scope.MODEL, Sent.NO)
    with pytest.raises(ValueError, match="sad"):
        ModelError("sad", "x")


def test_the_ledger_grows_at_its_front() -> None:
    """What was tried before comes first, and the first attempt is the one that waited."""
    first, second, wait = Attempt("a", "m", "server"), Attempt("b", "m", "server"), Wait("retry", 1.5)
    error = ModelError(ErrorKind.SERVER, "x", attempts=(second,)).after(first)
    assert error.attempts == (first, second)
    assert error.waited(wait).attempts == (Attempt("a", "m", "server", waits=(wait,)), second)
    assert with_wait((), wait) == ()
