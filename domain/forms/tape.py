"""One line of a cassette: a request, what came of it, and when each piece of it came.

    {"key": "v1:...", "request": {...}, "said": {...}, "seconds": 0.41, "pieces": [[0.12, {...}], ...]}

`said` is the response or the error, without the ledger, which is of one run alone; `pieces` are there for a stream.
Times are in seconds since the call began, to the millisecond. A line holds no secret, and reading it runs nothing.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from ..error import ModelError
from ..event import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from ..message import as_json
from ..request import Request
from ..response import Response
from .json_form import from_json, to_json
from .redaction import redacted

_DELTAS = (TextDelta, ReasoningDelta, ToolCallDelta)
_SHOWN: Final = 3
_WIDTH: Final = 80


@attrs.frozen
class Take:
    """One call on the tape."""

    key: str
    request: Mapping[str, Any]
    said: Response | ModelError
    seconds: float = 0.0
    pieces: tuple[tuple[float, Delta], ...] | None = None


def line_of(take: Take, secrets: Sequence[str] = ()) -> str:
    """The line, without these secrets nor anything that looks like one."""
    said = redacted(to_json(attrs.evolve(take.said, attempts=())), secrets)
    fields = {"key": take.key, "request": take.request, "said": said, "seconds": round(take.seconds, 3)}
    if take.pieces is not None:
        pieces = take.pieces if _is_clean(take.pieces, secrets) else _joined(take.pieces)
        fields["pieces"] = [[round(at, 3), redacted(to_json(piece), secrets)] for at, piece in pieces]
    return as_json(fields)


def request_of(request: Request, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """The request as a tape shows it. Raises ValueError for one that JSON can't hold."""
    shown: dict[str, Any] = redacted(to_json(request), secrets)
    return shown


def read_line(line: str) -> Take:
    """The call that a line tells of. Raises ValueError for what is no line of a tape."""
    fields = json.loads(line)
    try:
        said = from_json(fields["said"])
        pieces = fields.get("pieces")
        read = None if pieces is None else tuple((float(at), from_json(piece)) for at, piece in pieces)
        take = Take(str(fields["key"]), fields["request"], said, float(fields["seconds"]), read)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no line of a tape: {error!r}") from error
    if not isinstance(said, (Response, ModelError)) or not all(isinstance(p, _DELTAS) for _, p in read or ()):
        raise ValueError("it is no line of a tape: what was said is no response, no error or no piece of one")
    return take


def is_same(one: str, other: str) -> bool:
    """Whether two lines tell the same, whenever it was said and whatever its provider called it."""
    return one == other or _timeless(json.loads(one)) == _timeless(json.loads(other))


def _timeless(fields: dict[str, Any]) -> dict[str, Any]:
    said = {name: item for name, item in fields["said"].items() if name not in ("response_id", "request_id")}
    pieces = [piece for _, piece in fields["pieces"]] if "pieces" in fields else None
    return {**fields, "said": said, "seconds": None, "pieces": pieces}


def _is_clean(pieces: tuple[tuple[float, Delta], ...], secrets: Sequence[str]) -> bool:
    """Whether no secret lies across the borders of pieces."""
    return all(redacted(text, secrets) == text for text in _texts(pieces))


def _texts(pieces: Iterable[tuple[float, Delta]]) -> list[str]:
    said: dict[object, list[str]] = {}
    for _, piece in pieces:
        which = piece.index if isinstance(piece, ToolCallDelta) else type(piece)
        said.setdefault(which, []).append(piece.arguments if isinstance(piece, ToolCallDelta) else piece.text)
    return ["".join(texts) for texts in said.values()]


def _joined(pieces: Iterable[tuple[float, Delta]]) -> list[tuple[float, Delta]]:
    """The same pieces, all of a kind in one, so that what lies across their borders can be seen."""
    whole: dict[object, tuple[float, Any]] = {}
    for at, piece in pieces:
        which = piece.index if isinstance(piece, ToolCallDelta) else type(piece)
        if which not in whole:
            whole[which] = (at, piece)
            continue
        first = whole[which][1]
        if isinstance(piece, ToolCallDelta):
            more = attrs.evolve(first, id=first.id or piece.id, name=first.name or piece.name)
            whole[which] = (at, attrs.evolve(more, arguments=first.arguments + piece.arguments))
        else:
            whole[which] = (at, attrs.evolve(first, text=first.text + piece.text))
    return list(whole.values())


def nearest(asked: Mapping[str, Any], lines: Mapping[int, Mapping[str, Any]]) -> str:
    """Which of these requests, by line, is nearest to the one that was asked, and where they differ."""
    if not lines:
        return "nothing is on it"
    here = _leaves(asked)
    places_of = {number: _differences(here, _leaves(request)) for number, request in lines.items()}
    number = min(places_of, key=lambda number: (_distance(places_of[number]), number))
    places = places_of[number]
    shown = "; ".join(
        f"{place}: {_short(there)} on the tape, {_short(now)} here" for place, there, now in places[:_SHOWN]
    )
    more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return (
        f"the nearest is line {number}, which differs in {shown}{more}" if places else f"line {number} looks the same"
    )


def _leaves(value: Any, place: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        items = [(f"{place}.{name}" if place else str(name), item) for name, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(f"{place}[{at}]", item) for at, item in enumerate(value)]
    else:
        return {place: value}
    return {inner: leaf for where, item in items for inner, leaf in _leaves(item, where).items()}


def _differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    places = dict.fromkeys((*here, *there))
    return [(place, there.get(place), here.get(place)) for place in places if here.get(place) != there.get(place)]


def _distance(places: Iterable[tuple[str, Any, Any]]) -> float:
    """How far two requests are apart: a place that differs wholly counts 1, a text that differs a little less."""
    return sum(1 - difflib.SequenceMatcher(None, str(a)[:500], str(b)[:500]).ratio() / 2 for _, a, b in places)


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
