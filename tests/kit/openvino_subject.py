"""The embedded default in OpenVINO, loaded once for all tests of a process; and one that counts its tokens."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from modelport.adapters.openvino.loading import Loaded
from modelport.adapters.openvino.model import OpenVINOModel


@cache
def loaded() -> Loaded:
    return OpenVINOModel()._runtime.ready()


def model(**options: Any) -> OpenVINOModel:
    """The default with these options, loaded already."""
    made = OpenVINOModel(temperature=0, **options)
    made._runtime.put(loaded())
    return made


class Counted:
    """The default's pipeline: it says when a call has begun, and counts the tokens of all."""

    def __init__(self) -> None:
        self._pipeline = loaded().pipeline
        self.begun = threading.Event()
        self.tokens = 0
        self.model = OpenVINOModel(pipeline=self, temperature=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def generate(self, inputs: Any, config: Any, streamer: Any) -> Any:
        import openvino_genai

        counted = self

        class Counting(openvino_genai.StreamerBase):  # type: ignore[misc]  # OpenVINO has no types
            def write(self, token: Any) -> Any:
                counted.tokens += 1
                return streamer.write(token)

            def end(self) -> None:
                streamer.end()

        self.begun.set()
        return self._pipeline.generate(inputs, config, Counting())
