"""litellm's log without keys: it writes down what providers answer, and some quote the key that they were sent.

The secrets of the calls in progress are taken out of its records before anybody handles them.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from ..process.fork import in_child
from ..process.secret import hidden

_LOGGERS: Final = ("LiteLLM", "LiteLLM Router")
_in_use: Counter[str] = Counter()
_lock = threading.Lock()


@in_child
def _forget() -> None:
    global _lock
    _lock = threading.Lock()


@contextmanager
def hiding(secrets: Iterable[object]) -> Iterator[None]:
    """Nothing that litellm logs inside shows these secrets."""
    mine = Counter(secret for secret in secrets if isinstance(secret, str) and secret)
    with _lock:
        _in_use.update(mine)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_hide)  # once, however often it is said
    try:
        yield
    finally:
        with _lock:
            _in_use.subtract(mine)
            for secret in mine:
                if _in_use[secret] <= 0:
                    del _in_use[secret]


def _hide(record: logging.LogRecord) -> bool:
    with _lock:
        secrets = tuple(_in_use)
    if secrets:
        record.msg, record.args = hidden(record.getMessage(), secrets), ()
        if record.exc_info:
            record.exc_text = hidden(logging.Formatter().formatException(record.exc_info), secrets)
    return True
