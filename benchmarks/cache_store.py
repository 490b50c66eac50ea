"""What it costs to keep answers in a file: 2,000 rows at 32 at once, and one more answer where many are kept already.

Run it with `python benchmarks/cache_store.py`. The targets: a file costs a job under a tenth of its time, no answer is
lost, and a put at 100,000 rows costs no more than twice what it costs at 100.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from modelport import DiskStore, Layer, Response, ScriptedModel, Stall, as_request, compose, with_cache

ROWS, AT_ONCE, SECONDS = 2_000, 32, 0.05
PUTS = 200
ANSWER = Response.of("Rayleigh scattering. " * 20)


async def job(*layers: Layer) -> float:
    """The seconds that all rows take."""
    model = compose(ScriptedModel(Stall(ANSWER, seconds=SECONDS), repeat=True), *layers)
    rows = iter(range(ROWS))

    async def worker() -> None:
        for row in rows:
            (await model.generate(as_request(f"Row {row}"))).unwrap()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


def written(path: Path) -> int:
    """How many answers are in the file."""
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM answers_1").fetchone()[0])


async def puts(store: DiskStore, beginning: str) -> list[float]:
    """The milliseconds of each put, until it is written."""
    took = []
    for number in range(PUTS):
        began = time.perf_counter()
        await store.put(f"{beginning}{number}", ANSWER, None)
        store.flush()
        took.append((time.perf_counter() - began) * 1e3)
    return took


def filled(path: Path, rows: int) -> DiskStore:
    """A store with so many answers in it."""
    store = DiskStore(path)
    asyncio.run(store.put("first", ANSWER, None))
    store.close()
    with closing(sqlite3.connect(path)) as file, file:
        ((text, size),) = file.execute("SELECT answer, size FROM answers_1")
        file.executemany(
            "INSERT INTO answers_1 VALUES (?, ?, ?, NULL, ?)", ((f"row{n}", text, size, float(n)) for n in range(rows))
        )
    return store


def main() -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.db"
        store = DiskStore(path)
        print("| 2,000 rows at 32 at once, 0.05 s each | seconds | answers in the file |\n|---|---|---|")
        print(f"| without a cache | {asyncio.run(job()):.2f} | |")
        print(f"| with_cache(path) | {asyncio.run(job(with_cache(store, name='m'))):.2f} |", end=" ")
        store.close()
        print(f"{written(path)} |")
        print(f"| the same again | {asyncio.run(job(with_cache(store, name='m'))):.2f} | |")
        store.close()
        print("\n| rows | a put, ms | the slowest of 200, ms |\n|---|---|---|")
        for rows in (100, 100_000):
            store = filled(Path(folder) / f"{rows}.db", rows)
            took = asyncio.run(puts(store, "new"))
            store.close()
            print(f"| {rows:,} | {statistics.median(took):.2f} | {max(took):.1f} |")


if __name__ == "__main__":
    main()
