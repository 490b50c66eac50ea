"""Whether there is memory for what MLX is about to compute: on a CPU it doesn't ask, and crashes where there is none.

The bounds are MLX's own limit (`mlx.core.set_memory_limit`, four fifths of the machine's memory) and the one of the
process (`ulimit -v`). On a GPU MLX looks after itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_SMALL: Final = 64 << 20  # what a step needs besides weights, keys and values


def demand(size: int) -> None:
    """Raises MemoryError, with both sizes, where there is no room for so many bytes and the small things."""
    import mlx.core as mx

    if mx.default_device() != mx.Device(mx.cpu):
        return
    room = _room(mx.get_memory_limit() - mx.get_active_memory())
    if room < size + _SMALL:
        raise MemoryError(f"out of memory: {(size + _SMALL) >> 20} MiB are needed, and there are {max(room, 0) >> 20}")


def _room(room: int) -> int:
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY:
            return room
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return min(room, most - pages * os.sysconf("SC_PAGE_SIZE"))
    except (ImportError, OSError):  # no such limit on this system, or no telling how near it is
        return room
