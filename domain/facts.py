"""What is known of models by their ids, as tables; `Capabilities(max_stops=...)` says otherwise where they are wrong.

A wrong guess does no harm where a provider merely ignores stops: the domain cuts every answer itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_BEGIN = r"(?:^|.*[^a-z0-9])"  # the name, or an Azure deployment that has it in its own: my-gpt-5-deploy

_REJECTS_STOP: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"o3(?!-mini)(?:-.*)?$",  # o3, o3-pro, o3-2025-04-16, but not o3-mini nor its dates
        r"o4(?:-.*)?$",  # o4-mini and its dates
        _BEGIN + r"gpt-?5",  # gpt-5 and all that follows it: gpt-5.1, gpt-5-mini; gpt5.1 is a deployment's spelling
        _BEGIN + r"grok-?(?:[3-9]|code)",  # xAI's reasoning models: grok-3-mini, grok-4, grok-code-fast-1
    )
)

_TAKES_STOPS: Final = tuple(
    (re.compile(pattern), limit)
    for pattern, limit in (
        (r"(?:gpt-?[34]|chatgpt|davinci|babbage)", 4),  # OpenAI: "up to 4 sequences"
        (r"o[13](?:-|$)", 4),
    )
)

# The makers of models on Bedrock that take stop sequences, and how many; others refuse the field: "This model doesn't
# support the stopSequences field" (gpt-oss, github.com/crewAIInc/crewAI/issues/3317; Qwen,
# github.com/langgenius/dify-official-plugins/issues/1767; DeepSeek, whose R1 takes only stops of 10 characters,
# github.com/langgenius/dify/issues/19975) or all that is of use (Titan, github.com/boto/boto3/issues/3993).
_BEDROCK_STOPS: Final = tuple(
    (re.compile(pattern), limit)
    for pattern, limit in (
        # Converse itself takes 2500: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration
        (r"anthropic\.", 2500),
        (r"amazon\.nova", 2500),
        # .../bedrock/latest/userguide/model-parameters-mistral-text-completion; those that only chat have no `stop`
        (r"mistral\.(?:mistral-7b|mixtral|mistral-(?:small|large)-2402)", 10),
        (r"cohere\.command", 4),  # the same guide: model-parameters-cohere-command
        (r"ai21\.j2", 1),  # github.com/langchain-ai/langchain/issues/10456
    )
)
_REGION: Final = re.compile(r"^(?:global|us|us-gov|eu|apac|jp|au|ca|sa|me|af)\.")  # an inference profile's

_WANTS_MAX_COMPLETION_TOKENS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"o\d(?:-.*)?$",  # o1, o1-mini, o3, o3-mini, o4-mini
        _BEGIN + r"gpt-?5",
    )
)
"""OpenAI's reasoning models refuse `max_tokens`: platform.openai.com/docs/guides/reasoning"""

_GIVES_ENCRYPTED_REASONING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"o\d(?:-.*)?$",
        # github.com/pydantic/pydantic-ai/issues/3326: "Encrypted content is not supported with this model"
        _BEGIN + r"gpt-?[5-9](?!-chat)",
        r"(?:codex|computer-use)-",
    )
)


_ANTHROPIC_TOKENS: Final = tuple(
    (re.compile(pattern), limit)
    for pattern, limit in (
        (r"claude-(?:2|instant|3-(?:opus|sonnet|haiku))", 4096),
        (r"claude-3-5", 8192),
    )
)
"""platform.claude.com/docs/en/about-claude/models/overview: the most that these write; all later ones write more."""

_ANTHROPIC_WINDOWS: Final = tuple(
    (re.compile(pattern), window)
    for pattern, window in (
        (r"claude-(?:[a-z]+-)?(?:[5-9]|4-[6-9])(?!\d)", 1_000_000),
        (r"claude-(?:haiku-|opus-|sonnet-)?(?:3|4)(?!\d)", 200_000),
    )
)
"""The same page and those of the models before: a million tokens since Claude 4.6."""

_ANTHROPIC_DEFAULT: Final = 16_000  # what may come in one piece, before a connection is taken for dead


def rejects_stop(model_id: str) -> bool:
    """Whether a provider refuses a call of this model that has a `stop` at all.

    >>> rejects_stop("openai/o4-mini"), rejects_stop("o3-mini")
    (True, False)
    """
    return max_stops(model_id) == 0


@lru_cache(maxsize=1024)
def max_stops(model_id: str) -> int | None:
    """How many stops the provider of this model takes: 0 for none, None where no limit is known.

    >>> max_stops("gpt-5"), max_stops("gpt-4o"), max_stops("mistral-large")
    (0, 4, None)
    """
    name = _name(model_id)
    if any(pattern.match(name) for pattern in _REJECTS_STOP):
        return 0
    return next((limit for pattern, limit in _TAKES_STOPS if pattern.match(name)), None)


