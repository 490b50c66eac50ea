"""What was typed for `ask` and `chat`, and what it comes to: a template, or a conversation with a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import attrs

from ...domain.message import Message, Role
from ...domain.response_format import Free, JsonSchema
from ..layers.check import text_check
from . import demonstration
from .files.log_store import Entry
from .files.settings import settings
from .files.template_files import Template, read_template
from .inputs.option_values import read_options
from .inputs.schemas import read_schema
from .inputs.tool_functions import read_tools
from .model_choice import Choice, choose
from .model_names import most_tokens
from .session import Asked, Session


@attrs.frozen(kw_only=True)
class Given:
    """What was typed."""

    model: str | None
    system: str | None
    template: str | None
    params: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    stop: tuple[str, ...]
    max_tokens: int | None
    temperature: float | None
    seed: int | None
    tools: tuple[str, ...]
    rounds: int
    base_url: str | None
    goes_on: bool
    usage: bool
    plain: bool
    no_log: bool
    schema: str | None = None

    def typed_options(self) -> dict[str, Any]:
        """The options by name. Raises ValueError for one that is there twice."""
        own = {"max_tokens": self.max_tokens, "temperature": self.temperature, "seed": self.seed}
        options = read_options(self.options)
        for name, value in own.items():
            if value is not None and name in options:
                raise ValueError(f"-o {name}: it is there twice; keep one")
        return {**options, **{name: value for name, value in own.items() if value is not None}}

    def filled(self, text: str) -> Template:
        """The template, with the text in it; what was typed comes first."""
        template = Template() if self.template is None else read_template(self.template)
        typed = Template(self.model, self.system, None, self.schema, self.typed_options())
        filled = template.filled(text, self._parameters(template))
        return Template(
            typed.model or filled.model,
            filled.system if typed.system is None else typed.system,
            filled.prompt,
            filled.schema if typed.schema is None else typed.schema,
            {**filled.options, **typed.options},
        )

    def _parameters(self, template: Template) -> dict[str, str]:
        """The parameters by name. Raises ValueError for one that the template doesn't have."""
        values: dict[str, str] = {}
        for name, value in self.params:
            if self.template is None:
                raise ValueError(f"-p {name}: a parameter goes with a template: -t NAME")
            if name == "input":
                raise ValueError("-p input: $input is the prompt; give it as an argument or on standard input")
            if name not in template.parameters:
                known = ", ".join(template.parameters) or "none"
                raise ValueError(f"-p {name}: the template has no ${name}; its parameters: {known}")
            if name in values:
                raise ValueError(f"-p {name}: it is there twice; keep one")
            values[name] = value
        return values

    def savable(self, text: str, others: Mapping[str, object]) -> Template:
        """What is typed, as a template. Raises ValueError for what none can hold, and one that can't be asked."""
        lost = {
            "--template": self.template,
            "--param": self.params,
            "--stop": self.stop,
            "--tools": self.tools,
            "--base-url": self.base_url,
            "--continue": self.goes_on,
            "--usage": self.usage,
            "--plain": self.plain,
            "--no-log": self.no_log,
            **others,
        }
        for name, value in lost.items():
            if value:
                raise ValueError(f"--save: a template can't hold {name}; leave it out, and say it with --template")
        template = Template(self.model, self.system, text or None, self.schema, self.typed_options())
        if template == Template():
            raise ValueError("--save: there is nothing to keep; say a prompt, --system, --model, --schema or options")
        self.session(template.filled("?", dict.fromkeys(template.parameters, "?")), None)
        return template

    def session(self, template: Template, last: Entry | None) -> Session:
        """What this begins, or goes on with. Raises ValueError or TypeError for what can't be meant."""
        choice = self._choice(template.model, last)
        schema = None if template.schema is None else read_schema(template.schema)
        form = Free() if schema is None else JsonSchema(schema)
        check = None if schema is None else text_check(schema, "--schema")
        functions = read_tools(self.tools)
        asked = Asked(choice, self.stop, {**usual(choice), **template.options}, form, functions, self.rounds, check)
        begun = () if last is None else last.messages
        system = template.system
        if system is None and not begun and choice.is_demonstration and isinstance(form, Free) and not functions:
            system = demonstration.SYSTEM
        if system is not None:
            others = (message for message in begun if message.role is not Role.SYSTEM)
            begun = (Message(Role.SYSTEM, system), *others)
        asked.request((*begun, Message(Role.USER, "?")))  # what can't be meant is told before anything is fetched
        return Session(asked, begun)

    def _choice(self, word: str | None, last: Entry | None) -> Choice:
        """The model to ask. A conversation goes on where it was, unless a model or an address is named."""
        goes_on = last is not None and word is None and self.base_url is None
        address = last.place if last is not None and goes_on and "://" in last.place else self.base_url
        word = word or (None if last is None else last.model)
        choice = choose(word, os.environ.get("MODELPORT_MODEL"), settings(), address)
        if last is not None and goes_on and choice.place != last.place:
            where = f" of {last.place}" if last.place else ""
            raise ValueError(f"the conversation was with {last.model!r}{where}; name who goes on with it: -m NAME")
        return choice


def usual(choice: Choice) -> Mapping[str, Any]:
    """The options of a model where nobody says: small models on this machine may repeat themselves without end."""
    if choice.is_demonstration:
        return demonstration.OPTIONS
    most = most_tokens(choice.spec or "")
    return {} if most is None else {"max_tokens": most}
