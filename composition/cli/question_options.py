"""The options that `ask` and `chat` have in common, by the names of the fields of `Given`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from .files.settings import settings
from .files.template_files import template_names
from .model_choice import names
from .model_names import ADAPTERS

_F = TypeVar("_F", bound=Callable[..., Any])


def _models(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    try:
        known = names(settings())
    except ValueError:  # a file that can't be read is told when something is asked
        known = []
    known += [f"{word}:{adapter.example}" for word, adapter in ADAPTERS.items()]
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def _templates(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in template_names() if name.startswith(incomplete)]


_OPTIONS: Final = (
    click.option(
        "-m",
        "--model",
        shell_complete=_models,
        help="ADAPTER:MODEL (openai:gpt-4o, openvino:default, ...), an alias, or a model of modelport.toml.",
    ),
    click.option("-s", "--system", help="What the model is told before the prompt."),
    click.option("-t", "--template", shell_complete=_templates, help="Begin with a template: its name, or a file."),
    click.option(
        "-p", "--param", "params", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the template."
    ),
    click.option(
        "-o",
        "--option",
        "options",
        nargs=2,
        multiple=True,
        metavar="NAME VALUE",
        help="An option of the model, such as top_p 0.9; the value is read as JSON where it is JSON.",
    ),
    click.option("--stop", multiple=True, help="End the answer before this text; can be repeated."),
    click.option("--max-tokens", type=int, help="The most tokens of an answer; 512 for a model on this machine."),
    click.option("--temperature", type=float, help="0 always takes the likeliest token."),
    click.option("--seed", type=int, help="The same seed draws the same answer."),
    click.option("--tools", multiple=True, help="Functions that the model may have called: FILE.py or MODULE[:NAME]."),
    click.option(
        "--rounds",
        default=5,
        show_default=True,
        type=click.IntRange(1),
        help="How often tools are run before it has to answer.",
    ),
    click.option("--base-url", help="Where the server is."),
    click.option("-c", "--continue", "goes_on", is_flag=True, help="Go on with the conversation logged last."),
    click.option("-u", "--usage", is_flag=True, help="Say what an answer took, on standard error."),
    click.option("--plain", is_flag=True, help="The text as it comes, also on a terminal."),
    click.option("--no-log", is_flag=True, help="Leave this out of the log."),
)


def asking_options(command: _F) -> _F:
    """Gives a command the options that `Given` is made of."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
