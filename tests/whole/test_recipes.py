"""What belongs to each layer and each adapter besides its code; what one lacks is told, with the file to write it into.

The recipes are docs/contributing/layer.md and docs/contributing/adapter.md.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest
from conformance import documented
from paths import ROOT
from subjects import ADAPTERS

from modelport import Workload, adapters, bounds, from_dict, simulate, to_dict
from modelport.composition import layers
from modelport.domain.secrecy import is_secret

HERE: Final = "tests/whole/test_recipes.py"
SCRIPTED: Final = {"adapter": "ScriptedModel", "answers": ["Hi!"]}

LAYER_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "with_budget": {"tokens": 10**9},
    "with_cache": {"ttl": 60},
    "with_chaos": {"plan": {"errors": {"server": 0.5}}},
    "with_check": {"check": {"type": "string"}, "repair": 2},
    "with_circuit_breaker": {"pause": 9},
    "with_concurrency": {"n": 4},
    "with_defaults": {"options": {"temperature": 0}},
    "with_fallback": {"on": ["server"], "models": [SCRIPTED]},
    "with_hedge": {"delay": 0.5},
    "with_log": {"logger": "calls"},
    "with_rate_limit": {"rpm": 600},
    "with_recording": {"path": os.devnull},
    "with_replay": {"path": os.devnull, "timed": True},
    "with_retry": {"attempts": 3},
    "with_route": {"by": "weighted", "weights": [1.0, 3.0], "models": [SCRIPTED]},
    "with_timeout": {"attempt": 5},
    "with_trace": {"content": True},
}
"""What each layer may be called with, as a configuration has it; a function stands there as itself."""

ADAPTER_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "AmazonBedrockModel": {"model_id": "m", "region_name": "eu-west-1"},
    "AnthropicModel": {"model_id": "m", "base_url": "http://127.0.0.1:1", "api_version": "2023-06-01"},
    "AzureOpenAIModel": {"model_id": "m", "azure_endpoint": "https://x.openai.azure.com", "api_version": "v"},
    "GeminiModel": {"model_id": "m", "project": "p", "location": "global", "options": {"temperature": 0}},
    "InferenceClientModel": {"model_id": "org/m", "bill_to": "org"},
    "LiteLLMModel": {"model_id": "openai/m", "api_base": "http://127.0.0.1:1"},
    "LiteLLMRouterModel": {
        "model_id": "m",
        "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m"}}],
    },
    "MLXModel": {"model_id": "org/m", "prompt_cache_bytes": 0},
    "OpenAIModel": {"model_id": "m", "base_url": "http://127.0.0.1:1/v1"},
    "OpenAIResponsesModel": {"model_id": "m", "base_url": "http://127.0.0.1:1/v1", "options": {"store": False}},
    "OpenVINOModel": {"model_id": "default", "device": "GPU"},
    "ScriptedModel": {"answers": ["Hi!"], "repeat": True},
    "TransformersModel": {"model_id": "org/m", "device_map": "cpu"},
    "VLLMModel": {"model_id": "org/m", "model_kwargs": {"max_model_len": 512}},
}
"""What each adapter may be called with, as a configuration has it."""

LAYERS: Final = sorted(
    path.stem
    for path in (ROOT / "composition" / "layers").glob("*.py")
    if re.search(r"^def with_|\(LayerPolicy\)", path.read_text("utf-8"), re.MULTILINE)
)
FOLDERS: Final = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/model.py"))
SHARED: Final = ("chat", "http", "local")
"""The folders of adapters/ that serve a family of providers."""

MADE_BY: Final = {"FunctionModel": "from_function"}
"""The classes that users don't call themselves, and what makes one."""

Step = tuple[str, bool, str]
"""A file, whether all stands there that should, and what to write otherwise."""


def text(path: str) -> str:
    """What stands in a file; nothing, where there is none."""
    file = ROOT / path
    return file.read_text("utf-8") if file.is_file() else ""


def lacking(steps: Iterable[Step]) -> list[str]:
    """What is still to be written."""
    return [f"{file}: {what}" for file, done, what in steps if not done]


