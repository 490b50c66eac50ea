"""What means the same in every runtime on this machine: exceptions of the Hub, of chat templates and of our own values.

They are known by their names, since their packages may not be there to be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ...domain.error import ErrorKind, Scope, Sent

Meaning = tuple[ErrorKind, Scope, Sent]

_K = ErrorKind

COMMON: Final[Mapping[str, Meaning]] = {
    "ModuleNotFoundError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "GatedRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "DisabledRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "RepositoryNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "RevisionNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "HFValidationError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "LocalEntryNotFoundError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "OfflineModeIsEnabled": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectionError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectTimeout": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "Unset": (_K.AUTHENTICATION, Scope.MODEL, Sent.NO),
    "Unsupported": (_K.UNSUPPORTED, Scope.REQUEST, Sent.NO),
    "Uncompilable": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    "TemplateError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    "UndefinedError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
}
"""By the name of the exception, or of one that it derives or came from."""


def names(error: BaseException) -> Iterator[str]:
    """The names of its class and what that derives from, and then of what it came from, from the outermost inwards.

    >>> error = ValueError("inner")
    >>> error.__cause__ = KeyError("innermost")
    >>> [name for name in names(error) if name.endswith("Error")]
    ['ValueError', 'KeyError', 'LookupError']
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield from (base.__name__ for base in type(link).__mro__)
        link = link.__cause__ or link.__context__
