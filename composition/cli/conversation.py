"""A conversation at a terminal or in a pipe: what is said before it and after each answer, and what is logged of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable

import attrs

from ...adapters.files.weights import default_gguf
from ...domain.error import ModelError, ModelFailure
from ...domain.message import Part
from ...domain.request import Request
from ...domain.response import Response
from ..layers.known_secrets import known_secrets
from .demonstration import NOTE, UNNAMED
from .display.progress import bar
from .display.screens import Screen
from .exits import complain
from .files import log_store
from .files.key_file import use_kept_keys
from .files.settings import FILE
from .files.template_files import Template
from .given import Given
from .model_choice import Choice
from .model_names import needs_default_weights
from .session import Session, ledger


@attrs.define
class Conversation:
    """One run of `ask` or `chat`."""

    id: str
    session: Session
    is_logged: bool
    tells_usage: bool

    @classmethod
    def begun(cls, given: Given, template: Template) -> Conversation:
        """The one that was typed. Raises ValueError or TypeError for what can't be meant."""
        use_kept_keys()
        last = log_store.last_conversation() if given.goes_on else None
        session = given.session(template, last)
        is_logged = log_store.is_on() and not given.no_log
        return cls(uuid.uuid4().hex if last is None else last.conversation, session, is_logged, given.usage)

    @property
    def choice(self) -> Choice:
        """The model that is asked."""
        return self.session.asked.choice

    def prepare(self) -> str | None:
        """Says which model was chosen where nobody named one, and gets its weights if it is the embedded default.

        Gives what is wrong, if they can't be had.
        """
        if self.choice.by is None:
            complain(NOTE)
        elif self.choice.by == FILE:  # that of this folder, which somebody else may have written
            complain(f"({self.choice.name} answers, as {FILE} in {os.getcwd()} says)")
        if self.choice.spec is None or not needs_default_weights(self.choice.spec):
            return None
        try:
            with bar("fetching SmolLM2-135M-Instruct") as progress:
                default_gguf(progress)
        except ModelFailure as failure:
            return self.reason(failure.error)
        return None

    def ask(self, parts: Iterable[Part], screen: Screen) -> Response | ModelError:
        """Asks, logs it if the log is on, and says what it took if that was asked for."""
        request, outcome = self.session.ask(parts, screen)
        if self.is_logged:
            self._log(request, outcome)
        if self.tells_usage and isinstance(outcome, Response):
            complain(ledger(outcome))
        return outcome

    def reason(self, outcome: Response | ModelError) -> str | None:
        """Why there is no answer, or not the one that was asked for, and what to do; None where there is one."""
        if isinstance(outcome, Response):
            return self.session.asked.reason(outcome)
        told = f"{outcome.kind}: {outcome.message}\nadvice: {outcome.meaning.advice}"
        return told if self.choice.by is not None else f"{told}\n{UNNAMED}"

    def _log(self, request: Request, outcome: Response | ModelError) -> None:
        """An answer that came stands, whatever becomes of the log."""
        choice = self.choice
        try:
            log_store.write(self.id, choice.name, choice.place, request, outcome, known_secrets(choice.model))
        except OSError as error:
            complain(f"(this isn't in the log {log_store.log_file()}: {error.strerror})")
