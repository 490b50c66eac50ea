"""What many calls came to, as a picture: how long they took, how many were answered over time, calls and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from .svg import ADVANCE, COLOURS, bar, box, path, picture, text

_WIDE: Final = 260.0
_HIGH: Final = 130.0
_LEFT: Final = 44.0
_GAP: Final = 36.0
_HEAD: Final = 26.0
_FOOT: Final = 44.0
_ROW: Final = 20.0


@attrs.frozen
class Series:
    """What is drawn of one stack: the seconds of its calls in order, the share answered over time, calls and cost."""

    name: str
    seconds: Sequence[float]
    share_by_time: Sequence[float]
    physical_calls: int
    usd: float | None


def plots(series: Sequence[Series]) -> str:
    """The picture, as SVG: two panels of lines, and a row of bars for each stack."""
    width = 2 * (_LEFT + _WIDE) + _GAP + 8
    rows_at = _HEAD + _HIGH + _FOOT + 12
    height = rows_at + len(series) * _ROW + 6
    title = "How long calls took, how many were answered over time, and what was sent"
    return picture(width, height, _marks(series, rows_at), title)


def _marks(series: Sequence[Series], rows_at: float) -> Iterator[str]:
    longest = max(_most(each.seconds) for each in series) or 1.0
    yield from _panel(_LEFT, "calls over within …", ("0 s", _seconds(longest)))
    right = 2 * _LEFT + _WIDE + _GAP
    yield from _panel(right, "answered over time", ("first call", "last call"))
    for each, colour in zip(series, _colours(series), strict=True):
        yield path(_within(each.seconds, longest), colour)
        yield path(_over_time(each.share_by_time, right), colour)
    yield from _bars(series, rows_at)


def _panel(left: float, title: str, ends: tuple[str, str]) -> Iterator[str]:
    yield text(left, 14, title, bold=True)
    yield box(left, _HEAD, _WIDE, _HIGH, "currentColor", round_=0).replace('0.14"', '0.03" stroke-opacity="0.3"')
    for share in (0.0, 0.5, 1.0):
        y = _HEAD + _HIGH * (1 - share)
        yield text(left - 6, y + 4, f"{share:.0%}", anchor="end", faint=True)
    yield path([(left, _HEAD + _HIGH / 2), (left + _WIDE, _HEAD + _HIGH / 2)], faint=True)
    yield text(left, _HEAD + _HIGH + 18, ends[0], faint=True)
    yield text(left + _WIDE, _HEAD + _HIGH + 18, ends[1], anchor="end", faint=True)


def _within(seconds: Sequence[float], longest: float) -> Iterator[tuple[float, float]]:
    """The share of calls that were over, by the time that they took."""
    yield _LEFT, _HEAD + _HIGH
    share = 0.0
    for number, each in enumerate(seconds, 1):
        if each > longest:
            break
        x = _LEFT + each / longest * _WIDE
        yield x, _HEAD + _HIGH * (1 - share)
        share = number / len(seconds)
        yield x, _HEAD + _HIGH * (1 - share)
    yield _LEFT + _WIDE, _HEAD + _HIGH * (1 - share)


def _over_time(shares: Sequence[float], left: float) -> Iterator[tuple[float, float]]:
    step = _WIDE / len(shares)
    for number, share in enumerate(shares):
        y = _HEAD + _HIGH * (1 - share)
        yield left + number * step, y
        yield left + (number + 1) * step, y


def _bars(series: Sequence[Series], top: float) -> Iterator[str]:
    """A row for each stack, which is the legend too: its name, the calls that were sent, and what they cost."""
    names = max(len(each.name) for each in series) * ADVANCE + 28
    room = 2 * (_LEFT + _WIDE) + _GAP - names - 190
    most = max(each.physical_calls for each in series) or 1
    for number, (each, colour) in enumerate(zip(series, _colours(series), strict=True)):
        y = top + number * _ROW
        yield bar(4, y, 12, 12, colour)
        yield text(22, y + 11, each.name)
        length = each.physical_calls / most * max(room, 40.0)
        yield bar(names, y, length, 12, colour)
        cost = "" if each.usd is None else f", {each.usd:.4f} USD"
        yield text(names + length + 8, y + 11, f"{each.physical_calls} calls{cost}", faint=True)


def _colours(series: Sequence[Series]) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(series))]


def _most(seconds: Sequence[float]) -> float:
    """Where the picture ends: a handful of the slowest calls would make all others one stroke."""
    return seconds[min(len(seconds) - 1, int(0.99 * len(seconds)))]


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"
