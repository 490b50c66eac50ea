"""An environment for each library that is compared, made by pip in `.venv/peers/`, as this machine's pip is set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

HOME: Final = Path(__file__).parents[2] / ".venv" / "peers"  # what builds the site empties .cache


@attrs.frozen
class Peer:
    """A library: its function in `libraries.py`, what pip installs, and what is imported for a first call."""

    name: str
    function: str
    requirement: str | None  # None: it is in the environment that runs this
    imported: str

    @property
    def python(self) -> str:
        """The interpreter that has it."""
        return sys.executable if self.requirement is None else str(self._folder / "bin" / "python")

    @property
    def _folder(self) -> Path:
        return HOME / self.function.replace("_", "-")

    def make(self) -> None:
        """Make the environment, unless it is there."""
        if self.requirement is None or (self._folder / "made").exists():
            return
        print(f"{self.name}: pip install {self.requirement}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(self._folder)], check=True)
        subprocess.run([self.python, "-m", "pip", "--quiet", "install", self.requirement], check=True)
        (self._folder / "made").touch()

    def version(self) -> str:
        """The version that is measured."""
        package = (self.requirement or self.function).partition("[")[0]
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return self.run("-c", code) or "of this checkout"

    def run(self, *arguments: str) -> str:
        """What its interpreter prints."""
        done = subprocess.run(
            [self.python, *arguments], capture_output=True, text=True, check=False, env=surroundings()
        )
        return done.stdout.strip()


def surroundings() -> dict[str, str]:
    """Nothing is traced, told to anybody, or fetched from anywhere: only the server on the loopback is asked."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL")}
    return {**kept, "HOME": str(HOME), "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}


_OPENAI: Final = "from openai import AsyncOpenAI, DefaultAioHttpClient as Http; AsyncOpenAI(api_key='k'"
_PYDANTIC_AI: Final = (
    "from pydantic_ai.models.openai import OpenAIChatModel\nfrom pydantic_ai.providers.openai import OpenAIProvider\n"
    "OpenAIChatModel('m', provider=OpenAIProvider(api_key='k'))"
)

PEERS: Final = (
    Peer("modelport", "modelport", None, "from modelport.adapters import OpenAIModel; OpenAIModel('m', api_key='k')"),
    Peer("aiohttp, bare", "aiohttp", None, "import aiohttp, orjson"),
    Peer("openai", "openai", "openai", f"{_OPENAI})"),
    Peer("openai on aiohttp", "openai_aiohttp", "openai[aiohttp]", f"{_OPENAI}, http_client=Http())"),
    Peer(
        "any-llm",
        "any_llm",
        "any-llm-sdk[openai]",
        "from any_llm import AnyLLM; AnyLLM.create('openai', api_key='k')",
    ),
    Peer("pydantic-ai", "pydantic_ai", "pydantic-ai-slim[openai]", _PYDANTIC_AI),
    Peer(
        "LangChain",
        "langchain",
        "langchain-openai",
        "from langchain_openai import ChatOpenAI; ChatOpenAI(model='m', api_key='k')",
    ),
    Peer("LiteLLM", "litellm", "litellm", "from litellm import acompletion"),
    Peer(
        "smolagents",
        "smolagents",
        "smolagents[openai]",
        "from smolagents import OpenAIModel; OpenAIModel('m', api_key='k')",
    ),
    Peer("llm", "llm", "llm", "from llm.default_plugins.openai_models import AsyncChat; AsyncChat('m', key='k')"),
)
