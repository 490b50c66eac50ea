"""How models are put together: policies, layers, and what is told of a stack before it runs.

A name is loaded when it is first asked for, so that importing this costs next to nothing. The names stand in
`__init__.pyi`.
"""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
