"""What vLLM's engine is given to read: a request through the model's own chat template, as tokens and images."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.message import Image
from ...domain.request import Request
from ...domain.tool import Tool
from ..local.template import offered, template_messages, template_tools
from ..local.token_bytes import spelling
from ..process.thread import Threads


@attrs.frozen
class Prompt:
    """A prompt for the engine."""

    for_engine: Any
    size: int  # in tokens, those that stand for images included
    text: str  # what the template made

    def room(self, context: int) -> int:
        """How many tokens may follow in a context of this size. Raises ModelFailure where none may."""
        if self.size >= context:
            message = f"the prompt has {self.size} tokens, and the context holds {context}"
            raise _refused(ErrorKind.CONTEXT_WINDOW, message)
        return context - self.size


class Reader:
    """Makes prompts for one engine, one at a time, in a thread of its own: tokenizers aren't made for several."""

    def __init__(self, llm: Any) -> None:
        self.tokenizer = llm.get_tokenizer()
        self.threads = Threads("modelport-vllm-reading", 1)
        self._llm = llm
        self.spelled = spelling(self.tokenizer)
        self._sees = bool(llm.model_config.is_multimodal_model)

    def read(self, request: Request, given: Mapping[str, Any]) -> Prompt:
        """The prompt of a request; `given` goes to the chat template. Raises what is wrong with it."""
        if not self._sees and any(isinstance(part, Image) for message in request.messages for part in message.content):
            raise _refused(ErrorKind.UNSUPPORTED, "this model reads text only; it has no eyes for images")
        told, pictures = template_messages(request.messages, with_images=self._sees)
        text = self._rendered(told, offered(request), given)
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        context = self._llm.model_config.max_model_len
        if len(tokens) >= context:
            return Prompt(None, len(tokens), text)
        prompt: dict[str, Any] = {"prompt_token_ids": tokens}
        if pictures:
            prompt["multi_modal_data"] = {"image": [_opened(picture) for picture in pictures]}
        made = self._processed(prompt)
        return Prompt(made, len(made.get("prompt_token_ids", tokens)), text)

    def _rendered(self, told: list[dict[str, Any]], tools: tuple[Tool, ...], given: Mapping[str, Any]) -> str:
        template = given.get("chat_template") or self._template()
        if not template:
            message = "it has no chat template: use a model that was trained to chat, or give a template: "
            message += "VLLMModel(..., apply_chat_template_kwargs={'chat_template': ...})"
            raise _refused(ErrorKind.UNSUPPORTED, message)
        rest = {"add_generation_prompt": True, **given, "chat_template": template, "tokenize": False}
        text: str = self.tokenizer.apply_chat_template(told, tools=template_tools(tools), **rest)
        if any(tool.name not in text for tool in tools):
            message = "its chat template leaves the tools out, so the model would never hear of them"
            raise _refused(ErrorKind.UNSUPPORTED, message)
        return text

    def _template(self) -> Any:
        """The tokenizer's template, or the processor's, where a model that sees keeps it."""
        found = getattr(self.tokenizer, "chat_template", None)
        if found is None and self._sees:
            processor = self._llm.renderer.get_mm_processor().info.get_hf_processor()
            found = getattr(processor, "chat_template", None)
        return found

    def _processed(self, prompt: dict[str, Any]) -> Any:
        """The prompt as the engine wants it, so that nothing is left to do on its event loop."""
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        (made,) = self._llm.renderer.render_cmpl([parse_model_prompt(self._llm.model_config, prompt)])
        return made


def _opened(picture: bytes) -> Any:
    from PIL import Image as Pictures

    try:
        return Pictures.open(io.BytesIO(picture)).convert("RGB")
    except OSError as error:
        raise _refused(ErrorKind.INVALID_REQUEST, f"an image can't be read: {error}") from None


def _refused(kind: ErrorKind, message: str) -> ModelFailure:
    return ModelFailure(ModelError(kind, message, sent=Sent.NO))
