"""Programs that people run themselves and that speak chat completions: one row each, with the pages that say so."""

from __future__ import annotations

from typing import Final

from .server import Server

SELF_HOSTED: Final = (
    Server(
        name="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        variable="OLLAMA_API_KEY",
        needs_key=False,
        example="llama3.2",
        quirks=("logit_bias and user are read over",),
        pages=("https://docs.ollama.com/api/openai-compatibility",),
    ),
    Server(
        name="lmstudio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        needs_key=False,
        example="openai/gpt-oss-20b",
        renames={"repetition_penalty": "repeat_penalty"},
        pages=("https://lmstudio.ai/docs/developer/openai-compat/chat-completions",),
    ),
    Server(
        name="llamacpp",
        title="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        variable="LLAMA_API_KEY",
        needs_key=False,
        example="default",
        reasoning="reasoning_content",
        renames={"repetition_penalty": "repeat_penalty"},
        tool_choices={"auto", "none", "required"},
        quirks=("what it holds back for a stop at the end of a text is lost: max_stops=0 keeps it",),
        pages=(
            "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
            "https://pypi.org/project/langchain-llama-cpp/",
        ),
    ),
    Server(
        name="vllm-server",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        variable="VLLM_API_KEY",
        needs_key=False,
        example="Qwen/Qwen3-8B",
        reasoning="reasoning",
        quirks=("before 0.11.2 it called its reasoning reasoning_content",),
        pages=("https://docs.vllm.ai/en/stable/features/reasoning_outputs/",),
    ),
    Server(
        name="sglang",
        title="SGLang",
        base_url="http://127.0.0.1:30000/v1",
        needs_key=False,
        example="Qwen/Qwen3-8B",
        reasoning="reasoning_content",
        pages=(
            "https://docs.sglang.io/basic_usage/openai_api_completions.html",
            "https://docs.sglang.io/docs/advanced_features/separate_reasoning",
        ),
    ),
    Server(
        name="tgi",
        title="TGI",
        base_url="http://127.0.0.1:8080/v1",
        needs_key=False,
        example="tgi",
        max_stops=4,
        quirks=("--max-stop-sequences of the server raises its limit: say so with capabilities=",),
        pages=(
            "https://huggingface.co/docs/text-generation-inference/messages_api",
            "https://huggingface.co/docs/text-generation-inference/reference/launcher",
        ),
    ),
)
