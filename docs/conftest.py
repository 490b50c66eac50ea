"""Every Python block of docs/ and of the README runs, and a text block right below one is what it prints.

Each document has a namespace of its own. `...` in a text block stands for anything.
"""

import doctest
import io
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest
from extras import need
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

# Which pages need what isn't everywhere, and why they are left out where it isn't.
ELSEWHERE = {
    "fastapi.md": ("fastapi", "FastAPI isn't installed here"),
    "litellm.md": ("litellm", "litellm isn't installed here"),
    "litellm_router.md": ("litellm", "litellm isn't installed here"),
    "mlx.md": ("mlx_lm", "runs in an environment of its own: make test-mlx"),
    "vllm.md": ("vllm", "runs in an environment of its own: make test-vllm"),
}

NEEDS = {
    "README.md": "openvino",
    "docs/index.md": "openvino",
    "docs/adapters/anthropic.md": "anthropic",
    "docs/adapters/azure.md": "openai",
    "docs/adapters/bedrock.md": "bedrock",
    "docs/adapters/custom.md": "huggingface",
    "docs/adapters/gemini.md": "gemini",
    "docs/adapters/huggingface.md": "huggingface",
    "docs/adapters/openai.md": "openai",
    "docs/adapters/openvino.md": "openvino",
    "docs/adapters/responses.md": "openai",
    "docs/adapters/servers.md": "openai",
    "docs/adapters/transformers.md": "transformers",
    "docs/cookbook/csv.md": "openai",
    "docs/cookbook/from-smolagents.md": "openai",
    "docs/cookbook/typed-answers.md": "check",
}
"""Which extra a page needs; without it the page is left out."""

ROOT = Path(__file__).parents[1]
_END_OF_INVISIBLE = "--->"
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Runs(PythonEvaluator):
    """Runs a block and remembers what it printed, and where it stood."""

    def __call__(self, example: Example) -> None:
        """Run it, or say where it runs."""
        package, reason = ELSEWHERE.get(Path(example.path).name, (None, ""))
        if package is not None and find_spec(package) is None:
            pytest.skip(reason)
        if extra := NEEDS.get(Path(example.path).relative_to(ROOT).as_posix()):
            need(extra)
        with redirect_stdout(io.StringIO()) as printed:
            super().__call__(example)
        example.namespace["_printed"] = (example.region.end, printed.getvalue())


def prints(example: Example) -> str | None:
    """Compare a text block with what the Python block right above it printed; any other text block is just text."""
    end, printed = example.namespace.get("_printed", (None, ""))
    if end is None or example.document.text[end : example.region.start].strip() not in ("", _END_OF_INVISIBLE):
        return None
    expected = str(example.parsed)
    if doctest.OutputChecker().check_output(expected, printed, _FLAGS):
        return None
    return f"the block above prints\n{printed}\nand not\n{expected}"


blocks = Sybil(
    path=str(ROOT),
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    parsers=[CodeBlockParser("python", Runs()), CodeBlockParser("text", prints)],
)


class Blocks:
    """Collects them all; a conftest's own hooks would only see what lies in its folder."""

    pytest_collect_file = staticmethod(blocks.pytest())

    @staticmethod
    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """What these warn of, of their own code, isn't ours to mend."""
        for item in items:
            if item.path.name in ELSEWHERE:
                item.add_marker(pytest.mark.filterwarnings("ignore"))


def pytest_configure(config: pytest.Config) -> None:
    """Register the collector, whatever folder a document lies in."""
    if not config.pluginmanager.has_plugin("modelport-docs"):
        config.pluginmanager.register(Blocks, "modelport-docs")
