"""How `MLXModel` is made: of a folder whose configuration lacks something, once, and not of mistakes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlx_lm")

import tiny_mlx

from modelport.adapters.local.sampling import Usual
from modelport.adapters.mlx import sdk as mlx_sdk
from modelport.adapters.mlx.errors import translate
from modelport.adapters.mlx.model import MLXModel
from modelport.adapters.mlx.rope import mended
from modelport.adapters.process.calling import as_request
from modelport.adapters.process.inside import LibraryChanged
from modelport.domain.error import ModelFailure

WORDS = tiny_mlx.tokenizer()
LLAMA = tiny_mlx.model(WORDS)


def tiny(**options: Any) -> MLXModel:
    return MLXModel("tiny", model=LLAMA, tokenizer=WORDS, prompt_cache_bytes=0, **options)


@pytest.mark.parametrize(
    ("config", "lacking"),
    [
        ({"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}}, {"rope_theta": 1e5}),
        ({"rope_parameters": {"rope_theta": 1e5, "partial_rotary_factor": 0.5}, "rope_theta": 1e5},
         {"partial_rotary_factor": 0.5}),
        ({"rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0}},
         {"rope_theta": 5e5,
          "rope_scaling": {"rope_theta": 5e5, "rope_type": "llama3", "type": "llama3", "factor": 8.0}}),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e6, "rope_type": "default"},
                              "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"}}},
         {"rope_theta": 1e6, "rope_local_base_freq": 1e4}),
        ({"text_config": {"hidden_size": 8, "rope_parameters": {"rope_theta": 1e5}}},
         {"text_config": {"hidden_size": 8, "rope_parameters": {"rope_theta": 1e5}, "rope_theta": 1e5}}),
        ({"rope_theta": 1e4}, {}),
    ],
)  # fmt: skip
def test_what_mlx_lm_reads_at_the_top_is_put_there(config: dict[str, Any], lacking: dict[str, Any]) -> None:
    assert mended(config) == lacking


def test_a_folder_of_transformers_5_is_read_with_its_own_rope(tmp_path: Path) -> None:
    both = {
        "old": {"rope_theta": 50.0},
        "new": {"rope_parameters": {"rope_theta": 50.0, "rope_type": "default"}},
        "none": {},
    }
    said = {
        name: MLXModel(str(tiny_mlx.folder(tmp_path / name, WORDS, LLAMA, **fields)), max_tokens=40)("안녕").content
        for name, fields in both.items()
    }
    assert said["new"] == said["old"] != said["none"]


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ('{"do_sample": true, "temperature": 0.6, "max_new_tokens": 5}',
         Usual({"temperature": 0.6, "max_tokens": 5}, drawn=True)),
        ("{", Usual()),
    ],
)  # fmt: skip
def test_a_folders_own_generation_config_is_read(tmp_path: Path, written: str, usual: Usual) -> None:
    folder = tiny_mlx.folder(tmp_path / "tiny", WORDS, LLAMA)
    (folder / "generation_config.json").write_text(written)
    assert MLXModel(str(folder))._runtime.ready().loaded.usual == usual


def test_a_folder_is_loaded_once_whatever_asks_at_once(tmp_path: Path) -> None:
    model = MLXModel(str(tiny_mlx.folder(tmp_path / "tiny", WORDS, LLAMA)), max_tokens=10)

    async def main() -> list[str]:
        results = await asyncio.gather(*(model.generate(as_request("안녕")) for _ in range(4)))
        return [result.unwrap().content for result in results]

    assert asyncio.run(main()) == [tiny(max_tokens=10)("안녕").content] * 4
    assert model._runtime.ready().loaded is model._runtime.ready().loaded


@pytest.mark.parametrize(
    ("raised", "phase", "kind"),
    [
        (MemoryError(), "loading", "overloaded"),
        (RuntimeError("[metal::malloc] Unable to allocate 9 bytes"), "generating", "overloaded"),
        (ConnectionError("refused"), "loading", "connection"),
        (OSError("nothing there"), "loading", "not_found"),
        (ValueError("Model type mystery not supported."), "loading", "unsupported"),
        (KeyError("?"), "loading", "server"),
        (KeyError("?"), "generating", "server"),
        (TypeError("unexpected"), "generating", "invalid_request"),
        (KeyError("role"), "reading", "invalid_request"),
    ],
)
def test_what_exceptions_mean(raised: Exception, phase: str, kind: str) -> None:
    assert translate(raised, "m", phase).kind == kind


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"model_id": ""}, "model_id"),
        ({"model_id": "m", "model": LLAMA}, "together"),
        ({"model_id": "m", "prompt_cache_bytes": -1}, "prompt_cache_bytes"),
        ({"model_id": "m", "temperature": float("nan")}, "temperature"),
        ({"model_id": "m", "stop": ["x"]}, "stop_sequences"),
    ],
)
def test_a_mistake_in_the_constructor_raises_at_once(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        MLXModel(**arguments)


def test_a_failed_call_raises_the_failure_with_its_error() -> None:
    with pytest.raises(ModelFailure, match="not_found"):
        MLXModel("/nowhere/at/all")("?")


def test_its_repr_shows_what_it_was_made_of() -> None:
    assert repr(MLXModel("m", max_new_tokens=5)) == "MLXModel('m', max_tokens=5)"


def test_where_what_is_kept_of_calls_can_t_be_merged_any_more_a_warning_says_that_they_come_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlx_lm.models.cache import ChunkedKVCache, KVCache

    assert mlx_sdk.batchable([KVCache()])
    assert not mlx_sdk.batchable([ChunkedKVCache(8)])  # never could be, which is no reason for a warning
    monkeypatch.delattr(KVCache, "merge")
    with pytest.warns(
        LibraryChanged, match="KVCache.merge any more: calls of a model at the same time are computed one"
    ):
        assert not mlx_sdk.batchable([KVCache()])


def test_where_a_llama_no_longer_reads_what_its_configuration_was_mended_with_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlx_lm.models.llama import ModelArgs

    mlx_sdk.positions_are_read({"rope_theta": 1e5})
    monkeypatch.delitem(ModelArgs.__annotations__, "rope_theta")
    mlx_sdk.positions_are_read({})
    with pytest.warns(LibraryChanged, match="ModelArgs.rope_theta any more: a model in the format of Transformers 5"):
        mlx_sdk.positions_are_read({"rope_theta": 1e5})
