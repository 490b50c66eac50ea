"""Every layer of this package: a file each.

A name is loaded when it is first asked for. The names stand in `__init__.pyi`; the package and `modelport` export them
all.
"""

from ...lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
