"""What to write in place of a name that is no option: the field's other words for things, and the nearest name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from ..frozen import FrozenDict
from .option_names import EVERYWHERE

_FIELDS: Final = ("messages", "stop_sequences", "tools", "tool_choice", "response_format")

MEANT: Final[Mapping[str, str]] = FrozenDict(
    {
        name: fix
        for words, fix in {
            "stop stops stop_strings stopSequences stop_sequences": "use stop_sequences=[...] of the call instead",
            "messages": "use messages of the call instead",
            "prompt input inputs question text": "what is asked comes first in a call: model('...')",
            "system system_prompt system_message system_instruction instructions": (
                "put a message of role 'system' first instead"
            ),
            "tools functions": "use tools=[Tool(...)] of the call instead",
            "tool_choice function_call": "use tool_choice=... of the call instead",
            "tool_name_key tool_arguments_key": "every provider's calls are read: response.message.tool_calls",
            "response_format": "use response_format=... of the call instead",
            "json_schema schema guided_json response_schema response_json_schema": (
                "use response_format=JsonSchema(...) of the call instead"
            ),
            "guided_regex": "use response_format=Regex(...) of the call instead",
            "guided_grammar": "use response_format=Grammar(...) of the call instead",
            "response_model": "use the layer with_check(...) instead",
            "stream streaming": "use the model's stream member instead",
            "n best_of num_return_sequences": "a call has one answer: ask again for another",
            "model": "a model has its name from its constructor",
            "retry retries num_retries max_retries max_attempts": "use the layer with_retry(attempts=...) instead",
            "fallback fallbacks": "use the layer with_fallback(...) instead",
            "timeout request_timeout": "use the layer with_timeout(attempt=...) instead",
            "cache": "use the layer with_cache(...) instead",
            "callbacks": "use the layer with_log(...) or with_trace(...) instead",
            "headers": "use extra_headers={...} instead",
            "query params": "use extra_query={...} instead",
            "body": "use extra_body={...} instead",
            "extra_headers extra_query": "this adapter sends no headers and no query of yours",
            "temp": "use temperature=... instead",
            "length n_predict": "use max_tokens=... instead",
        }.items()
        for name in words.split()
    }
)
"""Names that look like options and are something else, or nothing here, and what to do instead."""

_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = FrozenDict(
    {
        name: arguments
        for words, arguments in {
            "url uri endpoint address host server base_uri api_url api_endpoint server_url openai_api_base base_url "
            "api_base azure_endpoint endpoint_url": ("base_url", "azure_endpoint", "endpoint_url"),
            "key api_key openai_api_key google_api_key gemini_api_key secret auth": ("api_key", "token"),
            "token api_token access_token hf_token": ("token", "api_key"),
            "model name model_id model_name model_path deployment deployment_name azure_deployment repo_id": (
                "model_id",
            ),
            "region region_name aws_region aws_region_name location": ("region_name", "location"),
            "project_id gcp_project google_cloud_project": ("project",),
            "profile aws_profile aws_profile_name": ("profile_name",),
            "org organization organization_id openai_organization": ("organization", "bill_to"),
            "version azure_api_version openai_api_version": ("api_version",),
            "provider": ("provider",),
            "rpm rate_limit max_rpm requests_per_minute": ("requests_per_minute",),
            "request_timeout read_timeout connect_timeout": ("timeout",),
            "role_conversions roles custom_role_conversions": ("custom_role_conversions",),
            "flatten flatten_messages flatten_messages_as_text": ("flatten_messages_as_text",),
            "alternate alternate_roles ensure_alternating_roles merge_messages join_messages": ("join_messages",),
            "device device_map": ("device_map", "device"),
            "torch_dtype precision": ("dtype",),
            "template": ("apply_chat_template_kwargs",),
            "default_headers default_query http_client azure_ad_token azure_ad_token_provider": ("client_kwargs",),
            "anthropic_api_key anthropic_auth_token auth_token": ("api_key",),
            "anthropic_api_url anthropic_base_url": ("base_url",),
            "anthropic_version": ("api_version",),
            "revision cache_dir quantization_config attn_implementation load_in_8bit load_in_4bit local_files_only "
            "max_model_len gpu_memory_utilization tensor_parallel_size enforce_eager quantization max_num_seqs "
            "adapter_path": ("model_kwargs", "load_kwargs"),
        }.items()
        for name in words.split()
    }
)
"""Words for an argument of a constructor: it is the first of these that the adapter has."""


def refusal(name: str, where: str, known: Collection[str], takes: Callable[..., Any] | None = None) -> str:
    """Why this name is refused, and what to write instead.

    `known` are the options that there are. `takes` is the constructor that would have taken an argument of that name.

    >>> refusal("temprature", "options", EVERYWHERE)
    "options: there is no option 'temprature'; did you mean temperature=?"
    """
    arguments = [] if takes is None else [each for each in inspect.signature(takes).parameters if each != "options"]
    argument = argument_meant(name, arguments)
    if argument is not None:
        value = f"{{{name!r}: ...}}" if argument.endswith("_kwargs") else "..."
        return f"{where}: {name!r} is not an option; use {argument}={value} instead"
    if name in MEANT:
        return f"{where}: {name!r} is not an option; {MEANT[name]}"
    if takes is None and name in _ARGUMENTS:
        return f"{where}: {name!r} is not an option of a call; it is an argument of the model's constructor"
    near = nearest(name, (*(arguments or (*_FIELDS, *_ARGUMENTS)), *known))
    if near is not None:
        return f"{where}: there is no option {name!r}; did you mean {near}=?"
    if name in _ARGUMENTS and "extra_headers" not in known:
        return f"{where}: there is no argument {name!r}; it takes {', '.join(arguments)}"
    if "extra_body" in known:
        return (
            f"{where}: there is no option {name!r}; what only the provider knows goes into extra_body={{{name!r}: ...}}"
        )
    return f"{where}: there is no option {name!r}; it takes {', '.join(sorted(known))}"


def argument_meant(name: str, arguments: Collection[str]) -> str | None:
    """Which of a constructor's arguments this word of the field means, if it is one.

    >>> argument_meant("url", ["model_id", "endpoint_url"])
    'endpoint_url'
    """
    return next((argument for argument in _ARGUMENTS.get(name, ()) if argument in arguments), None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one is a slip of, if there is one; a common name comes before others.

    >>> nearest("maxTokens_", ["max_time", "max_tokens"]), nearest("mood", ["model_id", "max_tokens"])
    ('max_tokens', None)
    """
    spelled = {_plain(each): each for each in sorted(known, key=EVERYWHERE.__contains__)}
    near = difflib.get_close_matches(_plain(name), spelled, n=1, cutoff=0.8)
    return spelled[near[0]] if near else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
