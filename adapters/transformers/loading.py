"""How transformers loads what answers: from a folder, a GGUF file, the hub, or the embedded default's weights.

What is on this machine is read without the network. A GGUF file is converted once into the cache folder. A model that
sees comes with its processor; without one that can be loaded, it still reads text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ..files import places
from ..files.torch_folder import converted, default_folder, quiet

DEFAULT = places.DEFAULT
_GGUF = ".gguf"


class Loaded(NamedTuple):
    """What answers. A `processor` makes numbers of pictures too; where one should be and isn't, `blind` says why."""

    model: Any
    tokenizer: Any
    processor: Any = None
    blind: ModelError | None = None

    def ends(self, config: Any) -> list[int]:
        """The tokens that end an answer under this generation config.

        Some chat models end a turn with a token that only the tokenizer knows.
        """
        ends = getattr(config, "eos_token_id", None)
        known = (*(ends if isinstance(ends, (list, tuple)) else (ends,)), self.tokenizer.eos_token_id)
        return [*dict.fromkeys(end for end in known if end is not None)]


def load(model_id: str, *, trust_remote_code: bool, **arguments: Any) -> Loaded:
    """The model and its tokenizer. Raises what transformers raises, or ModelFailure for a folder that isn't one."""
    import torch
    import transformers

    if arguments.get("device_map") is None:
        arguments["device_map"] = "cuda" if torch.cuda.is_available() else None
    named = {name: value for name, value in arguments.items() if value is not None}
    if "gguf_file" in named:  # as transformers spells it
        model_id = f"{model_id}/{named.pop('gguf_file')}"
    place = _place(model_id, named)
    source = {"trust_remote_code": trust_remote_code, "local_files_only": Path(place).is_dir()}
    for name in ("revision", "cache_dir", "token", "subfolder", "local_files_only"):
        if name in named:
            source[name] = named[name]
    with quiet(transformers, source["local_files_only"]):
        kind = _kind(transformers, place, {**source, "config": named.get("config")})
        processor, blind = _processor(transformers, place, source) if kind.endswith("ImageTextToText") else (None, None)
        own = getattr(processor, "tokenizer", None)
        tokenizer = own if own is not None else transformers.AutoTokenizer.from_pretrained(place, **source)
        model: Any = getattr(transformers, kind).from_pretrained(place, **{**source, **named})
    return Loaded(model.eval(), tokenizer, processor, blind)


def _kind(transformers: Any, place: str, source: Mapping[str, Any]) -> str:
    """The class that loads it. A folder that holds only an adapter has no configuration: its base is a text model."""
    config = source["config"]
    if config is None:
        try:
            config = transformers.AutoConfig.from_pretrained(
                place, **{name: value for name, value in source.items() if name != "config"}
            )
        except OSError:  # if it is the place that is wrong, the tokenizer says so next
            return "AutoModelForCausalLM"
    seeing, text = "AutoModelForImageTextToText", "AutoModelForCausalLM"
    own = getattr(config, "auto_map", None) or {}
    if source["trust_remote_code"] and (seeing in own or text in own):
        return seeing if seeing in own else text
    return seeing if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING else text


def _processor(transformers: Any, place: str, source: Mapping[str, Any]) -> tuple[Any, ModelError | None]:
    try:
        processor = transformers.AutoProcessor.from_pretrained(place, **source)
    except ImportError as error:  # some need torchvision, and for text alone nobody does
        return None, _refusal(ErrorKind.MISSING_DEPENDENCY, f"to take images: {' '.join(str(error).split())}")
    except (OSError, ValueError) as error:
        why = f"no images: its processor can't be loaded: {' '.join(str(error).split())}"
        return None, _refusal(ErrorKind.UNSUPPORTED, why)
    if not hasattr(processor, "image_processor"):
        return None, _refusal(ErrorKind.UNSUPPORTED, "no images: the model comes without a processor for them")
    return processor, None


def _place(model_id: str, arguments: Mapping[str, Any]) -> str:
    """A folder, or a name on the hub, which answers."""
    if model_id == DEFAULT:
        return str(default_folder())
    source = {name: arguments[name] for name in ("revision", "cache_dir") if name in arguments}
    mark = "/".join(filter(None, (arguments.get("subfolder"), "config.json")))
    only_local = bool(arguments.get("local_files_only"))
    place = places.find(model_id, "TransformersModel", marks=(mark,), files=True, only_local=only_local, **source)
    if place.path.endswith(_GGUF):
        token = {"token": arguments["token"]} if "token" in arguments else {}
        return str(converted(places.fetch(place, (), **source, **token), arguments.get("dtype")))
    return place.path


def _refusal(kind: ErrorKind, message: str) -> ModelError:
    return ModelError(kind, message, scope=Scope.MODEL, sent=Sent.NO)
