"""`TransformersModel` and a model of another family, with pictures of many sizes and positions of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the transformers extra")

import PIL.Image
import tiny_qwen_vl

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import Sent
from modelport.domain.message import Image, Message, Text

PROCESSOR = tiny_qwen_vl.Processor()
QWEN = tiny_qwen_vl.model(PROCESSOR)


def picture(colour: str, size: tuple[int, int] = (56, 56)) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def asking(*pictures: bytes, text: str = "What is it?") -> list[Message]:
    return [Message("user", [*map(Image, pictures), Text(text)])]


@pytest.fixture(scope="module")
def model() -> TransformersModel:
    return TransformersModel("qwen", model=QWEN, processor=PROCESSOR, max_tokens=16, temperature=0)


def test_colour_and_size_of_a_picture_are_seen(model: TransformersModel) -> None:
    pictures = [picture("red"), picture("blue"), picture("red", (280, 56))]
    assert len({model(asking(each)).content for each in pictures}) == 3
    sizes = [model(asking(each)).usage for each in pictures]
    assert [size.input_tokens - sizes[0].input_tokens for size in sizes if size and sizes[0]] == [0, 0, 16]


def test_calls_at_once_are_the_same_as_alone(model: TransformersModel) -> None:
    questions = [asking(picture("red", (280, 252))), asking(), asking(picture("blue")), asking(text="Hi")]
    questions.append(asking(picture("red"), picture("green", (84, 28))))
    alone = [model(question).content for question in questions]

    async def main() -> list[str]:
        results = await asyncio.gather(*(model.generate(as_request(question)) for question in questions * 3))
        return [result.unwrap().content for result in results]

    assert asyncio.run(main()) == alone * 3


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="is about torchvision not being here")
def test_a_processor_that_needs_more_says_so_when_a_picture_comes_and_text_is_answered(tmp_path: Path) -> None:
    QWEN.save_pretrained(tmp_path)
    PROCESSOR.tokenizer.save_pretrained(tmp_path)
    PROCESSOR.image_processor.save_pretrained(tmp_path)
    settings = tmp_path / "preprocessor_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_bytes()), "processor_class": "Qwen2_5_VLProcessor"}))
    model = TransformersModel(str(tmp_path), max_tokens=3)
    assert model.capabilities.images
    assert model(asking()).content
    failed = asyncio.run(model.generate(as_request(asking(picture("red"))))).failure()
    assert (failed.kind, failed.sent) == ("missing_dependency", Sent.NO)
    assert "orchvision" in failed.message
