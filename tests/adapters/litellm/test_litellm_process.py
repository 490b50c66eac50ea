"""What litellm does to a process: when it is imported, whom it contacts, what it prints, and whose settings hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from litellm_calls import KEY
from loopback import Loopback, error, saying

WATCH = """
import json, sys
contacts, names = [], []

def watch(event, details):
    if event == "socket.connect":
        contacts.append(str(details[1]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        names.append(str(details[0] if event != "socket.sendto" else details[1]))

sys.addaudithook(watch)
"""


def run(code: str, tmp_path: Path, **environment: str) -> tuple[Any, str, str]:
    """What a fresh process says in its last line, all else that it prints, and what goes to its other stream."""
    own = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore", **environment}
    own["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    command = [sys.executable, "-c", f"{WATCH}{code}"]
    done = subprocess.run(command, capture_output=True, text=True, env=own, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *printed, last = done.stdout.splitlines()
    return json.loads(last), "\n".join(printed), done.stderr


def test_it_is_imported_with_the_first_call_and_contacts_the_given_endpoints_alone(tmp_path: Path) -> None:
    """Anthropic's wire wants a table of headers from the network, unless told not to. Nothing inside is missed."""
    with Loopback(saying("Hi")) as server, Loopback(error(400)) as other:
        code = f"""
import asyncio, warnings
from modelport.adapters import LiteLLMModel, LiteLLMRouterModel
from modelport.adapters.process.inside import LibraryChanged
warnings.simplefilter("always", LibraryChanged)
where = {{"api_base": {server.url!r}, "api_key": "k"}}
plain = LiteLLMModel("openai/gpt-4o", **where)
router = LiteLLMRouterModel("g", model_list=[{{"model_name": "g", "litellm_params": {{"model": "openai/x", **where}}}}])
claude = LiteLLMModel("anthropic/claude-sonnet-4-5", api_base={other.url!r}, api_key={KEY!r})
before = "litellm" in sys.modules
from modelport import as_request, blocking
said = [model("hi").content for model in (plain, router)]
last = [type(list(blocking(model).stream(as_request("hi")))[-1]).__name__ for model in (plain, router)]
kinds = [asyncio.run(claude.generate(as_request("hi"))).failure().kind for _ in range(2)]
print(json.dumps([before, "litellm" in sys.modules, said, last, kinds, sorted(set(contacts)), sorted(set(names))]))
"""
        (before, after, said, last, kinds, contacts, names), printed, errors = run(code, tmp_path)
    assert (before, after, said, last) == (False, True, ["Hi", "Hi"], ["Finished", "Finished"])
    assert kinds == ["invalid_request"] * 2
    assert contacts == sorted(str(("127.0.0.1", port)) for port in (server.port, other.port))
    assert set(names) <= {"127.0.0.1"}
    assert (printed, errors) == ("", "")  # nor does it ask for feedback, or quote anything
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_its_callbacks_are_not_called_and_an_applications_own_settings_stand(tmp_path: Path) -> None:
    """An application may ask for the callbacks. Its retries don't stand: an adapter makes one attempt."""
    with Loopback(saying("Hi")) as server, Loopback(error(500)) as broken:
        code = f"""
import os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import asyncio, litellm
from litellm.integrations.custom_logger import CustomLogger
from modelport import as_request, blocking
from modelport.adapters import LiteLLMModel
heard = []
class Told(CustomLogger):
    async def async_log_success_event(self, *_, **__):
        heard.append("told")
litellm.callbacks = [Told()]
async def ask(**options):
    model = LiteLLMModel("openai/gpt-4o", api_base={server.url!r}, api_key="k", **options)
    (await model.generate(as_request("hi"))).unwrap()
    async for _ in model.stream(as_request("hi")):
        pass
    await asyncio.sleep(0.5)
    return len(heard)
async def main():
    return [await ask(), await ask(**{{"no-log": False}})]
told = asyncio.run(main())
litellm.num_retries = 3
litellm.drop_params = True
model = LiteLLMModel("openai/gpt-4o", api_base={broken.url!r}, api_key="k")
kind = blocking(model).generate(as_request("hi")).failure().kind
litellm.model_fallbacks = ["openai/other"]
refused = blocking(model).generate(as_request("hi")).failure()
settings = [litellm.num_retries, litellm.drop_params, litellm.suppress_debug_info]
print(json.dumps([told, kind, settings, refused.message]))
"""
        (told, kind, settings, refused), _, _ = run(code, tmp_path)
    assert told == [0, 2]
    assert (kind, settings) == ("server", [3, True, False])
    assert "model_fallbacks" in refused
    assert len(broken.requests) == 1
