"""All that is leaned on inside of libraries, and the page that lists it: `python tests/kit/insides.py` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module

from paths import ROOT

from modelport.adapters.process.inside import Inside

SDKS = {  # by the file in adapters/ that lists them as INSIDES, what must be importable for them to stand
    "http/sdk": "aiohttp",
    "openai/sdk": "openai",
    "huggingface/sdk": "huggingface_hub",
    "bedrock/sdk": "boto3",
    "litellm/sdk": "litellm",
    "transformers/sdk": "torch",
    "vllm/sdk": "vllm",
    "mlx/sdk": "mlx_lm",
    "local/sdk": "torch",
    "process/thread": "threading",
    "process/environment": "os",
    "openvino/sdk": "openvino_genai",
}
PAGE = ROOT / "docs" / "insides.md"
_TABLE = re.compile(r"(<!-- insides[^>]*-->\n).*?(\n<!-- /insides -->)", re.DOTALL)


def insides(file: str) -> tuple[Inside, ...]:
    """What this file lists, which needs no library to be read."""
    found: tuple[Inside, ...] = import_module(f"modelport.adapters.{file.replace('/', '.')}").INSIDES
    return found


def page() -> str:
    """The page as it should be."""
    rows = [_row(file, inside) for file in SDKS for inside in insides(file)]
    table = "\n".join(["| file | name | package | when it is gone |", "| --- | --- | --- | --- |", *rows])
    return _TABLE.sub(lambda found: found[1] + table + found[2], PAGE.read_text("utf-8"))


def _row(file: str, inside: Inside) -> str:
    where = f"{inside.owner}.{inside.name}" if inside.name.isidentifier() else f"{inside.owner}: {inside.name}"
    return _line(f"`{file}.py`", f"`` {where} ``" if "`" in where else f"`{where}`", inside.package, inside.lost)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def repeated(found: Iterable[Inside]) -> list[Inside]:
    """Those that stand more than once."""
    listed = list(found)
    return [inside for at, inside in enumerate(listed) if inside in listed[:at]]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
