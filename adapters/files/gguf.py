"""Whether a GGUF file is whole: one that was cut off is refused here, because runtimes that trust its header crash.

The layout is that of the GGUF specification, version 2 and 3 (ggml, docs/gguf.md): a header, metadata, what tensors
there are and where, then their data.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from . import cache

_FIXED = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value, by its type
_STRING, _ARRAY = 8, 9
_ALIGNMENT = b"general.alignment"

# Elements and bytes of a block, by tensor type; of a type that isn't here only the beginning is checked.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 30: (1, 2),
}  # fmt: skip


class NotWhole(ValueError):
    """The file is no GGUF file, or its end is missing."""


def check(path: Path) -> None:
    """Raises NotWhole, with the path and the sizes, for a file that doesn't hold all that its header promises."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            needed = _needed(file)
        except (struct.error, KeyError, OverflowError, MemoryError) as error:
            raise NotWhole(f"{str(path)!r} can't be read as GGUF: its header is broken or cut off") from error
    if size < needed:
        raise NotWhole(f"{str(path)!r} is cut off: it has {size} bytes of {needed}; get it again")


def converted(file: Path, runtime: str, made_by: tuple[str, ...], convert: Callable[[Path], None]) -> Path:
    """A GGUF file as a folder that this runtime reads, in our cache folder; `convert(folder)` makes it once.

    Another file, or another of what it is `made_by` (releases, a precision), has a folder of its own. Raises NotWhole.
    """
    state = file.stat()
    mark = repr((str(file.resolve()), state.st_size, state.st_mtime_ns, *made_by))
    target = cache.folder() / f"{file.stem}-{runtime}-{hashlib.sha256(mark.encode()).hexdigest()[:16]}"
    if not target.exists():
        check(file)
    return cache.made_once(target, convert)


def _needed(file: BinaryIO) -> int:
    if file.read(4) != b"GGUF":
        raise KeyError("magic")
    _, tensors, entries = _read(file, "<IQQ")
    alignment = 32
    for _ in range(entries):
        key = _string(file)
        (kind,) = _read(file, "<I")
        if key == _ALIGNMENT:
            (alignment,) = _read(file, "<I")
        else:
            _skip(file, kind)
    ends = [0]
    for _ in range(tensors):
        _string(file)
        (dimensions,) = _read(file, "<I")
        *shape, kind, offset = _read(file, f"<{dimensions}QIQ")
        elements, stored = _BLOCKS.get(kind, (math.inf, 0))
        ends.append(offset + math.ceil(math.prod(shape) / elements) * stored)
    begin = math.ceil(file.tell() / alignment) * alignment
    return begin + max(ends)


def _read(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _string(file: BinaryIO) -> bytes:
    (length,) = _read(file, "<Q")
    return file.read(length)


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _string(file)
    elif kind == _ARRAY:
        inner, count = _read(file, "<IQ")
        if inner in _FIXED:
            file.seek(_FIXED[inner] * count, 1)
        else:
            for _ in range(count):
                _skip(file, inner)
    else:
        file.seek(_FIXED[kind], 1)
