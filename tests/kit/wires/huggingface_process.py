"""A fresh process in which every address of Hugging Face and its providers lies on the loopback.

The SDK reads its addresses and its home when it is imported, and has one factory of HTTP clients for all: what is to be
seen of that needs a process of its own. The factory is set by the SDK's public function, and `HOME` is our transport on
the same loopback; nothing of either is replaced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopback import Answer, Loopback, Seen, body, saying

BEGIN = """
import asyncio
import json
import os
from urllib.parse import urlsplit

import attrs
import httpx2
import huggingface_hub.constants
from huggingface_hub import AsyncInferenceClient, set_async_client_factory
from modelport import JsonSchema, Message, Request, Tool, as_request
from modelport.adapters.huggingface.model import InferenceClientModel
from modelport.adapters.http.http_transport import HttpTransport
from modelport.adapters.process.secret import Env

shown = []


class Home(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        request.headers["x-origin"] = f"{request.url.scheme}://{request.url.host}"
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=int(os.environ["PORT"]))
        return await super().handle_async_request(request)


set_async_client_factory(lambda: httpx2.AsyncClient(transport=Home(), follow_redirects=True, timeout=None))


class OurHome:
    def __init__(self):
        self.beneath = HttpTransport()
        self.bounds = self.beneath.bounds

    async def send(self, post):
        parts = urlsplit(post.address)
        address = parts._replace(scheme="http", netloc=f"127.0.0.1:{os.environ['PORT']}").geturl()
        headers = {**post.headers, "host": parts.netloc, "x-origin": f"{parts.scheme}://{parts.netloc}"}
        return await self.beneath.send(attrs.evolve(post, address=address, headers=headers))

    async def close(self):
        await self.beneath.close()


HOME = OurHome()


def ask(*args, **named):
    told(asyncio.run(InferenceClientModel(*args, **{"transport": HOME, **named}).generate(as_request("hi"))))


def told(result):
    answer = result.value_or(None)
    error = None if answer else result.failure()
    shown.append(answer.content if answer else [error.kind, error.sent, error.provider, error.message])
"""


def run(script: str, server: Loopback, home: Path, **environment: str) -> list[Any]:
    """What the script has put into `shown`."""
    home.mkdir(exist_ok=True)
    dropped = ("HF_", "HUGGING", "PYTHON")
    own = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own |= {"HOME": str(home), "HF_HOME": str(home), "PORT": str(server.port), "OMP_NUM_THREADS": "1"}
    own |= {"HF_ENDPOINT": server.url.removesuffix("/v1"), **environment}
    command = [sys.executable, "-c", f"{BEGIN}\n{script}\nprint(json.dumps(shown))"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=own, timeout=240)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def hub(providers: Mapping[str, str], answer: Any = None) -> Any:
    """The hub, which serves each model at these providers under these names, and the providers themselves."""
    known = {name: {"status": "live", "providerId": its, "task": "conversational"} for name, its in providers.items()}

    def script(seen: Seen) -> Answer:
        if seen.method == "GET":
            assert seen.path.startswith("/api/models/"), seen.path
            found = {"id": "org/name", "pipeline_tag": "text-generation", "inferenceProviderMapping": known}
            return body(found)
        said: Answer = (answer or saying("Hello!"))(seen)
        return said

    return script
