"""Botocore's own model of Bedrock's service: what it admits, and how it writes it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import botocore.session
from bedrock_wire import MODEL
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from modelport.adapters.bedrock.request import encode
from modelport.domain.message import Message
from modelport.domain.options.option import canonical
from modelport.domain.request import Request


@cache
def service() -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def validated(arguments: dict[str, Any], stream: bool = False) -> dict[str, Any]:
    """The body, as botocore's serializer writes it, once botocore's validator has nothing to say."""
    operation = service().operation_model("ConverseStream" if stream else "Converse")
    report = ParamValidator().validate(arguments, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    written = create_serializer("rest-json", False).serialize_to_request(arguments, operation)
    body: dict[str, Any] = json.loads(written["body"])
    return body


def sent(*messages: Message, stream: bool = False, **fields: Any) -> dict[str, Any]:
    options = canonical(fields.pop("options", {}))
    max_stops = fields.pop("max_stops", 4)
    request = Request(messages, **fields)
    return validated(encode(request, MODEL, options, max_stops=max_stops, stream=stream), stream)
