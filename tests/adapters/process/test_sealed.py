"""adapters/process/sealed: a pickle holds no secret, and a copy in this process all that it was given."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from modelport import Env, ScriptedModel, compose, with_defaults
from modelport.adapters import OpenAIModel


def test_a_pickled_secret_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_PLANTED", "of-nobody-4711")
    kwargs = {"default_headers": {"x-api-key": "of-nobody-4711"}}
    model = OpenAIModel("m", base_url="http://127.0.0.1:1/v1", api_key="of-nobody-4711", client_kwargs=kwargs)
    pickled = pickle.dumps(compose(model, with_defaults(extra_body={"apikeys": [{"token": "of-nobody-4711"}]})))
    assert b"of-nobody-4711" not in pickled
    again = pickle.loads(pickled)
    assert again.inner._api_key == Env("MODELPORT_PLANTED")
    assert again.inner._client_kwargs["default_headers"] == {"x-api-key": Env("MODELPORT_PLANTED")}
    assert again.policy.options["extra_body"] == {"apikeys": ({"token": Env("MODELPORT_PLANTED")},)}


def test_layers_pickle_no_secret_either() -> None:
    stack = compose(ScriptedModel("Hi"), with_defaults(extra_headers={"Authorization": "Bearer of-nobody-4711"}))
    with pytest.raises(ValueError, match="Defaults: options: extra_headers: Authorization: a secret was given as text"):
        pickle.dumps(stack.policy)


@pytest.mark.parametrize("address", ["http://me:of-nobody-4711@127.0.0.1/v1", "http://127.0.0.1/v1?token=of-nobody"])
def test_an_address_with_a_secret_is_not_pickled(address: str) -> None:
    with pytest.raises(ValueError, match="callback: this address has a secret in it, which no pickle may hold"):
        pickle.dumps(OpenAIModel("m", extra_body={"callback": address}))


def test_what_is_no_secret_is_pickled_as_it_is() -> None:
    model = OpenAIModel("m", base_url="http://127.0.0.1:1/v1", api_key="none", user="me")
    again = pickle.loads(pickle.dumps(model))
    assert (again == model, again._api_key, again.options) == (True, "none", {"user": "me"})


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_in_this_process_keeps_its_secret(copied: Callable[[Any], Any]) -> None:
    model = OpenAIModel("m", base_url="http://127.0.0.1:1/v1", api_key="of-nobody-4711", user="me")
    again = copied(model)
    assert again == model
    assert again is not model
    assert (again._api_key, again.options) == ("of-nobody-4711", {"user": "me"})
