"""Client CPU of a call, of a streamed event and of an import: modelport and its peers, each in its own environment.

    python benchmarks/peers/compare.py [ROUNDS] [--write]

All are asked by turns, of one fast server in a process of its own, so that what else the machine does falls on all
alike: trust the ratios. The medians of ROUNDS (9) are shown; `--write` puts table and picture into the documentation.
"""

from __future__ import annotations

import multiprocessing
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from environments import PEERS, Peer, surroundings

sys.path.insert(0, str(Path(__file__).parents[1]))
from openai_wire import EVENTS, serve
from report import write

ORDERS: Final[Mapping[str, tuple[str, float]]] = {
    "1 message": ("whole 1 20", 1),
    "50 messages": ("whole 50 6", 1),
    "500 messages": ("whole 500 2", 1),
    "a streamed event": ("stream 1 3", EVENTS),
}
IMPORT: Final = "import"
PROBE: Final = "import time; begun = time.process_time()\n{imported}\nprint(time.process_time() - begun)"
Figures = Mapping[str, Mapping[str, float]]  # microseconds, by library and by what is measured


class Process:
    """A library's own process, which measures what it is told to."""

    def __init__(self, peer: Peer, url: str) -> None:
        script = Path(__file__).with_name("libraries.py")
        # -P: the names of the scripts here are no modules of its own
        command = [peer.python, "-P", str(script), peer.function, url]
        self._name = peer.name
        pipe = subprocess.PIPE
        self._running = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=surroundings())

    def measure(self, order: str) -> float:
        """Microseconds a call."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        print(order, file=self._running.stdin, flush=True)
        while line := self._running.stdout.readline():
            try:
                return float(line)
            except ValueError:  # some print what nobody asked for
                print(f"{self._name} says: {line}", end="", file=sys.stderr)
        raise SystemExit(f"{self._name} has died on {order!r}")

    def end(self) -> None:
        """End it."""
        self._running.terminate()
        self._running.wait()


def measured(url: str, rounds: int) -> Figures:
    """The medians of all, by turns, after a warm-up."""
    processes = {peer.name: Process(peer, url) for peer in PEERS}
    found: dict[str, dict[str, list[float]]] = {name: {what: [] for what in ORDERS} for name in processes}
    try:
        for at in range(rounds + 1):
            for what, (order, share) in ORDERS.items():
                for name, process in processes.items():
                    figure = process.measure(order) / share
                    if at:
                        found[name][what].append(figure)
    finally:
        for process in processes.values():
            process.end()
    return {name: {what: statistics.median(each) for what, each in own.items()} for name, own in found.items()}


def imported(rounds: int) -> Mapping[str, float]:
    """Microseconds to have what a first call needs, the least of all rounds, in fresh interpreters."""
    runs: dict[str, list[float]] = {peer.name: [] for peer in PEERS}
    for _ in range(rounds):
        for peer in PEERS:
            runs[peer.name].append(float(peer.run("-c", PROBE.format(imported=peer.imported)).splitlines()[-1]) * 1e6)
    return {name: min(each) for name, each in runs.items()}


def main() -> None:
    """Make the environments, measure, and print."""
    given = [argument for argument in sys.argv[1:] if argument != "--write"]
    rounds = int(given[0]) if given else 9
    for peer in PEERS:
        peer.make()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        figures = measured(f"http://127.0.0.1:{here.recv()}/v1", rounds)
    finally:
        server.terminate()
        server.join()
    imports = imported(min(rounds, 5))
    whole = {name: {**own, IMPORT: imports[name]} for name, own in figures.items()}
    versions = {peer.name: peer.version() for peer in PEERS}
    print(write(whole, versions, into_the_docs="--write" in sys.argv))


if __name__ == "__main__":
    main()
