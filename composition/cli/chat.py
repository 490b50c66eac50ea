"""`modelport chat` holds a conversation: Ctrl-C ends an answer, and not the chat."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from ...domain.message import Text
from .conversation import Conversation
from .display.screens import screen
from .exits import Ended, complain, interrupted, need_output
from .files.settings import config_folder
from .given import Given
from .inputs.lines import messages, piped, typed
from .question_options import asking_options
from .usage_errors import refusing


@click.command(name="chat")
@asking_options
def command(**given_options: Any) -> None:
    """Hold a conversation with a model.

    Enter sends a message and Alt-Enter begins a new line of it, as does a line !multi up to one of !end. Ctrl-C ends an
    answer; exit, quit or Ctrl-D end the chat.
    """
    given = Given(**given_options)
    need_output()
    with refusing():
        template = given.filled("")
        conversation = Conversation.begun(given, template)
    reason = conversation.prepare()
    if reason is not None:
        complain(reason)
        sys.exit(1)
    is_typed = sys.stdin is not None and sys.stdin.isatty()
    failed = False
    for text in messages(_typed(conversation) if is_typed else piped()):
        filled = given.filled(text)
        reason = _answered(conversation, filled.prompt or text, given.plain)
        if reason is not None:
            complain(reason)
            failed = True
    if failed and not is_typed:
        sys.exit(1)


def _typed(conversation: Conversation) -> Iterator[str | None]:
    complain(f"Chat with {conversation.choice.name}")
    complain("(Alt-Enter begins a new line, Ctrl-C ends an answer, Ctrl-D leaves)")
    return typed(_history() if conversation.is_logged else None)


def _history() -> Path:
    """What is typed is kept where the log is, and only while it is on."""
    path = config_folder() / "chat-history"
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


def _answered(conversation: Conversation, text: str, plain: bool) -> str | None:
    """Why there is no answer; an answer that is ended is meant so."""
    signal.signal(signal.SIGINT, _ended)
    try:
        return conversation.reason(conversation.ask((Text(text),), screen(plain)))
    except Ended:
        complain("(ended)")
        return None
    finally:
        signal.signal(signal.SIGINT, interrupted)


def _ended(*_: object) -> NoReturn:
    signal.signal(signal.SIGINT, interrupted)  # who presses it twice wants to leave
    raise Ended
