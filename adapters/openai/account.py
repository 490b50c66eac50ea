"""Where OpenAI is, and who is asking there: an address, a key, an organization and a project.

An argument outdoes a variable of the environment, which is read for each call.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from ...domain.schemas.dialects import OPENAI
from ...domain.schemas.rewriting import Dialect
from ..http.arguments import base_address
from ..http.http_errors import Unwritable
from ..http.keys import Key, fetched
from ..process.environment import Variables
from ..process.secret import Unset
from .wire import OpenAIWire

_URL: Final = "https://api.openai.com/v1"
_KEY: Final = "OPENAI_API_KEY"
_NO_KEY: Final = "there is no API key: pass api_key=... or set {} (a server that needs none takes any, such as 'none')"
_VARIABLES: Final = Variables("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_OPENAIS: Final = re.compile(r"^https?://[^/]*\.(?:openai\.com|azure\.(?:com|us|cn))(?:[:/]|$)", re.IGNORECASE)


def account(
    where: str, base_url: str | None, api_key: Key | None, organization: str | None, project: str | None
) -> dict[str, Any]:
    """These arguments by name. Raises ValueError for an address that is none."""
    return {
        "base_url": base_address(base_url, f"{where}: base_url"),
        "api_key": api_key,
        "organization": organization,
        "project": project,
    }


@attrs.frozen(kw_only=True, repr=False)
class OpenAIAccount(OpenAIWire):
    """A model of OpenAI, or of a server that asks for a key in the same way."""

    base_url: str | None
    organization: str | None
    project: str | None
    _api_key: Key | None = attrs.field(repr=False)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "openai"

    @property
    def _is_at_openai(self) -> bool:
        """Whether OpenAI itself is asked, or Azure, and no other server of the wire."""
        address = self._base if self._client is None else str(self._client.base_url)
        return _is_openais(address)

    @property
    def _dialect(self) -> Dialect | None:
        return OPENAI if self._is_at_openai else None

    @property
    def _base(self) -> str:
        told: str | None = self._told("base_url", self.base_url)
        row = self._row
        if row is not None:
            return told or row.base_url
        return told or os.environ.get("OPENAI_BASE_URL") or _URL

    def _address(self) -> tuple[str, Mapping[str, Any]]:
        return _below(self._base, self.path), {}

    async def _identity(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        row = self._row
        identity = {}
        organization, project = _VARIABLES.read() if row is None else (None, None)
        organization = self._told("organization", self.organization) or organization
        project = self._told("project", self.project) or project
        if organization and "openai-organization" not in headers:
            identity["openai-organization"] = organization
        if project and "openai-project" not in headers:
            identity["openai-project"] = project
        if "authorization" in headers:
            return identity
        key = self._told("api_key", self._api_key)
        variable = _KEY if row is None else row.variable
        if key is None and variable is not None:
            key = os.environ.get(variable)
        if not key and row is not None and not row.needs_key:
            return identity
        if not key:
            raise Unset(_NO_KEY.format(variable))
        return {**identity, "authorization": f"Bearer {await fetched(key, 'api_key')}"}


@functools.lru_cache(maxsize=64)
def _is_openais(address: str) -> bool:
    return bool(_OPENAIS.search(address))


@functools.lru_cache(maxsize=64)
def _below(base: str, path: str) -> str:
    """The address of a wire. Raises `Unwritable`, for the environment's base: an argument was checked before."""
    try:
        return f"{(base_address(base, 'OPENAI_BASE_URL') or '').rstrip('/')}/{path}"
    except ValueError as error:
        raise Unwritable(str(error)) from None
