"""First lines and typos at the command line, each with the message that it gets: nothing goes wrong in silence."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelport.composition.cli.commands import group

SETTINGS = """\
[aliases]
fast = "openai:gpt-4o-mini"
there = "here"
here = "there"

[models.main]
adapter = "ScriptedModel"
answers = ["Hi!"]
"""

ROWS = [
    ("aks Why?", "there is no command 'aks'; did you mean 'ask'?"),
    ("zzz", "there is no command 'zzz'; there are ask, chat, models, keys, templates, log"),
    ("'Why is the sky blue?'", 'that is a prompt, not a command; write modelport ask "..."'),
    ("--flavour", "No such option '--flavour'"),
    ("ask", "the prompt is empty; give it as an argument or on standard input"),
    ("ask ''", "the prompt is empty"),
    ("ask -", "the prompt is empty"),
    ("ask why is the sky blue", 'the prompt is one argument; put it into quotes: modelport ask "..."'),
    ("ask Hi --modle openai:m", "No such option '--modle'. Did you mean '--model'?"),
    ("ask Hi -m opnai:gpt-4o", "there is no adapter 'opnai'; did you mean 'openai'?"),
    ("ask Hi -m openai", "'openai' names no model; write openai:gpt-4o"),
    ("ask Hi -m gpt-4o", "'gpt-4o' names no adapter; did you mean 'openai:gpt-4o'?"),
    ("ask Hi -m O3", "did you mean 'openai:O3'?"),
    ("ask Hi -m grok-4", "did you mean 'xai:grok-4'?"),
    ("ask Hi -m Qwen/Qwen3-32B", "did you mean 'huggingface:Qwen/Qwen3-32B'?"),
    ("ask Hi -m modelport.toml", "did you mean 'openvino:modelport.toml'?"),
    ("ask Hi -m llama3", ", such as openai:llama3"),
    ("ask Hi -m fsat", "'fsat' is no model of a modelport.toml and no alias; did you mean 'fast'?"),
    ("ask Hi -m mian", "did you mean 'main'?"),
    ("ask Hi -m here", "'here': the aliases of this name lead to no model"),
    (
        "ask Hi -m main --base-url http://127.0.0.1:9/v1",
        "--base-url goes with ADAPTER:MODEL; modelport.toml says where",
    ),
    ("ask Hi --base-url http://127.0.0.1:9/v1", "a base URL goes with a server, such as openai:NAME"),
    ("ask Hi --max-tokens lots", "'lots' is not a valid integer"),
    ("ask Hi --max-tokens 0", "max_tokens must be at least 1"),
    ("ask Hi --temperature warm", "'warm' is not a valid float"),
    ("ask Hi -o temperature -1", "temperature must not be negative"),
    ("ask Hi -o top_p NaN", "top_p must be a finite number"),
    ("ask Hi -o temperature", "Option '-o' requires 2 arguments"),
    ("ask Hi -o top_p 0.5 -o top_p 0.9", "-o top_p: it is there twice; keep one"),
    ("ask Hi --temperature 0 -o temperature 1", "-o temperature: it is there twice; keep one"),
    ("ask Hi -o system Brief", "-o system: that isn't an option of the model; use --system"),
    ("ask Hi -o stop END", "-o stop: that isn't an option of the model; use --stop"),
    ("ask Hi -o api_base http://127.0.0.1:9", "-o api_base: that isn't an option of the model; use --base-url"),
    ("ask Hi -o api_key sk-0123456789", "a key comes from its variable or from modelport keys, never as an argument"),
    ("ask Hi --api-key=sk-0123456789", "No such option '--api-key'"),
    ("ask Hi --stop ''", "empty stop"),
    ("ask Hi -t sumarise", "there is no template 'sumarise'; did you mean 'summarise'?"),
    ("ask Hi -t zzz", "there is no template 'zzz'; they are in"),
    ("ask Hi -t summarise", "the template has $language; say --param language VALUE"),
    ("ask Hi -a absent.png", "can't read 'absent.png': No such file or directory"),
    ("ask Hi -a https://example.org/picture", "its ending doesn't say what it is; fetch it and attach the file"),
    ("ask Hi --schema '{\"type\":'", "--schema: it is no JSON"),
    ("ask Hi --schema 'name, age year'", "--schema: age: there is no type 'year'; use str, int, float or bool"),
    ("ask Hi --schema absent.json", "--schema absent.json: No such file or directory"),
    ("ask Hi --tools absent.py", "--tools absent.py: it can't be imported: FileNotFoundError"),
    ("ask Hi --tools json:dump_s", "--tools json:dump_s: json has no function 'dump_s'"),
    ("ask Hi --rounds 0", "0 is not in the range x>=1"),
    ("ask Hi -c", "there is no conversation to continue: the log is off; modelport log on keeps what is asked"),
    ("ask Hi -p language Korean", "-p language: a parameter goes with a template: -t NAME"),
    ("ask Hi -t summarise -p langage Korean", "-p langage: the template has no $langage; its parameters: language"),
    ("ask Hi -t summarise -p input Ho", "-p input: $input is the prompt"),
    ("ask Hi -t summarise -p language A -p language B", "-p language: it is there twice; keep one"),
    ("chat -p language Korean", "-p language: a parameter goes with a template: -t NAME"),
    ("ask Hi --force", "--force goes with --save NAME"),
    (
        'ask Hi --schema \'{"type": "objct"}\'',
        "--schema: this is no JSON schema: at $.type: 'objct' is not valid under any of the given schemas",
    ),
    ("ask Hi --tools json:dumps --tools json:dumps", "there is a tool 'dumps' already; each name stands for one"),
    ("ask Hi --tools leaves.py", "--tools leaves.py: it can't be imported: SystemExit: 3"),
    ("ask Hi --tools leaves", "No module named 'leaves'; did you mean leaves.py?"),
    ("models --base-url 127.0.0.1:9", "'127.0.0.1:9' is no address of a server; write http://127.0.0.1:8000/v1"),
    ("ask Hi --save a/b", "--save a/b: a name has letters, digits, - and _"),
    ("chat Hi", "Got unexpected extra argument"),
    ("keys sk-0123456789abcdef", "keys has list, path, set, remove; a key isn't given as an argument"),
    (
        "keys set openai sk-0123456789abcdef",
        "a key isn't given as an argument, which other users of the machine can read",
    ),
    ("keys set opnai", "did you mean 'openai'?"),
    (
        "keys set sk-0123456789abcdef",
        "NAME is one of openai, responses, azure, huggingface, anthropic, gemini, bedrock, groq,",
    ),
    ("keys set openai", "a key is one word; there is none on standard input"),
    ("keys remove openai", "no key is kept under OPENAI_API_KEY"),
    ("log of", "No such command 'of'"),
    ("plan absent.toml", "absent.toml: No such file or directory"),
    ("plan -m mian", "'mian' is none of main; did you mean 'main'?"),
    ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
]


@pytest.fixture
def folder(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a modelport.toml, and a template of the user's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "modelport.toml").write_text(SETTINGS, "utf-8")
    (kept / "templates").mkdir(parents=True)
    (kept / "templates" / "summarise.toml").write_text('system = "In $language."', "utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)", "utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("line", "message"), ROWS, ids=[line for line, _ in ROWS])
def test_it_is_told(line: str, message: str) -> None:
    done = CliRunner().invoke(group, shlex.split(line), prog_name="modelport")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert "sk-0123456789" not in done.stderr
