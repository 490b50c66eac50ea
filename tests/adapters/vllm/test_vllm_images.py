"""What a model that sees is shown reaches it: another picture gives another answer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

if find_spec("vllm") is None:
    pytest.skip("vLLM runs in an environment of its own: make test-vllm", allow_module_level=True)

import PIL.Image
import tiny_idefics

from modelport import Image, Message, Part, Response, Text, as_request, blocking
from modelport.adapters.vllm.model import VLLMModel

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMModel]:
    folder = tmp_path_factory.mktemp("vllm") / "idefics"
    tiny_idefics.save(folder)
    settings = {"kv_cache_memory_bytes": 1 << 26, "dtype": "float32"}
    made = VLLMModel(str(folder), model_kwargs=settings, max_tokens=8, temperature=0)
    yield made
    made.close()


def picture(colour: str, form: str = "PNG") -> Image:
    file = io.BytesIO()
    PIL.Image.new("RGB", (28, 28), colour).save(file, form)
    return Image(file.getvalue(), media_type=f"image/{form.lower()}")


def asked(model: VLLMModel, *parts: Part) -> Response:
    return model([Message("user", [*parts, Text("What is it?")])])


def test_another_picture_gives_another_answer(model: VLLMModel) -> None:
    red, blue = (asked(model, picture(colour)) for colour in ("red", "blue"))
    assert red.content != blue.content
    assert asked(model, picture("red")) == red
    assert asked(model, picture("red", "BMP")) == red  # of another form, the same
    assert red.usage is not None
    words = model("What is it?").usage
    assert words is not None
    assert red.usage.input_tokens == words.input_tokens + 4  # one for the picture, and its three marks


def test_several_pictures_come_in_their_order(model: VLLMModel) -> None:
    assert (
        asked(model, picture("red"), picture("blue")).content != asked(model, picture("blue"), picture("red")).content
    )


def test_a_picture_that_is_none_is_an_invalid_request(model: VLLMModel) -> None:
    message = Message("user", [Image(b"not a picture", media_type="image/png"), Text("What is it?")])
    error = blocking(model).generate(as_request([message])).failure()
    assert (error.kind, error.sent) == ("invalid_request", "no")
    assert "an image can't be read" in error.message


def test_a_picture_at_an_address_is_unsupported(model: VLLMModel) -> None:
    message = Message("user", [Image(url="https://example.com/a.png"), Text("What is it?")])
    error = blocking(model).generate(as_request([message])).failure()
    assert (error.kind, error.sent) == ("unsupported", "no")
