"""What every model behind an API is told, checked where it is told: the error names the adapter and the fix.

It stands here twice, and a test holds the two together: `ApiArguments` is what a type checker and an editor see of a
constructor, `Settings` the values that a model keeps of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, ParamSpec

import attrs

from ...domain.capability import Capabilities
from ...domain.frozen import FrozenDict, freeze_mapping
from ...domain.options.call_options import Options
from ...domain.options.misnamed import argument_meant, refusal
from ...domain.options.option import canonical
from ...domain.options.option_names import KNOWN
from ...domain.secrecy import shown
from ..process.limiter import Limiter
from ..settings import capabilities_of, check_kind, flatten_of, options_of, read_by, role_conversions_of
from .arguments import check, check_text
from .post import TIMEOUT

P = ParamSpec("P")


class ApiArguments(Options, total=False):
    """The arguments that every model behind an API takes, and the options of its calls."""

    timeout: Any  # seconds, None, or what an HTTP library takes as one
    client: Any
    client_kwargs: Mapping[str, Any] | None
    capabilities: Capabilities | None
    base_model: str | None
    drop_options: str | Iterable[str]
    requests_per_minute: float | Limiter | None
    custom_role_conversions: Mapping[str, str] | None
    flatten_messages_as_text: bool
    join_messages: bool


ARGUMENTS: Final = ApiArguments.__optional_keys__ - Options.__optional_keys__
"""The names of those that are no options."""


def limiter_of(requests_per_minute: float | Limiter | None) -> Limiter | None:
    """What `requests_per_minute=` means: a rate, or a limiter that several models share. Raises ValueError."""
    if requests_per_minute is None or isinstance(requests_per_minute, Limiter):
        return requests_per_minute
    return Limiter(requests_per_minute)


def _timeout(timeout: Any, self: Any) -> Any:
    check(type(self).__name__, self.model_id, timeout)
    return timeout


def _client_kwargs(kwargs: Mapping[str, Any] | None, self: Any) -> FrozenDict:
    check_kind(type(self).__name__, "client_kwargs", kwargs, Mapping, "a dict of arguments of the SDK's client")
    return freeze_mapping(kwargs or {})


def _base_model(name: str | None, self: Any) -> str | None:
    check_text(f"{type(self).__name__}: base_model", name)
    return name


def _dropped(names: str | Iterable[str], self: Any) -> tuple[str, ...]:
    where = f"{type(self).__name__}: drop_options"
    listed = (names,) if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{where} is a list of names such as ['temperature'], not {names!r}")
    return tuple(next(iter(canonical({name: None}, where, known=KNOWN))) for name in listed)


def _join(join: Any, self: Any) -> bool:
    check_kind(type(self).__name__, "join_messages", join, bool, "True or False")
    return bool(join)


@attrs.frozen(kw_only=True)
class Settings:
    """What every model behind an API is told. A model is its settings, and what its adapter is told besides.

    `limiter` paces its calls, where `requests_per_minute` says so. Raises ValueError or TypeError for what makes no
    sense.
    """

    known: ClassVar[frozenset[str]] = KNOWN
    """The names that its options may have."""

    model_id: str
    timeout: Any = read_by(_timeout, default=TIMEOUT, hash=False)  # an HTTP library's own timeout has no hash
    _client: Any = attrs.field(default=None, repr=False)
    _client_kwargs: FrozenDict = read_by(_client_kwargs, default=None, repr=False, hash=False)
    base_model: str | None = read_by(_base_model, default=None)
    capabilities: Capabilities = read_by(capabilities_of, default=None)
    options: FrozenDict = read_by(options_of, hash=False, repr=shown)
    drop_options: tuple[str, ...] = read_by(_dropped, default=())
    requests_per_minute: float | Limiter | None = None
    custom_role_conversions: FrozenDict = read_by(role_conversions_of, default=None)
    flatten_messages_as_text: bool = read_by(flatten_of, default=False)
    join_messages: bool = read_by(_join, default=False)
    limiter: Limiter | None = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: limiter_of(self.requests_per_minute), True)
    )

    def _assumed(self) -> Capabilities:
        """What it can do, as far as its name says, where nobody declares it."""
        return Capabilities()

    def _set(self, more: Mapping[str, Any], **own: Any) -> None:
        """Sets all fields: the adapter's own, and of what came with them, the arguments and the options."""
        arguments = {name: value for name, value in more.items() if name in ARGUMENTS}
        options = {name: value for name, value in more.items() if name not in ARGUMENTS and name != "options"}
        options |= more.get("options") or {}  # as attrs.evolve passes them
        model: Any = self
        model.__attrs_init__(**own, **arguments, options=options)


def constructor(init: Callable[P, None]) -> Callable[P, None]:
    """The same, and `inspect.signature` tells all that it takes, as `help`, notebooks and configurations read it."""
    signature = inspect.signature(init)
    own = list(signature.parameters.values())[:-1]
    defaults = {field.alias: field.default for field in attrs.fields(Settings)}
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type_)
        for name, type_ in ApiArguments.__annotations__.items()
        if name in ARGUMENTS
        for default in (defaults[name],)
    ]
    options = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD, annotation=Any)

    @functools.wraps(init)
    def named(*arguments: P.args, **passed: P.kwargs) -> None:
        """A model's name under another word is told as such, before Python misses it."""
        if len(arguments) < 2 and "model_id" not in passed and "model_id" in signature.parameters:
            word = next((word for word in passed if argument_meant(word, ["model_id"])), None)
            if word is not None:
                cls: Any = type(arguments[0])
                raise ValueError(refusal(word, cls.__name__, cls.known, cls))
        init(*arguments, **passed)

    vars(named)["__signature__"] = signature.replace(parameters=[*own, *shared, options])
    return named
