"""`modelport ask "Why is the sky blue?"` asks one question, and prints the answer while it arrives."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ...domain.message import Part, Text
from ...domain.response import Response
from .conversation import Conversation
from .display.screens import Silent, screen
from .exits import complain, need_output, tell
from .files.template_files import write_template
from .given import Given
from .inputs.attachments import attached
from .inputs.prompts import prompt
from .json_values import json_values
from .question_options import asking_options
from .usage_errors import refusing


@click.command(name="ask")
@click.argument("words", metavar="[PROMPT]", nargs=-1)
@asking_options
@click.option(
    "-a", "--attach", multiple=True, metavar="PLACE", help="A picture, document, sound or text: a file, address or '-'."
)
@click.option("--schema", help='JSON to answer with: a JSON schema, its file, or fields: "name, age int, bio: short".')
@click.option("--json", "as_json", is_flag=True, help="Print the whole response as JSON.")
@click.option("--save", metavar="NAME", help="Keep this as a template, and ask nothing.")
@click.option("--force", is_flag=True, help="Let --save write over a template of this name.")
def command(
    words: tuple[str, ...], attach: tuple[str, ...], as_json: bool, save: str | None, force: bool, **typed: Any
) -> None:
    """Ask a model one question, and print its answer while it arrives.

    What is piped in goes before the prompt; '-' is standard input alone.
    """
    given = Given(**typed)
    need_output()
    with refusing():
        if save is not None:
            template = given.savable(prompt(words, reads=False), {"--attach": attach, "--json": as_json})
            tell(f"kept in {write_template(save, template, over=force)}")
            return
        if force:
            raise ValueError("--force goes with --save NAME")
        text = prompt(words, reads="-" not in attach)
        template = given.filled(text)
        parts: list[Part] = [attached(place) for place in attach]
        if not parts and not (template.prompt or "").strip():
            raise ValueError("the prompt is empty; give it as an argument or on standard input")
        if template.prompt:
            parts.append(Text(template.prompt))
        conversation = Conversation.begun(given, template)
    reason = conversation.prepare() or _answered(conversation, parts, as_json, given.plain or bool(template.schema))
    if reason is not None:
        complain(reason)
        sys.exit(1)


def _answered(conversation: Conversation, parts: list[Part], as_json: bool, plain: bool) -> str | None:
    """Why there is no answer, or not the one that was asked for."""
    outcome = conversation.ask(parts, Silent() if as_json else screen(plain))
    if as_json and isinstance(outcome, Response):
        tell(json.dumps(json_values(outcome), ensure_ascii=False, indent=2))
    return conversation.reason(outcome)