def steps_of_layer(name: str) -> Iterator[Step]:
    """What belongs to the layer in `composition/layers/<name>.py`."""
    layer, policy = f"with_{name}", name.title().replace("_", "")
    file, page, test = f"composition/layers/{name}.py", f"layers/{name}.md", f"tests/composition/layers/test_{name}.py"
    own = text(file)
    named = f"class {policy}(LayerPolicy)" in own and f"\ndef {layer}(" in own
    yield file, named, f"name the policy `{policy}(LayerPolicy)`, and the function that makes the layer `{layer}`"
    line = f"from .{name} import {layer} as {layer}"
    yield "composition/layers/__init__.pyi", layer in layers.__all__, f"add `{line}`"
    laws = "LAWS" in text(test) and layer in text(test)
    yield test, laws, f"for each law of `laws.LAWS`: `law(Scripted(lambda _: {layer}(...)))`"
    yield f"docs/{page}", text(f"docs/{page}").startswith(f"# {layer}\n"), f"write its page, which begins `# {layer}`"
    index = "docs/layers/index.md"
    yield index, f"]({name}.md)" in text(index), f"a row of [{layer}]({name}.md)"
    yield "zensical.toml", f'"{page}"' in text("zensical.toml"), f'name "{page}" in the navigation'
    reference = "docs/reference/layers.md"
    shown = f"::: modelport.composition.layers.{layer}"
    yield reference, shown in text(reference), f"write `{shown}`"
    yield "docs/composing.md", f"]({page})" in text("docs/composing.md"), "say where it stands in the order, and why"
    yield "CHANGELOG.md", f"`{layer}`" in text("CHANGELOG.md"), f"say that there is `{layer}`"
    yield HERE, layer in LAYER_ARGUMENTS, f'say in LAYER_ARGUMENTS what it may be called with: "{layer}": {{...}}'


def shortcomings_of_layer(name: str) -> Iterator[str]:
    """What a layer that stands in all its places doesn't do."""
    file, layer = f"composition/layers/{name}.py", f"with_{name}"
    arguments = LAYER_ARGUMENTS[layer]
    data = {"compose": SCRIPTED, "layers": [{"layer": layer, **arguments}]}
    stack: Any = from_dict(data)
    if not any(map(callable, arguments.values())) and (written := to_dict(stack)) != data:
        yield (
            f"{file}: give each field of the policy the name and the default of its argument, or say `passed_as` which"
            f" it is: {written['layers']} was written for {data['layers']}"
        )
    if hasattr(stack.policy, "models") and "bounds" not in vars(type(stack.policy)):
        yield f"{file}: it brings other models: write `bounds(self, below, *others)`, see domain/machines/bounds.py"
    if stack.policy.plays_model:
        return  # no model is asked
    calls, most = 40, bounds(stack).calls
    played = simulate(stack, Workload(calls), {"*": {"errors": {"server": 0.3}}})
    if played.physical_calls > calls * most:
        yield (
            f"{file}: its `bounds(self, below, *others)` says {most:g} calls at most, and {calls} came to"
            f" {played.physical_calls} in a simulation"
        )


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_of_a_layer_is_missing(name: str) -> None:
    """Its page, laws, bounds, written form and place in the table of contents."""
    found = lacking(steps_of_layer(name)) or list(shortcomings_of_layer(name))
    assert not found, "\n".join(["docs/contributing/layer.md is the recipe. Still to do:", *found])


PROJECT: Final = tomllib.loads(text("pyproject.toml"))
CONTRACT: Final = next(
    contract["layers"][1].split(" | ")
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if contract.get("containers") == ["modelport.adapters"]
)
PROVIDERS: Final = [folder for folder in FOLDERS if folder not in SHARED]


def steps_of_folder(folder: str) -> Iterator[Step]:
    """What belongs to the provider in `adapters/<folder>/`."""
    project = PROJECT["project"]["optional-dependencies"]
    package, install = f"modelport.adapters.{folder}", f"pip install 'modelport[{folder}]'"
    yield (
        "pyproject.toml",
        folder in project,
        f"an extra `{folder} = [...]`, whose ranges end at the newest tested minor",
    )
    yield "pyproject.toml", package in PROJECT["tool"]["setuptools"]["packages"], f'add "{package}" to the packages'
    yield "pyproject.toml", folder in CONTRACT, f"name `{folder}` in the contract of the adapters, with the providers"
    yield "README.md", install in text("README.md"), f"say how it is installed: {install}"
    stub = "adapters/__init__.pyi"
    line = "from ." + folder + ".model import NewModel as NewModel"
    yield stub, f"from .{folder}." in text(stub), f"add `{line}`"
    if (ROOT / "adapters" / folder / "sdk.py").is_file():
        yield "tests/kit/insides.py", f'"{folder}/sdk"' in text("tests/kit/insides.py"), "name its `sdk` in SDKS"


