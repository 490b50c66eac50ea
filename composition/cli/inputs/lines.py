"""What is typed into a chat, one message after the other: on a terminal with a history, in a pipe line by line.

`!multi` begins a message of several lines and `!end` ends it; `exit`, `quit` or the end of the input end the chat.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..exits import complain


def messages(lines: Iterable[str | None]) -> Iterator[str]:
    r"""The messages that these lines make, without empty ones. None is Ctrl-C: what was typed so far is dropped.

    >>> list(messages(["Hi", "", "!multi", "One", "two", "!end", "exit", "Ho"]))
    ['Hi', 'One\ntwo']
    """
    several: list[str] | None = None
    for line in lines:
        if line is None:
            complain("(Ctrl-D or exit leaves)" if several is None else "(the lines since !multi are dropped)")
            several = None
            continue
        word = line.strip()
        if several is not None:
            if word != "!end":
                several.append(line)
                continue
            text, several = "\n".join(several), None
        elif word in ("exit", "quit"):
            return
        elif word == "!multi":
            several = []
            continue
        else:
            text = line
        if text.strip():
            yield text
    if several:
        yield "\n".join(several)


def piped() -> Iterator[str]:
    """The lines of standard input."""
    for line in sys.stdin or ():
        yield line.rstrip("\r\n")


def typed(history: Path | None) -> Iterator[str | None]:
    """What is typed on the terminal. Enter sends it, Alt-Enter begins a new line; `history` keeps it for the next time.

    Ctrl-C takes back what is being typed, and gives None; Ctrl-D ends it.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def begin_a_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    kept = InMemoryHistory() if history is None else FileHistory(history)
    session: PromptSession[str] = PromptSession(
        "> ", history=kept, key_bindings=keys, multiline=True, prompt_continuation="  "
    )
    while True:
        try:
            yield session.prompt()
        except KeyboardInterrupt:
            yield None
        except EOFError:
            return
