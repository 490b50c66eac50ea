"""`TransformersModel` sees: another picture gives another answer, through a tiny random LLaVA."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the transformers extra")

import PIL.Image
import tiny_llama
import tiny_llava
from returns.result import Failure
from tiny_llava import TOKENS_OF_AN_IMAGE, picture

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import ModelError, Sent
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.message import Image, Message, Text, ToolCall, ToolResult
from modelport.domain.response_format import JsonSchema, Regex
from modelport.domain.tool import Tool

PROCESSOR = tiny_llava.processor()
LLAVA = tiny_llava.model(PROCESSOR)
RED, BLUE = picture(red=255), picture(blue=255)


def seeing(**options: Any) -> TransformersModel:
    given = {"max_tokens": 12, "temperature": 0, **options}
    return TransformersModel("llava", model=LLAVA, processor=PROCESSOR, **given)


def asking(*pictures: bytes, text: str = "What is it?") -> list[Message]:
    return [Message("user", [*map(Image, pictures), Text(text)])]


def error(model: TransformersModel, *args: Any, **options: Any) -> ModelError:
    """The error of a whole call, which the stream ends with too."""

    async def both() -> tuple[Any, Any]:
        request = as_request(*args, **options)
        return await model.generate(request), [event async for event in model.stream(request)][-1]

    result, last = asyncio.run(both())
    assert isinstance(result, Failure)
    assert isinstance(last, Failed)
    assert last.error == result.failure()
    return last.error


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("llava")
    LLAVA.save_pretrained(place)
    PROCESSOR.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def loaded(folder: Path) -> TransformersModel:
    return TransformersModel(str(folder), max_tokens=12, temperature=0)


def test_another_picture_gives_another_answer(loaded: TransformersModel) -> None:
    red, blue = (loaded(asking(each)).content for each in (RED, BLUE))
    assert red != blue
    assert loaded(asking(RED)).content == red
    assert loaded(asking()).content not in (red, blue)


def test_the_answer_is_that_of_generate_itself(loaded: TransformersModel) -> None:
    parts = [{"type": "image", "image": PIL.Image.open(io.BytesIO(RED))}, {"type": "text", "text": "What is it?"}]
    inputs = PROCESSOR.apply_chat_template(
        [{"role": "user", "content": parts}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    bare = LLAVA.generate(**inputs, do_sample=False, max_new_tokens=12, pad_token_id=PROCESSOR.tokenizer.eos_token_id)
    size = inputs["input_ids"].shape[1]
    text = PROCESSOR.tokenizer.decode(bare[0, size:], skip_special_tokens=True)
    response = loaded(asking(RED))
    assert response.content == text.rstrip("\ufffd")
    assert response.usage is not None
    assert response.usage.input_tokens == size


def test_a_stream_comes_to_the_whole_answer(loaded: TransformersModel) -> None:
    async def events() -> list[Any]:
        return [event async for event in loaded.stream(as_request(asking(RED)))]

    *deltas, last = asyncio.run(events())
    assert isinstance(last, Finished)
    assert last.response == loaded(asking(RED))
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == last.response.content
    assert len(deltas) > 3


def test_a_picture_may_come_in_any_way_that_it_is_passed(loaded: TransformersModel, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(RED)
    address = f"data:image/png;base64,{base64.b64encode(RED).decode()}"
    expected = loaded(asking(RED)).content
    ways: list[Any] = [
        Image(RED),
        Image(url=address),
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "image", "image": path},
        {"type": "image", "image": PIL.Image.open(path)},
    ]
    for way in ways:
        message = {"role": "user", "content": [way, {"type": "text", "text": "What is it?"}]}
        assert loaded([message]).content == expected, way


def test_transparent_and_grey_pictures_are_seen_in_colour(loaded: TransformersModel) -> None:
    for mode in ("RGBA", "L", "P", "1", "CMYK"):
        file = io.BytesIO()
        PIL.Image.new(mode, (40, 30)).save(file, "TIFF" if mode == "CMYK" else "PNG")
        assert loaded(asking(file.getvalue())).content


def test_several_pictures_are_seen_in_their_order(loaded: TransformersModel) -> None:
    answers = {loaded(asking(*each)).content for each in ((RED, BLUE), (BLUE, RED), (RED, RED))}
    assert len(answers) == 3
    later = [*asking(RED), Message("assistant", "A colour."), *asking(BLUE)]
    swapped = [*asking(BLUE), Message("assistant", "A colour."), *asking(RED)]
    assert loaded(later).content != loaded(swapped).content


def test_a_picture_in_a_tools_result_is_seen(loaded: TransformersModel) -> None:
    def told(data: bytes) -> list[Message]:
        call = Message("assistant", ToolCall("1", "look"))
        return [Message("user", "Look!"), call, Message("tool", ToolResult("1", [Text("Here: "), Image(data)]))]

    assert loaded(told(RED)).content != loaded(told(BLUE)).content


def test_what_a_picture_costs_counts_as_input(loaded: TransformersModel) -> None:
    sizes = []
    for pictures in ((), (RED,), (RED, BLUE)):
        usage = loaded(asking(*pictures)).usage
        assert usage is not None
        sizes.append(usage.input_tokens)
    assert sizes == [sizes[0], sizes[0] + TOKENS_OF_AN_IMAGE, sizes[0] + 2 * TOKENS_OF_AN_IMAGE]


def test_pictures_can_fill_the_context(loaded: TransformersModel) -> None:
    failed = error(loaded, asking(*[RED] * 64))
    assert (failed.kind, failed.sent) == ("context_window", Sent.NO)


def test_stops_forms_and_logprobs_hold_with_a_picture(loaded: TransformersModel) -> None:
    free = loaded(asking(RED), max_tokens=20)
    stop = free.content[2:4]
    cut = loaded(asking(RED), [stop], max_tokens=20)
    assert (cut.content, cut.stopped_by) == (free.content[: free.content.index(stop)], stop)
    assert loaded(asking(RED), response_format=Regex("yes|no")).content in ("yes", "no")
    schema = JsonSchema({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]})
    assert loaded(asking(BLUE), response_format=schema, max_tokens=60).content.startswith("{")
    told = loaded(asking(RED), logprobs=True).raw["choices"][0]["logprobs"]["content"]
    assert told
    assert told != loaded(asking(BLUE), logprobs=True).raw["choices"][0]["logprobs"]["content"]


def test_tools_are_offered_beside_a_picture(loaded: TransformersModel) -> None:
    plain, offered = loaded(asking(RED)).usage, loaded(asking(RED), tools=[Tool("look", "Looks.")]).usage
    assert plain is not None
    assert offered is not None
    assert offered.input_tokens > plain.input_tokens


def test_calls_with_and_without_pictures_run_at_once_and_are_the_same_as_alone(loaded: TransformersModel) -> None:
    questions = [asking(RED), asking(BLUE), asking(), asking(RED, BLUE), asking(text="Hi")]
    alone = [loaded(question).content for question in questions]

    async def main() -> list[str]:
        results = await asyncio.gather(*(loaded.generate(as_request(question)) for question in questions * 2))
        return [result.unwrap().content for result in results]

    assert asyncio.run(main()) == alone * 2


def test_a_model_is_given_with_its_processor_alone_or_with_a_tokenizer(loaded: TransformersModel) -> None:
    expected = loaded(asking(RED)).content
    assert seeing()(asking(RED)).content == expected
    assert seeing(tokenizer=PROCESSOR.tokenizer)(asking(RED)).content == expected
    assert seeing().capabilities.images


def test_a_model_that_is_given_without_a_processor_is_asked_nothing_about_pictures() -> None:
    model = TransformersModel("llava", model=LLAVA, tokenizer=PROCESSOR.tokenizer, max_tokens=3)
    assert not model.capabilities.images
    failed = error(model, asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert model(asking()).content


def test_a_folder_tells_whether_its_model_sees_before_it_is_loaded(folder: Path, tmp_path: Path) -> None:
    words = tiny_llama.tokenizer()
    tiny_llama.model(words).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    blind = TransformersModel(str(tmp_path), max_tokens=3)
    assert [TransformersModel(name).capabilities.images for name in (str(folder), "org/name", "default", "a.gguf")] == [
        True,
        True,
        False,
        False,
    ]
    assert not blind.capabilities.images
    failed = error(blind, asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert "images" in failed.message


def test_a_model_that_turns_out_to_read_text_only_says_so_and_answers_text(tmp_path: Path) -> None:
    words = tiny_llama.tokenizer()
    tiny_llama.model(words).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    model = TransformersModel(str(tmp_path), max_tokens=3)
    failed = error(model, asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert "text only" in failed.message
    assert model("?").content


def test_a_folder_without_its_processor_answers_text_and_says_why_it_sees_nothing(folder: Path, tmp_path: Path) -> None:
    LLAVA.save_pretrained(tmp_path)
    PROCESSOR.tokenizer.save_pretrained(tmp_path)
    model = TransformersModel(str(tmp_path), max_tokens=3)
    assert model("?").content
    failed = error(model, asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert "processor" in failed.message


def test_what_it_can_is_what_one_says_it_can() -> None:
    from modelport.domain.capability import Capabilities

    failed = error(seeing(capabilities=Capabilities(json_schema=True)), asking(RED))
    assert (failed.kind, failed.message) == ("unsupported", "this model has no images")


def test_a_picture_elsewhere_is_refused_with_the_fix(loaded: TransformersModel) -> None:
    failed = error(loaded, [Message("user", [Text("See:"), Image(url="https://example.org/a.png")])])
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert "messages[0].content[1]" in failed.message
    assert "pass its bytes" in failed.message


def test_bytes_that_are_no_picture_are_an_invalid_request(loaded: TransformersModel) -> None:
    for data in (b"no picture at all", RED[:40], b""):
        failed = error(loaded, asking(data))
        assert (failed.kind, failed.sent) == ("invalid_request", Sent.NO)
        assert "image" in failed.message
    assert loaded(asking(RED)).content


def test_a_template_with_no_place_for_pictures_is_not_shown_any() -> None:
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    model = seeing(apply_chat_template_kwargs={"chat_template": template})
    failed = error(model, asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert "no place for images" in failed.message
    assert model(asking()).content


def test_flattened_messages_take_no_picture() -> None:
    failed = error(seeing(flatten_messages_as_text=True), asking(RED))
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
    assert seeing(flatten_messages_as_text=True)(asking()).content == seeing()(asking()).content


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"processor": PROCESSOR}, "together"),
        ({"model": LLAVA}, "together"),
        ({"model": LLAVA, "processor": object()}, "image processor"),
        ({"capabilities": {"images": True}}, "capabilities"),
        ({"flatten_messages_as_text": "yes"}, "True or False"),
        ({"custom_role_conversions": {"captain": "user"}}, "captain"),
    ],
)
def test_a_mistake_in_the_constructor_raises_at_once(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        TransformersModel("m", **arguments)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_picture_comes_in_the_precision_of_the_model(folder: Path, dtype: str) -> None:
    model = TransformersModel(str(folder), dtype=dtype, max_tokens=6, temperature=0)
    assert model(asking(RED)).content != model(asking(BLUE)).content


def test_an_encoder_with_a_decoder_is_no_model_to_talk_to() -> None:
    class Encoder:
        device = LLAVA.device
        config = type("Config", (), {"is_encoder_decoder": True, "get_text_config": lambda self: self})()
        generation_config = LLAVA.generation_config

    failed = error(TransformersModel("encoder", model=Encoder(), processor=PROCESSOR), asking())
    assert (failed.kind, failed.sent) == ("unsupported", Sent.NO)