@pytest.mark.parametrize("folder", PROVIDERS)
def test_nothing_of_a_provider_is_missing(folder: str) -> None:
    """Its extra, package, contract and place in the table of contents."""
    found = lacking(steps_of_folder(folder))
    assert not found, "\n".join(["docs/contributing/adapter.md is the recipe. Still to do:", *found])


def models() -> list[str]:
    """The adapters that are exported, under the name that users call; an older name of one is left out."""
    exported = ((name, getattr(adapters, name)) for name in adapters.__all__)
    own = [name for name, cls in exported if hasattr(cls, "generate") and cls.__name__ == name]
    return sorted(MADE_BY.get(name, name) for name in own)


def steps_of_adapter(name: str) -> Iterator[Step]:
    """What belongs to the adapter of this name."""
    subjects = "tests/kit/subjects.py"
    yield subjects, name in ADAPTERS, f"add {name} to ADAPTERS: its provider, its page, and the modules that it needs"
    if name in ADAPTERS:
        page = (ROOT / "docs" / "adapters" / ADAPTERS[name].page).resolve().relative_to(ROOT).as_posix()
        link = page.removeprefix("docs/")
        yield page, name in text(page), f"write the page of {name}"
        yield "zensical.toml", f'"{link}"' in text("zensical.toml"), f'name "{link}" in the navigation'
        told = not ADAPTERS[name].needs or f'"{page.rpartition("/")[2]}"' in text("docs/conftest.py")
        yield "docs/conftest.py", told or f'"{page}"' in text("docs/conftest.py"), f"say in NEEDS what {page} needs"
    yield "docs/adapters/index.md", name in documented(), "write its row: `python tests/kit/conformance.py`"
    yield "CHANGELOG.md", f"`{name}`" in text("CHANGELOG.md"), f"say that there is `{name}`"
    made = getattr(adapters, name)
    if inspect.isclass(made):
        what = f'say in ADAPTER_ARGUMENTS what it may be called with: "{name}": {{...}}'
        yield HERE, name in ADAPTER_ARGUMENTS, what
        if any(map(is_secret, inspect.signature(made).parameters)):
            test = "tests/whole/test_secrets.py"
            yield test, name in text(test), f"plant a secret in every way in which {name} takes one"


def shortcomings_of_adapter(name: str) -> Iterator[str]:
    """What an adapter that stands in all its places doesn't do."""
    if name not in ADAPTER_ARGUMENTS:
        return
    data = {"adapter": name, **ADAPTER_ARGUMENTS[name]}
    written = to_dict(from_dict(data))
    if (
        any(written.get(argument) != value for argument, value in data.items())
        or to_dict(from_dict(written)) != written
    ):
        module = importlib.import_module(getattr(adapters, name).__module__).__name__
        file = module.removeprefix("modelport.").replace(".", "/") + ".py"
        yield f"{file}: keep each argument as an attribute of its name: {written} was written for {data}"


@pytest.mark.parametrize("name", models())
def test_nothing_of_an_adapter_is_missing(name: str) -> None:
    """Its page, subject of the laws, row in the table, written form and secrets."""
    found = lacking(steps_of_adapter(name)) or list(shortcomings_of_adapter(name))
    assert not found, "\n".join(["docs/contributing/adapter.md is the recipe. Still to do:", *found])


def test_whoever_has_nothing_yet_is_told_every_step() -> None:
    """The files of a new layer, in the order of the recipe."""
    assert [line.partition(": ")[0] for line in lacking(steps_of_layer("newcomer"))] == [
        "composition/layers/newcomer.py",
        "composition/layers/__init__.pyi",
        "tests/composition/layers/test_newcomer.py",
        "docs/layers/newcomer.md",
        "docs/layers/index.md",
        "zensical.toml",
        "docs/reference/layers.md",
        "docs/composing.md",
        "CHANGELOG.md",
        HERE,
    ]
    assert [line.partition(": ")[0] for line in lacking(steps_of_folder("newcomer"))] == [
        "pyproject.toml",
        "pyproject.toml",
        "pyproject.toml",
        "README.md",
        "adapters/__init__.pyi",
    ]
