"""Where the tests find what isn't imported, and a script or a program that a test starts finds what is."""

import sys
from pathlib import Path
from typing import Final

KIT: Final = Path(__file__).parent
TINY: Final = KIT / "tiny"
WIRES: Final = KIT / "wires"
ROOT: Final = KIT.parents[1]

sys.path += [str(folder) for folder in (TINY, WIRES) if str(folder) not in sys.path]
