"""A reader that asks a language model."""

from __future__ import annotations

from dataclasses import dataclass

from modelport import Model, as_request, blocking


@dataclass(frozen=True)
class ModelReader:
    """Fills the domain's port with any modelport model; a failure is no answer."""

    model: Model

    def answer(self, question: str, text: str) -> str | None:
        """What the model says before the first line break."""
        messages = [{"role": "system", "content": question}, {"role": "user", "content": text}]
        request = as_request(messages, stop_sequences=["\n"], max_tokens=5, temperature=0)
        return blocking(self.model).generate(request).map(lambda response: response.content).value_or(None)
