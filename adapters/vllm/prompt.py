"""What vLLM's engine is given to read: a request through the model's own chat template, as tokens and images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ...domain.request import Request
from ..local.prompt import check_template, check_tools, encode, pictured, pictures, room, shows, unsupported
from ..local.token_bytes import spelling
from ..process.thread import Threads


@attrs.frozen
class Prompt:
    """A prompt for the engine."""

    for_engine: Any
    size: int  # in tokens, those that stand for images included
    text: str  # what the template made
    room: int  # so many tokens may follow


class PromptReader:
    """Makes prompts for one engine, one at a time, in a thread of its own: tokenizers aren't made for several."""

    def __init__(self, llm: Any) -> None:
        self.tokenizer = llm.get_tokenizer()
        self.threads = Threads("modelport-vllm-reading", 1)
        self._llm = llm
        self.spelled = spelling(self.tokenizer)
        self._sees = bool(llm.model_config.is_multimodal_model)
        self._context: int = llm.model_config.max_model_len

    def read(self, request: Request, kwargs: Mapping[str, Any]) -> Prompt:
        """The prompt of a request; `kwargs` go to the chat template. Raises what is wrong with it."""
        if not self._sees and pictured(request):
            raise unsupported("it has no images: it reads text only")
        template = kwargs.get("chat_template") or self._template()
        check_template(template, request, "VLLMModel")
        conversation = encode(request, with_images=self._sees and shows(template))
        rest = {"add_generation_prompt": True, **kwargs, "chat_template": template, "tokenize": False}
        text: str = self.tokenizer.apply_chat_template(**{**conversation, **rest})
        check_tools(request, text)
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        room(len(tokens), self._context)
        prompt: dict[str, Any] = {"prompt_token_ids": tokens}
        images = pictures(conversation)
        if images:
            prompt["multi_modal_data"] = {"image": images}
        made = self._processed(prompt)
        size = len(made.get("prompt_token_ids", tokens))
        return Prompt(made, size, text, room(size, self._context) or 0)

    def _template(self) -> Any:
        """The tokenizer's template, or the processor's, where a model that sees keeps it."""
        template = getattr(self.tokenizer, "chat_template", None)
        if template is None and self._sees:
            processor = self._llm.renderer.get_mm_processor().info.get_hf_processor()
            template = getattr(processor, "chat_template", None)
        return template

    def _processed(self, prompt: dict[str, Any]) -> Any:
        """The prompt as the engine wants it, so that nothing is left to do on its event loop."""
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        (made,) = self._llm.renderer.render_cmpl([parse_model_prompt(self._llm.model_config, prompt)])
        return made
