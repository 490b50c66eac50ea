"""What can be asked from here is shown, and nothing but this machine is contacted."""

from __future__ import annotations

from pathlib import Path

import loopback
import pytest
from in_process import command, scripted


def row(output: str, begin: str) -> list[str]:
    """The cells of the line that begins so."""
    (line,) = (line for line in output.splitlines() if line.startswith(f"{begin} "))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_each_adapter_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    for name in (
        "AZURE_OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "HF_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
    ):
        monkeypatch.delenv(name, raising=False)
    command("keys", "set", "azure", input="0123456789abcdef")
    done = command("models")
    assert done.exit_code == 0
    assert row(done.output, "openvino")[2:] == ["none, it runs here", "openvino:default"]
    assert row(done.output, "openai")[2:] == ["OPENAI_API_KEY (set)", "openai:gpt-4o"]
    assert row(done.output, "responses")[2:] == ["OPENAI_API_KEY (set)", "responses:gpt-5"]
    assert row(done.output, "azure")[2] == "AZURE_OPENAI_API_KEY (kept)"
    assert row(done.output, "huggingface")[2] == "HF_TOKEN (not set)"
    assert row(done.output, "anthropic")[2:] == ["ANTHROPIC_API_KEY (not set)", "anthropic:claude-sonnet-5-5"]
    assert row(done.output, "gemini")[2:] == ["GEMINI_API_KEY (not set)", "gemini:gemini-2.5-flash"]
    assert row(done.output, "litellm")[2] == "that of its provider"
    assert max(map(len, done.output.splitlines()[:12])) <= 100
    default = "openvino:default (MODELPORT_MODEL or modelport.toml name another)"
    assert f"asked where none is named: {default}\n" in done.output
    assert "0123456789" not in done.output


def test_each_server_that_is_known_says_how_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GROQ_API_KEY", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    command("keys", "set", "mistral", input="0123456789abcdef")
    told = command("models").output
    assert row(told, "groq") == ["groq", "GROQ_API_KEY (not set)", "groq:llama-3.3-70b-versatile"]
    assert row(told, "mistral") == ["mistral", "MISTRAL_API_KEY (kept)", "mistral:mistral-small-latest"]
    assert row(told, "vllm-server")[1] == "VLLM_API_KEY (not set), if it asks"
    assert row(told, "lmstudio")[1] == "none"
    assert max(len(line) for line in told.splitlines() if not line.startswith("to install: ")) <= 100


def test_what_is_not_installed_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelport.composition.cli import models

    here = {word: adapter._replace(module="json") for word, adapter in models.ADAPTERS.items()}
    monkeypatch.setattr(models, "ADAPTERS", {**here, "vllm": here["vllm"]._replace(module="no_such_module")})
    told = command("models").output
    assert (row(told, "openai")[1], row(told, "vllm")[1]) == ("yes", "no")
    assert "\nto install: pip install 'modelport[vllm]'\n" in told
    monkeypatch.setattr(models, "ADAPTERS", here)
    assert "to install" not in command("models").output


def test_names_are_shown_with_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scripted(tmp_path, "Hi!")
    file = tmp_path / "modelport.toml"
    file.write_text(f'model = "main"\naliases = {{ fast = "openai:small" }}\n{file.read_text("utf-8")}', "utf-8")
    done = command("models")
    assert row(done.output, "main") == ["main", "a stack or model", "modelport.toml"]
    assert row(done.output, "fast") == ["fast", "openai:small", "modelport.toml"]
    assert "asked where none is named: main (modelport.toml)" in done.output


def test_the_embedded_default_s_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelport.adapters.files.weights import Weights
    from modelport.composition.cli import models

    monkeypatch.setattr(models, "WEIGHTS", Weights("no-such", "1", "no_such/w.gguf", 98_000_000, ""))
    monkeypatch.setenv("MODELPORT_CACHE", str(tmp_path))
    assert "weights are fetched when it is first asked (98 MB)" in command("models").output
    (tmp_path / "w.gguf").touch()
    assert "weights are on this machine" in command("models").output


def test_servers_on_this_machine_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = loopback.body({"object": "list", "data": [{"id": "qwen2.5"}, {"id": "llama3.2"}]})
    empty = loopback.body({"data": []})
    other = loopback.Answer(200, {"content-type": "text/html"}, b"<html>")
    strange = loopback.body([1])
    with (
        loopback.Loopback(listed) as one,
        loopback.Loopback(empty) as two,
        loopback.Loopback(other) as three,
        loopback.Loopback(strange) as four,
    ):
        monkeypatch.setenv("MODELPORT_SERVERS", f"{one.url},{three.url},{four.url},http://127.0.0.1:9/v1")
        told = command("models", "--base-url", two.url).output.splitlines()[-4:]
        assert told == [
            f"{one.url} has qwen2.5, llama3.2",
            f'  modelport ask "..." --model openai:qwen2.5 --base-url {one.url}',
            "",
            f"{two.url} has no models",
        ]
        assert "authorization" not in {name.lower() for name in one.requests[0].headers}


@pytest.mark.parametrize(
    ("answer", "path", "said"),
    [
        (loopback.error(404), "", "{} answers 404 when it is asked for its models; did you mean {}/v1?"),
        (loopback.error(404), "/v1", "{} answers 404 when it is asked for its models"),
        (loopback.error(401), "", "{} answers 401 when it is asked for its models"),
        (loopback.body([1]), "/v1", "{} answers with something else than a list of models"),
        (loopback.Answer(200, {}, b"[" * 100_000), "/v1", "{} answers with something else than a list of models"),
    ],
)
def test_a_server_that_is_named_says_why_it_has_no_models(answer: loopback.Answer, path: str, said: str) -> None:
    with loopback.Loopback(answer) as server:
        address = server.url.removesuffix("/v1") + path
        done = command("models", "--base-url", address)
    assert (done.exit_code, done.stderr) == (1, said.format(address, address) + "\n")


def test_a_dead_server_that_is_named_is_told_with_its_address() -> None:
    done = command("models", "--base-url", "http://127.0.0.1:9/v1")
    assert (done.exit_code, done.stderr) == (1, "http://127.0.0.1:9/v1 doesn't answer: Connection refused\n")
    assert "openvino:default" in done.stdout


def test_a_model_s_name_gives_the_shell_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback.Loopback(loopback.body({"data": [{"id": "$(rm -r ~)"}]})) as server:
        monkeypatch.setenv("MODELPORT_SERVERS", server.url)
        assert command("models").stdout.splitlines()[-1] == (
            f"  modelport ask \"...\" --model 'openai:$(rm -r ~)' --base-url {server.url}"
        )
