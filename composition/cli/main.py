"""The command line: `modelport ask "Why is the sky blue?"` prints a model's answer while it arrives.

It exits with 0 after an answer, 1 after a model's error, 2 after bad usage, and 130 at once on Ctrl-C. The model's text
is written as it is, and nothing else goes to standard output.
"""

# The annotations of commands are read by typer, which is imported inside a function: they can't be texts.

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeGuard

from ...adapters.files.weights import default_gguf
from ...adapters.process.calling import as_request
from ...domain.error import ModelError, ModelFailure, table
from ...domain.event import Failed, Finished, TextDelta
from ...domain.model import Model
from ...domain.request import Request
from ..stack.blocking import blocking
from ..stack.compose import describe
from .json_values import json_values
from .model_names import DEFAULT, model_for, most_tokens, needs_default_weights

_INTERRUPTED = 130
_SHOW_CURSOR = "\x1b[?25h"


def main() -> None:
    """What `modelport` runs."""
    signal.signal(signal.SIGINT, _interrupted)
    try:
        import rich
        import typer
    except ImportError as absent:
        _complain(f"the command line can't start ({absent}): pip install 'modelport[cli]'")
        sys.exit(1)
    del rich, typer
    for stream in filter(_is_text, (sys.stdin, sys.stdout, sys.stderr)):
        stream.reconfigure(encoding="utf-8", errors="replace")
    _app()()


def _is_text(stream: object) -> TypeGuard[io.TextIOWrapper]:
    return isinstance(stream, io.TextIOWrapper)


def _app() -> Any:
    import typer

    app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def modelport(
        version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    ) -> None:
        """Language models from the command line."""
        if version:
            from importlib import metadata

            try:
                print(f"modelport {metadata.version('modelport')}")
            except metadata.PackageNotFoundError:  # part of another package
                print("modelport (not installed on its own)")
            raise typer.Exit

    @app.command()
    def errors() -> None:
        """Print what each kind of error means."""
        print(table())

    @app.command()
    def plan(
        file: Annotated[Path, typer.Argument(help="A stack written as TOML.")] = Path("modelport.toml"),
        model: Annotated[str | None, typer.Option(help="Which of its models; the one that the file names.")] = None,
        mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the stack as a diagram instead.")] = False,
    ) -> None:
        """Print how a stack is nested, what a call can come to, and what can't be meant; nothing is sent."""
        from ..config.plan import from_toml

        try:
            stack = from_toml(file, model)
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror or error}") from error
        except ValueError as mistake:
            raise typer.BadParameter(str(mistake)) from mistake
        print(describe(stack.model, "mermaid") if mermaid else stack)

    @app.command()
    def ask(
        prompt: Annotated[str | None, typer.Argument(help="Read from standard input when absent or '-'.")] = None,
        model: Annotated[
            str,
            typer.Option(help="ADAPTER:MODEL, such as openvino:default, transformers:PATH, openai:NAME, bedrock:ID."),
        ] = DEFAULT,
        base_url: Annotated[str | None, typer.Option(help="Where the server is.")] = None,
        system: Annotated[str | None, typer.Option(help="What the model is told before the prompt.")] = None,
        stop: Annotated[
            list[str] | None, typer.Option(help="End the answer before this text; can be repeated.")
        ] = None,
        max_tokens: Annotated[
            int | None, typer.Option(help="The most tokens of an answer; 512 for a model on this machine.")
        ] = None,
        temperature: Annotated[float | None, typer.Option(help="0 always takes the likeliest token.")] = None,
        seed: Annotated[int | None, typer.Option(help="The same seed draws the same answer.")] = None,
        as_one: Annotated[bool, typer.Option("--json", help="Print the whole response as JSON.")] = False,
    ) -> None:
        """Ask a model one question, and print its answer while it arrives."""
        most = most_tokens(model) if max_tokens is None else max_tokens
        given: dict[str, Any] = {"max_tokens": most, "temperature": temperature, "seed": seed}
        options = {name: value for name, value in given.items() if value is not None}
        text = _standard_input() if prompt is None or prompt == "-" else prompt
        if not text.strip():
            raise typer.BadParameter("the prompt is empty; give it as an argument or on standard input")
        messages = [{"role": "user", "content": text}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        try:
            request = as_request(messages, stop or None, **options)
            chosen = model_for(model, base_url=base_url)
        except (ValueError, TypeError) as mistake:
            raise typer.BadParameter(str(mistake)) from mistake
        if sys.stdout is None:  # closed before we began
            _complain("the answer can't be written: standard output is closed")
            raise typer.Exit(1)
        try:
            error = _fetch_weights(model) or _print_answer(chosen, request, as_one)
        except BrokenPipeError:
            _reader_is_gone()
        except OSError as full:
            _cannot_write(full)
        if error is not None:
            _complain(f"{error.kind}: {error.message}\nadvice: {error.meaning.advice}")
            raise typer.Exit(1)

    return app


def _print_answer(model: Model, request: Request, as_one: bool) -> ModelError | None:
    """Prints the answer; gives the error where there is none."""
    shown, error = "", None
    with closing(blocking(model).stream(request)) as events:
        for event in events:
            match event:
                case TextDelta() if not as_one:
                    shown = event.text
                    sys.stdout.write(shown)
                    sys.stdout.flush()
                case Finished() if as_one:
                    shown = json.dumps(json_values(event.response), ensure_ascii=False, indent=2)
                    sys.stdout.write(shown)
                case Failed():
                    error = event.error
    if not shown.endswith("\n") and (shown or error is None):
        sys.stdout.write("\n")
    sys.stdout.flush()
    return error


def _fetch_weights(spec: str) -> ModelError | None:
    """Gets the default's weights onto this machine, if the spec needs them, with a progress bar on standard error."""
    if not needs_default_weights(spec):
        return None
    try:
        with _bar("fetching SmolLM2-135M-Instruct") as progress:
            default_gguf(progress)
    except ModelFailure as failure:
        return failure.error
    return None


@contextmanager
def _bar(title: str) -> Iterator[Any]:
    """A progress function, whose bar, or line where there is no terminal, appears with its first news."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = None

    def progress(done: int, total: int) -> None:
        nonlocal task
        if task is None:
            if bar.console.is_terminal:
                bar.start()
            else:
                _complain(f"{title} ({total / 1e6:.0f} MB)")
            task = bar.add_task(title, total=total)
        bar.update(task, completed=done)

    try:
        yield progress
    finally:
        if bar.live.is_started:
            bar.stop()


def _interrupted(*_: object) -> NoReturn:
    """Leaves at once, whatever is being loaded, converted or generated in other threads."""
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR.encode())
    os._exit(_INTERRUPTED)


def _reader_is_gone() -> NoReturn:
    """Whoever reads our output has had enough of it, which is no error."""
    os._exit(0)


def _cannot_write(error: OSError) -> NoReturn:
    """Leaves at once: what is still in the buffer would fail a second time."""
    _complain(f"the answer can't be written: {error.strerror or error}")
    os._exit(1)


def _standard_input() -> str:
    return "" if sys.stdin is None else sys.stdin.read()  # None: it was closed before we began


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
