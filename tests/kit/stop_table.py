"""Stops of every awkward sort, and what each runtime must say to them: the same text, reason, stop and usage.

The model is the embedded default, SmolLM2-135M-Instruct, greedy. It has said a thing two to four times and says it
again, sure of every token by two logits or more, so that no rounding or quantisation of a runtime can change the
answer. Usage counts the tokens up to the one that ended the text, the end token of the model included.

`tests/adapters/local/test_stop_table.py` asks whatever runtime is installed.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from modelport import Event, Finished, Response, TextDelta, as_request, blocking
from modelport.domain.usage import Usage

END: Final = "<|im_end|>"
COUNT: Final = "one two three four five six seven eight nine ten"  # a token for each word
KOREAN: Final = "이것은 사과입니다"  # two or three tokens for most characters
EMOJI: Final = "red 🍎 and 👨‍👩‍👧 here"
LINES: Final = "apples and\n\npears and\n\nplums"  # ap-ples, and "pe" "ars"
TAGS: Final = "Observation: <end> Action: <end_code>"
SIGNS: Final = "f(x) = [a|b]* + $5.00"
AGAIN: Final = "ababababac"
GREEN: Final = "green"

# How often the model has said it before it is asked once more, and the tokens of that prompt.
_TOLD: Final = {
    COUNT: (3, 105),
    KOREAN: (2, 97),
    EMOJI: (3, 132),
    LINES: (3, 108),
    TAGS: (2, 87),
    SIGNS: (3, 123),
    AGAIN: (4, 109),
    GREEN: (3, 78),
}


@attrs.frozen
class Case:
    """A call, and the answer that every runtime gives."""

    name: str
    messages: list[dict[str, str]] = attrs.field(repr=False)
    stops: list[str]
    max_tokens: int
    content: str
    finish_reason: str
    stopped_by: str | None
    usage: Usage

    def __str__(self) -> str:
        return self.name


def _case(
    name: str,
    says: str,
    stops: list[str],
    content: str,
    finish_reason: str,
    stopped_by: str | None,
    written: int,
    max_tokens: int = 40,
) -> Case:
    times, read = _TOLD[says]
    turns = [{"role": "user", "content": "Say it."}, {"role": "assistant", "content": says}]
    messages = [*turns * times, turns[0]]
    return Case(name, messages, stops, max_tokens, content, finish_reason, stopped_by, Usage(read, written))


CASES: Final = (
    # Without any that occurs
    _case("no stop, and the model's own end", COUNT, [], COUNT, "stop", None, 11),
    _case("no stop, and no room", COUNT, [], "one two three", "length", None, 3, max_tokens=3),
    _case("one token", COUNT, [], "one", "length", None, 1, max_tokens=1),
    _case("room for all but the end", GREEN, [], "green", "length", None, 1, max_tokens=1),
    _case("room for the end, too", GREEN, [], "green", "stop", None, 2, max_tokens=2),
    _case("a stop that never comes", COUNT, ["eleven"], COUNT, "stop", None, 11),
    _case("a stop that only the prompt holds", COUNT, ["Say it."], COUNT, "stop", None, 11),
    _case("a stop in other case", COUNT, ["Two"], COUNT, "stop", None, 11),
    _case("a stop longer than the text", GREEN, ["greener"], "green", "stop", None, 2),
    # Where it lies
    _case("a stop inside a token", COUNT, ["hre"], "one two t", "stop", "hre", 3),
    _case("one letter of the first token", COUNT, ["n"], "o", "stop", "n", 1),
    _case("a stop that ends with its token", COUNT, ["ree"], "one two th", "stop", "ree", 3),
    _case("a stop over several tokens", COUNT, ["wo three fo"], "one t", "stop", "wo three fo", 4),
    _case("a stop that is a space", COUNT, [" "], "one", "stop", " ", 2),
    _case("the first thing said", COUNT, ["one"], "", "stop", "one", 1),
    _case("the whole text", GREEN, ["green"], "", "stop", "green", 1),
    _case("the whole text, over many tokens", COUNT, [COUNT], "", "stop", COUNT, 10),
    _case("the last thing said", COUNT, ["ten"], "one two three four five six seven eight nine ", "stop", "ten", 10),
    # The model's own end is no text
    _case("the end token itself", COUNT, [END], COUNT, "stop", None, 11),
    _case("a stop across the end token", COUNT, ["ten" + END], COUNT, "stop", None, 11),
    _case("a stop that the end leaves unfinished", COUNT, ["ten eleven"], COUNT, "stop", None, 11),
    # Begun, and not ended
    _case("a stop begun that turns out another way", COUNT, ["three fourteen"], COUNT, "stop", None, 11),
    _case("no room in the middle of a stop", COUNT, ["two three four"], "one two three", "length", None, 3, 3),
    _case("room for the stop to the letter", COUNT, ["two three"], "one ", "stop", "two three", 3, 3),
    _case("no room for the longer of two", COUNT, ["two", "two three four"], "one ", "stop", "two", 3, 3),
    _case("a stop that begins like a tag before it", TAGS, ["<end_code>"], TAGS[:27], "stop", "<end_code>", 13),
    _case("a stop that begins inside itself", AGAIN, ["ababac"], "abab", "stop", "ababac", 5),
    # Several
    _case("of two the earlier", COUNT, ["four", "three"], "one two ", "stop", "three", 3),
    _case("of two that begin together the longer", COUNT, ["three", "three four"], "one two ", "stop", "three four", 4),
    _case("the longer doesn't come", COUNT, ["three", "three fifty"], "one two ", "stop", "three", 4),
    _case("one inside the other", COUNT, ["hree", "three"], "one two ", "stop", "three", 3),
    _case("the one inside is whole first", COUNT, ["three", "two three four"], "one ", "stop", "two three four", 4),
    _case("the one around it doesn't come", COUNT, ["three", "two three five"], "one two ", "stop", "three", 4),
    _case("the same twice", COUNT, ["two", "two"], "one ", "stop", "two", 2),
    _case("fifty", COUNT, [*(f"number {n}" for n in range(49)), "four"], "one two three ", "stop", "four", 4),
    _case("every beginning of one", COUNT, [COUNT[4:end] for end in range(7, 19)], "one ", "stop", COUNT[4:18], 4),
    # Lines, signs, and what isn't ASCII
    _case("an empty line", LINES, ["\n\n"], "apples and", "stop", "\n\n", 4),
    _case("a line break and what follows", LINES, ["\npears"], "apples and\n", "stop", "\npears", 6),
    _case("a space before a line break that isn't there", LINES, [" \n"], LINES, "stop", None, 12),
    _case("signs of regular expressions", SIGNS, [".*", "|b]*"], "f(x) = [a", "stop", "|b]*", 10),
    _case("a dot is only a dot", SIGNS, ["."], "f(x) = [a|b]* + $5", "stop", ".", 14),
    _case("a Korean syllable", KOREAN, ["은"], "이것", "stop", "은", 6),
    _case("the first Korean syllable", KOREAN, ["이"], "", "stop", "이", 1),
    _case("over Korean words", KOREAN, ["은 사과"], "이것", "stop", "은 사과", 11),
    _case("the same syllable, written in its letters", KOREAN, ["\u110b\u1175"], KOREAN, "stop", None, 19),
    _case("an emoji", EMOJI, ["🍎"], "red ", "stop", "🍎", 4),
    _case("an emoji of several", EMOJI, ["👩"], "red 🍎 and 👨‍", "stop", "👩", 13),
    _case("what joins emojis", EMOJI, ["\u200d"], "red 🍎 and 👨", "stop", "\u200d", 10),
    _case("no room in the middle of a character", EMOJI, ["🍏"], "red ", "length", None, 3, max_tokens=3),
)  # fmt: skip


def check(model: Any, case: Case) -> None:
    """Asks for the case whole and streamed; both must be its answer, and no piece may show a stop."""
    request = as_request(case.messages, case.stops, max_tokens=case.max_tokens, temperature=0)
    whole: Response = blocking(model).generate(request).unwrap()
    expected = (case.content, case.finish_reason, case.stopped_by, case.usage)  # but for what came from a cache
    assert _seen(whole) == expected, f"{_seen(whole)}, not {expected}"
    events: list[Event] = list(blocking(model).stream(request))
    last = events[-1]
    assert isinstance(last, Finished), last
    assert _seen(last.response) == expected, f"streamed: {_seen(last.response)}, not {expected}"
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert shown == case.content, f"shown: {shown!r}"


def _seen(response: Response) -> tuple[str, str, str | None, Usage]:
    usage = response.usage
    assert usage is not None
    assert 0 <= usage.cached_tokens < usage.input_tokens, usage
    return response.content, response.finish_reason.value, response.stopped_by, attrs.evolve(usage, cached_tokens=0)
