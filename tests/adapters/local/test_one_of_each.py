"""What a user does with one model on this machine works with each: the four answer the same where nothing differs."""

from __future__ import annotations

import base64
import io
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_words import TEMPLATE, tokenizer

from modelport import Capabilities, Image, Message, ModelFailure, Request, Text, Tool, as_request
from modelport.adapters.local import prompt
from modelport.adapters.local.template import template_messages

# What vLLM and MLX warn of when they are imported isn't ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

RUNTIMES = {"transformers": "torch", "mlx": "mlx_lm", "vllm": "vllm", "openvino": "openvino_genai"}
NAMES = {"transformers": "Transformers", "mlx": "MLX", "vllm": "VLLM", "openvino": "OpenVINO"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_may_be_named_by_a_path(runtime: str) -> None:
    kind = getattr(import_module(f"modelport.adapters.{runtime}.model"), f"{NAMES[runtime]}Model")
    assert kind(Path("/models/one")).model_id == "/models/one"
    for none in ("", None, 3):
        with pytest.raises(ValueError, match="model_id is a name, a folder or 'default'"):
            kind(none)


def tiny(runtime: str, template: str) -> Any:
    """A tiny model of this runtime with this template, where it can be made without a download."""
    if find_spec(RUNTIMES[runtime]) is None:
        pytest.skip(f"{RUNTIMES[runtime]} is not installed here")
    if runtime == "openvino":
        import openvino_subject

        return openvino_subject.model(apply_chat_template_kwargs={"chat_template": template}, max_tokens=2)
    kind = getattr(import_module(f"modelport.adapters.{runtime}.model"), f"{NAMES[runtime]}Model")
    if runtime == "vllm":
        import vllm_subject

        given: dict[str, Any] = {"apply_chat_template_kwargs": {"chat_template": template}, "max_tokens": 2}
        return kind("default", engine=vllm_subject.model(), **given)
    words = tokenizer(template)
    made = import_module(f"tiny_{'llama' if runtime == 'transformers' else 'mlx'}").model(words, 256)
    return kind("tiny", model=made, tokenizer=words, max_tokens=2)


FORGETS = f"{{# It was trained for tools, once. #}}{TEMPLATE.replace('tools | tojson', 'tools | length')}"


@pytest.mark.parametrize("runtime", ["transformers", "mlx", "vllm"])  # OpenVINO tells of them itself
def test_a_template_that_speaks_of_tools_and_leaves_them_out_is_told(runtime: str) -> None:
    model = tiny(runtime, FORGETS)
    with pytest.raises(ModelFailure, match="knows no tools") as failure:
        model("Hi", tools=[Tool("clock", "The time.")])
    assert failure.value.error.kind == "unsupported"
    assert model("Hi", tools=[Tool("clock", "The time.")], tool_choice="none").usage


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_template_that_makes_nothing_of_the_messages_is_an_invalid_request(runtime: str) -> None:
    with pytest.raises(ModelFailure) as failure:
        tiny(runtime, "{# nothing #}")("Hi")
    assert (failure.value.error.kind, failure.value.error.sent) == ("invalid_request", "no")


@pytest.mark.parametrize("runtime", ["transformers", "mlx"])
def test_a_model_that_was_closed_is_loaded_again_by_its_next_call(runtime: str) -> None:
    model = tiny(runtime, TEMPLATE)
    before, ready = model("Hi").content, model._runtime.ready()
    assert model._runtime.ready() is ready
    model.close()
    assert model._runtime.ready() is not ready
    assert model("Hi").content == before


def test_a_picture_is_turned_as_its_camera_says() -> None:
    pillow = pytest.importorskip("PIL.Image")
    file, exif = io.BytesIO(), pillow.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    pillow.new("RGB", (40, 30)).save(file, "JPEG", exif=exif)
    assert prompt.picture(file.getvalue()).size == (30, 40)


def test_a_picture_that_stands_in_its_address_is_one() -> None:
    address = f"data:image/png;base64,{base64.b64encode(b'one').decode()}"
    message = Message("user", [Text("See:"), Image(url=address)])
    assert template_messages((message,), with_images=True)[1] == [b"one"]


def test_a_template_without_a_place_for_pictures_is_told() -> None:
    request = as_request([Message("user", [Image(b"one", media_type="image/png")])])
    with pytest.raises(ModelFailure, match="no place for images"):
        prompt.check_template(TEMPLATE, request, "SomeModel")
    prompt.check_template("{% if part.type == 'image' %}", request, "SomeModel")


def test_vllm_turns_pictures_and_reads_those_in_their_address() -> None:
    from modelport.adapters.vllm.prompt import PromptReader

    pillow = pytest.importorskip("PIL.Image")
    shown: list[Any] = []

    class Seeing(PromptReader):
        def _processed(self, prompt: dict[str, Any]) -> Any:
            shown.extend(prompt["multi_modal_data"]["image"])
            return {}

    file, exif = io.BytesIO(), pillow.Exif()
    exif[0x0112] = 6
    pillow.new("RGB", (40, 30)).save(file, "JPEG", exif=exif)
    address = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    words = tokenizer("{% for m in messages %}{% for p in m.content %}{{ p.type }}{% endfor %}{% endfor %} image")
    config = SimpleNamespace(is_multimodal_model=True, max_model_len=200)
    reader = Seeing(SimpleNamespace(get_tokenizer=lambda: words, model_config=config))
    reader.read(as_request([Message("user", [Image(url=address)])]), {})
    assert [picture.size for picture in shown] == [(30, 40)]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_public_names_are_the_same(runtime: str) -> None:
    module = import_module(f"modelport.adapters.{runtime}.model")
    assert module.__all__ == ["CAN", f"{NAMES[runtime]}Model", "decode", "encode", "translate"]
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_roles_flattening_and_capabilities_are_told_to_each_alike(runtime: str) -> None:
    kind = getattr(import_module(f"modelport.adapters.{runtime}.model"), f"{NAMES[runtime]}Model")
    told = {"custom_role_conversions": {"system": "user"}, "flatten_messages_as_text": True}
    model = kind("m", capabilities=Capabilities(tools=True), **told)
    request = Request([Message("system", [Text("Be "), Text("brief.")]), Message("user", [Text("Hi")])])
    prepared = model._prepared(request)
    assert [(message.role, len(message.content)) for message in prepared.messages] == [("user", 1)]
    assert not model.capabilities.images
    for name, wrong in (("flatten_messages_as_text", 1), ("capabilities", {}), ("apply_chat_template_kwargs", "x")):
        with pytest.raises(TypeError, match=f"{NAMES[runtime]}Model: {name} is "):
            kind("m", **{name: wrong})


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_can_t_be_flattened_is_unsupported(runtime: str) -> None:
    kind = getattr(import_module(f"modelport.adapters.{runtime}.model"), f"{NAMES[runtime]}Model")
    model = kind("m", capabilities=Capabilities(images=True), flatten_messages_as_text=True)
    with pytest.raises(ModelFailure, match="can't be flattened") as failure:
        model([Message("user", [Image(b"one", media_type="image/png")])])
    assert failure.value.error.kind == "unsupported"
