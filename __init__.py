"""Models as values that answer requests, and layers that make better ones of them: the public face.

A name is loaded when it is first asked for, so that importing this costs next to nothing. The names stand in
`__init__.pyi`.
"""

# By its full name, since pytest imports this file of a checkout, whatever the folder is called.
from modelport.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, "adapters")
