"""Several simulations side by side: text for a terminal, a table and pictures for a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, Self

from ..show.plots import Series, plots
from ..show.table import table

_BARS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = ("stack", "answered", "p50", "p95", "p99", "physical calls", "cost", "errors")


class Played(Protocol):
    """What came of a workload."""

    @property
    def success(self) -> float: ...
    @property
    def seconds(self) -> tuple[float, ...]: ...
    @property
    def share_by_time(self) -> tuple[float, ...]: ...
    @property
    def physical_calls(self) -> int: ...
    @property
    def usd(self) -> float | None: ...
    @property
    def errors(self) -> Mapping[str, int]: ...
    def percentile(self, share: float) -> float: ...


class Comparison(str):
    """The table and the plot as text. Raises ValueError where there is nothing to compare."""

    __slots__ = ("simulations",)

    simulations: Mapping[str, Played]

    def __new__(cls, simulations: Mapping[str, Played]) -> Self:
        if not simulations:
            raise ValueError("compared: there is no simulation; pass {'a name': simulate(...)}")
        rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(name, of) for name, of in simulations.items())]
        lines = [f"| {' | '.join(row)} |" if row[0] != "---" else f"|{'|'.join(row)}|" for row in rows]
        wide = max(map(len, simulations))
        plot = [
            f"{name:<{wide}} {''.join(_BARS[int(share * 7)] for share in of.share_by_time)}"
            for name, of in simulations.items()
        ]
        self = super().__new__(cls, "\n".join([*lines, "", *plot]))
        self.simulations = simulations
        return self

    def _repr_html_(self) -> str:
        series = [
            Series(name, of.seconds, of.share_by_time, of.physical_calls, of.usd)
            for name, of in self.simulations.items()
        ]
        return table(_COLUMNS, [_row(name, of) for name, of in self.simulations.items()]) + plots(series)


def _row(name: str, of: Played) -> Sequence[str]:
    times = (f"{of.percentile(share):.2f} s" for share in (0.5, 0.95, 0.99))
    cost = "-" if of.usd is None else f"{of.usd:.4f} USD"
    errors = ", ".join(f"{kind} {number}" for kind, number in of.errors.items()) or "none"
    return (name, f"{of.success:.1%}", *times, str(of.physical_calls), cost, errors)
