"""Where the tests find what isn't imported."""

from pathlib import Path
from typing import Final

KIT: Final = Path(__file__).parent
ROOT: Final = KIT.parents[1]