@lru_cache(maxsize=1024)
def wants_max_completion_tokens(model_id: str) -> bool:
    """Whether the provider of this model refuses `max_tokens` and wants `max_completion_tokens` in its place.

    >>> wants_max_completion_tokens("my-gpt-5-deploy"), wants_max_completion_tokens("gpt-4o")
    (True, False)
    """
    return any(pattern.match(_name(model_id)) for pattern in _WANTS_MAX_COMPLETION_TOKENS)


@lru_cache(maxsize=1024)
def gives_encrypted_reasoning(model_id: str) -> bool:
    """Whether OpenAI can be asked for this model's reasoning, encrypted, to be sent back; others refuse the question.

    >>> gives_encrypted_reasoning("gpt-5-mini"), gives_encrypted_reasoning("gpt-5-chat-latest")
    (True, False)
    """
    return any(pattern.match(_name(model_id)) for pattern in _GIVES_ENCRYPTED_REASONING)


@lru_cache(maxsize=1024)
def bedrock_max_stops(model_id: str) -> int:
    """How many stops Bedrock takes for this model: its id, an inference profile's, or the ARN of one of these.

    0 where none is taken or nothing is known, as for the ARN of an application's own profile: a stop that is refused
    costs the answer, one that isn't sent costs a few tokens.

    >>> bedrock_max_stops("us.anthropic.claude-sonnet-4-20250514-v1:0"), bedrock_max_stops("openai.gpt-oss-20b-1:0")
    (2500, 0)
    """
    name = _REGION.sub("", model_id.rsplit("/", 1)[-1].lower().strip())
    return next((limit for pattern, limit in _BEDROCK_STOPS if pattern.match(name)), 0)


@lru_cache(maxsize=1024)
def anthropic_max_tokens(model_id: str) -> int:
    """How long an answer of this model may get where nobody says: the Messages API wants to be told.

    >>> anthropic_max_tokens("claude-sonnet-5-5"), anthropic_max_tokens("claude-3-haiku-20240307")
    (16000, 4096)
    """
    name = _name(model_id)
    return next((limit for pattern, limit in _ANTHROPIC_TOKENS if pattern.match(name)), _ANTHROPIC_DEFAULT)


@lru_cache(maxsize=1024)
def anthropic_context_window(model_id: str) -> int | None:
    """How many tokens one of Anthropic's models reads, where that is known.

    >>> anthropic_context_window("claude-sonnet-5-5"), anthropic_context_window("claude-haiku-4-5-20251001")
    (1000000, 200000)
    """
    return next((window for pattern, window in _ANTHROPIC_WINDOWS if pattern.match(_name(model_id))), None)


_GEMINI_SIGNS: Final = re.compile(r"gemini-(?:[3-9]|\d\d|(?:flash|pro|flash-lite)-latest)")


@lru_cache(maxsize=1024)
def gemini_signs_calls(model_id: str) -> bool:
    """Whether it is a Gemini from the third generation on.

    These refuse a history whose calls lack their thought signatures, take pictures within a tool's result, and think
    by levels rather than in tokens: ai.google.dev/gemini-api/docs/gemini-3

    >>> gemini_signs_calls("models/gemini-3.1-pro-preview"), gemini_signs_calls("gemini-2.5-flash")
    (True, False)
    """
    return bool(_GEMINI_SIGNS.match(_name(model_id)))


# ai.google.dev/gemini-api/docs/models: "input token limit"
_GEMINI_WINDOWS: Final = (
    (re.compile(r"gemini-(?:2|3|(?:flash|pro|flash-lite)-latest)(?!.*(?:image|tts|live|audio))"), 1_048_576),
    (re.compile(r"gemini-1\.5-pro"), 2_097_152),
    (re.compile(r"gemini-1\.5-flash"), 1_048_576),
)


@lru_cache(maxsize=1024)
def gemini_context_window(model_id: str) -> int | None:
    """How many tokens one of Google's models reads, where that is known.

    >>> gemini_context_window("gemini-2.5-flash"), gemini_context_window("gemini-2.5-flash-image")
    (1048576, None)
    """
    return next((window for pattern, window in _GEMINI_WINDOWS if pattern.match(_name(model_id))), None)


def _name(model_id: str) -> str:
    """The model's own name: without the provider before it, and without a variant (`:free`) after it."""
    name = model_id.rsplit("/", 1)[-1].lower().strip()
    return name.removeprefix("ft:").split(":", 1)[0]  # ft:gpt-4o-mini:company::id is a fine-tuned model
