"""A result as one of its two values, which `match` tells apart, with their types, in every type checker.

mypy reads what is inside a `Success(...)` pattern of a result as `Any`.
"""

from __future__ import annotations

from typing import TypeVar

from returns.result import Failure, Result

A = TypeVar("A")
B = TypeVar("B")


def outcome(result: Result[A, B]) -> A | B:
    """The answer or the error in a result.

    >>> from returns.result import Failure, Success
    >>> outcome(Success("an answer")), outcome(Failure("an error"))
    ('an answer', 'an error')
    """
    return result.failure() if isinstance(result, Failure) else result.unwrap()
