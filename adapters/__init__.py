"""One model for each provider or runtime, and those made of functions and scripts.

A name is loaded when it is first asked for, so that importing this brings in no provider's SDK. The names stand
in `__init__.pyi`.
"""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
