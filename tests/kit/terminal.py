"""A real terminal for a command: a pty, and what a person sees on it."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import pyte

_TAKE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Nothing else makes Ctrl-C reach a command. Between fork and exec, Python would wait for locks of other threads."""


class Terminal:
    """Runs a command on a terminal of this size, as a context manager."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24, cwd: str = "."
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._news = threading.Condition()
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        more = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TAKE_IT, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={name: value for name, value in {**environment, **more}.items() if value},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(30)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # nobody has the other end any more
                data = b""
            with self._news:
                if not data:
                    self._news.notify_all()
                    return
                self.raw += data
                self._stream.feed(data)
                if b"\x1b[6n" in data:  # where is the cursor?
                    cursor = self.screen.cursor
                    os.write(self._master, f"\x1b[{cursor.y + 1};{cursor.x + 1}R".encode())
                self._news.notify_all()

    @property
    def text(self) -> str:
        """All lines, those that have gone up first, without what is empty at their ends."""
        above = ["".join(line[at].data for at in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in (*above, *self.screen.display)).rstrip()

    def until(self, seen: str | Callable[[str], bool], seconds: float = 60.0) -> str:
        """The text, once this can be seen in it."""
        holds = (lambda text: seen in text) if isinstance(seen, str) else seen
        with self._news:
            assert self._news.wait_for(lambda: holds(self.text), seconds), f"not seen in time: {seen!r}\n{self.text}"
            return self.text

    def type(self, keys: str) -> None:
        r"""Press these keys: Enter is \r, Ctrl-C \x03, Ctrl-D \x04, Alt-Enter \x1b\r."""
        os.write(self._master, keys.encode())

    def ended(self, seconds: float = 60.0) -> int:
        """The exit status, once it has ended and everything was read."""
        status = self.process.wait(seconds)
        self._thread.join(seconds)
        return status
