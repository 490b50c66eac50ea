"""Which token may come next: compiled once for each form, walked by each answer alone."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import tiny_llama

from modelport import Free, Grammar, JsonObject, Regex
from modelport.adapters.local.constraint import Constraints, Uncompilable

WORDS = tiny_llama.tokenizer()


def constraints(asked: list[int] | None = None) -> Constraints:
    def vocabulary() -> Any:
        import llguidance.hf

        if asked is not None:
            asked.append(1)
        return llguidance.hf.from_tokenizer(WORDS)

    return Constraints(vocabulary)


def allowed(constraint: Any) -> list[str]:
    return WORDS.convert_ids_to_tokens(constraint.allowed(len(WORDS)).nonzero()[0].tolist())  # type: ignore[no-any-return]


def test_any_text_needs_none() -> None:
    assert constraints().start(Free()) is None


def test_what_may_come_depends_on_what_has_come() -> None:
    constraint = constraints().start(Regex("ab|ac"))
    assert constraint is not None
    assert allowed(constraint) == ["a"]
    constraint.take(WORDS("a")["input_ids"])
    assert allowed(constraint) == ["b", "c"]
    constraint.take(WORDS("c")["input_ids"])
    assert allowed(constraint) == ["<eos>"]


def test_scores_of_more_tokens_than_there_are_words_are_never_allowed() -> None:
    """Some models have room for tokens that their tokenizer hasn't."""
    constraint = constraints().start(Regex("a"))
    assert constraint is not None
    assert constraint.allowed(len(WORDS) + 100).sum() == 1


def test_two_answers_of_one_form_go_their_own_ways() -> None:
    of_the_model = constraints()
    one, other = of_the_model.start(Regex("ab")), of_the_model.start(Regex("ab"))
    assert one is not None
    one.take(WORDS("a")["input_ids"])
    assert (allowed(one), allowed(other)) == (["b"], ["a"])


def test_the_vocabulary_is_read_once_whoever_asks_at_once() -> None:
    asked: list[int] = []
    of_the_model = constraints(asked)
    threads = [threading.Thread(target=of_the_model.start, args=(Regex(f"a{at}"),)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parent_s_thread() -> None:
    begun, forked = threading.Event(), threading.Event()

    def vocabulary() -> Any:
        import llguidance.hf

        begun.set()
        forked.wait(30)
        return llguidance.hf.from_tokenizer(WORDS)

    of_the_model = Constraints(vocabulary)
    thread = threading.Thread(target=of_the_model.start, args=(Regex("a"),))
    thread.start()
    begun.wait(30)
    child = os.fork()
    if child == 0:
        forked.set()
        own = threading.Thread(target=of_the_model.start, args=(Regex("b"),), daemon=True)
        own.start()
        own.join(30)
        os._exit(1 if own.is_alive() else 0)
    forked.set()
    thread.join(30)
    assert os.waitpid(child, 0)[1] == 0


def test_only_the_last_forms_are_remembered() -> None:
    of_the_model = constraints()
    for at in range(70):
        of_the_model.start(Regex(f"a{at}"))
    assert list(of_the_model._compiled) == [Regex(f"a{at}") for at in range(6, 70)]


@pytest.mark.parametrize("form", [Regex("(("), Grammar("start: nothing"), Grammar("root = 1", "ebnf")])
def test_what_is_no_grammar_is_refused_in_one_line(form: Any) -> None:
    of_the_model = constraints()
    with pytest.raises(Uncompilable, match=r"^response_format: [^\n]+$"):
        of_the_model.start(form)
    assert of_the_model.start(JsonObject()) is not None
