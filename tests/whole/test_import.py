"""Importing costs little and brings in no SDK, and each table of contents says what its package has."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from paths import ROOT

SDKS = {"openai", "huggingface_hub", "litellm", "boto3", "transformers", "torch", "openvino", "openvino_genai", "mlx"}
SDKS |= {"vllm", "httpx", "httpx2", "numpy", "orjson", "aiolimiter", "click", "prompt_toolkit", "rich", "PIL"}
SDKS |= {"anthropic", "jsonschema", "opentelemetry", "aiohttp", "yarl"}


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after this statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import modelport",
        "import modelport.adapters",
        "from modelport import *",
        "from modelport.adapters import *",
        "from modelport.adapters import OpenAIModel; OpenAIModel('gpt-4o', api_key='none')",
        "from modelport.adapters import AnthropicModel; AnthropicModel('claude-sonnet-5-5', api_key='none')",
        "from modelport.adapters import OpenAIResponsesModel; OpenAIResponsesModel('gpt-5', api_key='none')",
        "from modelport.adapters import InferenceClientModel; InferenceClientModel('org/name', token='none')",
        "from modelport.adapters import GeminiModel; GeminiModel('gemini-2.5-flash', api_key='none')",
        "from modelport import ScriptedModel, compose, with_retry; compose(ScriptedModel('a'), with_retry())('b')",
    ],
)
def test_no_sdk_comes_in(statement: str) -> None:
    assert modules_after(statement) & SDKS == set()


def test_importing_the_package_brings_in_nothing_but_itself() -> None:
    """Not even what the core needs: attrs, returns, tenacity and anyio come with the first name that is used."""
    assert modules_after("import modelport") & {"attr", "attrs", "returns", "tenacity", "anyio", "asyncio"} == set()


def test_the_installed_package_is_the_one_under_test() -> None:
    root = Path(importlib.import_module("modelport").__file__ or "").resolve().parent
    assert root.name == "modelport"
    assert not (root / "pyproject.toml").exists()


@pytest.mark.needs("cli")
def test_it_runs_as_a_part_of_another_package(tmp_path: Path) -> None:
    """Copied somewhere without what pip notes about it, it works, and only can't tell its version."""
    packages = Path(attrs.__file__).parents[1]
    for path in packages.iterdir():
        if not path.name.startswith("modelport-"):
            (tmp_path / path.name).symlink_to(path)
    code = (
        f"import sys; sys.path = [path for path in sys.path if path != {str(packages)!r}] + [{str(tmp_path)!r}]\n"
        "from modelport.composition.cli.main import main\n"
        "sys.argv = ['modelport', '--version']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "modelport (not installed on its own)\n"


def test_the_folders_claim_no_global_names() -> None:
    """An application may have top-level packages called `domain`, `adapters` and `composition`."""
    code = (
        "from importlib.util import find_spec\n"
        "assert not any(find_spec(name) for name in ('domain', 'adapters', 'composition')), 'claimed'\n"
        "assert find_spec('modelport')"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)


PACKAGES = ["modelport", "modelport.adapters", "modelport.composition", "modelport.composition.layers"]


def exported(package: str) -> list[tuple[str, str]]:
    """The names that type checkers see in a package, each with the module that its stub says it is from."""
    stub = Path(importlib.import_module(package).__file__ or "").with_suffix(".pyi")
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            home = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            named = [(alias.asname or "", home) for alias in node.names]
            found += exported(home) if node.names[0].name == "*" else named
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_table_of_contents_agrees_with_itself(package: str) -> None:
    """Type checkers, `import *` and the interpreter see the same names, each once and from the same place."""
    module = importlib.import_module(package)
    names = exported(package)
    assert sorted(module.__all__) == sorted(name for name, _ in names)
    assert set(module.__all__) <= set(dir(module))
    for name, home in names:
        assert getattr(module, name) is getattr(importlib.import_module(home), name)


def test_a_checkout_may_have_any_name() -> None:
    """What pytest imports is the file at its root, without a package around it where the folder's name can't be one."""
    spec = importlib.util.spec_from_file_location("__init__", ROOT / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(AttributeError, match="'modelport' has no attribute 'compse'"):
        importlib.import_module("modelport").compse  # noqa: B018
