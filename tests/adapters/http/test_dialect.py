"""A schema is said in the dialect of the provider that is asked; what that can't say is refused before it is sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import pytest

from modelport import JsonSchema, Message, ModelError, Request, Tool
from modelport.adapters import AmazonBedrockModel, AzureOpenAIModel, OpenAIModel, OpenAIResponsesModel
from modelport.adapters.http.dialect import in_dialect
from modelport.adapters.http.http_errors import Unwritable
from modelport.domain.capability import Unsupported
from modelport.domain.error import ErrorKind, Sent
from modelport.domain.frozen import thaw
from modelport.domain.schemas.dialects import BEDROCK, GEMINI, OPENAI

HI = Message("user", "hi")
CITY = {
    "type": "object",
    "properties": {"name": {"$ref": "#/$defs/Name"}},
    "required": ["name"],
    "$defs": {"Name": {"type": "string", "default": "Seoul"}},
}
SAID = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
OPTIONAL = {"type": "object", "properties": {"name": {"type": "string"}}}
BOUNDED = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 1}}, "required": ["age"]}
OPENAI_ITSELF = OpenAIModel("gpt-4o", base_url="https://api.openai.com/v1", api_key="k")
AZURE = AzureOpenAIModel("dep", azure_endpoint="https://x.openai.azure.com", api_version="v", api_key="k")
BEHIND_AZURE = OpenAIModel("dep", base_url="https://x.openai.azure.com/openai/v1", api_key="k")


def asking(schema: Any, strict: bool = True) -> Request:
    return Request([HI], response_format=JsonSchema(schema, strict=strict))


def sent(model: Any, request: Request) -> Any:
    return json.loads(model._encoded(request, stream=False)[0])


def schema_of(request: Request) -> Any:
    assert isinstance(request.response_format, JsonSchema)
    return thaw(request.response_format.schema)


@pytest.mark.parametrize("model", [OPENAI_ITSELF, AZURE, BEHIND_AZURE])
def test_openai_and_azure_are_told_the_schema_in_their_dialect(model: Any) -> None:
    assert sent(model, asking(CITY))["response_format"]["json_schema"]["schema"] == SAID


def test_the_responses_api_is_told_schemas_in_openais_dialect_too() -> None:
    request = attrs.evolve(asking(CITY), tools=(Tool("a", "", CITY, strict=True),))
    body = sent(OpenAIResponsesModel("gpt-5", base_url="https://api.openai.com/v1", api_key="k"), request)
    assert (body["text"]["format"]["schema"], body["tools"][0]["parameters"]) == (SAID, SAID)
    body = sent(OpenAIResponsesModel("m", base_url="http://127.0.0.1:8000/v1", api_key="none"), asking(OPTIONAL))
    assert body["text"]["format"]["schema"] == OPTIONAL


@pytest.mark.parametrize(
    "model",
    [
        OpenAIModel("m", base_url="http://127.0.0.1:8000/v1", api_key="none"),
        OpenAIModel("m", server="groq"),
    ],
)
def test_other_servers_of_the_wire_are_told_the_schema_as_it_is(model: Any) -> None:
    assert sent(model, asking(OPTIONAL))["response_format"]["json_schema"]["schema"] == OPTIONAL


def test_what_is_not_strict_goes_to_openai_as_it_is() -> None:
    assert sent(OPENAI_ITSELF, asking(OPTIONAL, strict=False))["response_format"]["json_schema"]["schema"] == OPTIONAL


def test_what_openai_can_not_say_is_refused_before_it_is_sent() -> None:
    error = asyncio.run(OPENAI_ITSELF.generate(asking(OPTIONAL))).failure()
    assert isinstance(error, ModelError)
    assert (error.kind, error.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert error.message == (
        "response_format: properties.name: it isn't required, and must be; null may stand; "
        "OpenAI's strict mode has no word for it "
        "(https://platform.openai.com/docs/guides/structured-outputs#supported-schemas); "
        "send it unenforced with strict=False, and check what comes: with_check(schema)"
    )


def test_strict_tools_are_told_in_the_dialect_and_others_as_they_are() -> None:
    tools = [Tool("a", "", CITY, strict=True), Tool("b", "", OPTIONAL), Tool("c", "", OPTIONAL, strict=False)]
    told = sent(OPENAI_ITSELF, Request([HI], tools=tools))["tools"]
    assert [tool["function"]["parameters"] for tool in told] == [SAID, OPTIONAL, OPTIONAL]
    with pytest.raises(Unsupported, match=r"tools\[1\]\.parameters: properties\.name: it isn't required"):
        sent(OPENAI_ITSELF, Request([HI], tools=[*tools[:1], attrs.evolve(tools[1], strict=True)]))


def test_bedrock_is_told_the_schema_in_its_dialect() -> None:
    model = AmazonBedrockModel("us.anthropic.claude-sonnet-4-5-20250929-v1:0", region_name="us-east-1")
    prepared, _ = model._prepared(asking(CITY), {})
    assert schema_of(prepared) == SAID


def test_a_bound_that_is_not_said_is_refused_or_left_to_a_check() -> None:
    with pytest.raises(Unsupported, match="response_format: properties.age.minimum: it is no part of the dialect"):
        in_dialect(asking(BOUNDED), BEDROCK)
    loosely = schema_of(in_dialect(asking(BOUNDED, strict=False), BEDROCK))
    assert loosely["properties"]["age"] == {"type": "integer"}
    assert schema_of(in_dialect(asking(BOUNDED, strict=False), OPENAI)) == BOUNDED


def test_one_and_true_are_two_schemas() -> None:
    for value, kind in ((1, "integer"), (True, "boolean"), (1, "integer")):
        of_it = {"type": "object", "properties": {"x": {"const": value}}, "required": ["x"]}
        assert schema_of(in_dialect(asking(of_it), OPENAI))["properties"]["x"] == {"type": kind, "const": value}


def test_what_asks_for_no_schema_is_not_touched() -> None:
    request = Request([HI], tools=[Tool("a", "")], response_format={"type": "json_object"})
    assert in_dialect(request, GEMINI) is request


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": True},
        {"type": "object", "required": [["name"]]},
        {"type": "object", "properties": "name"},
        {"type": True},
        {"anyOf": 0},
    ],
)
def test_what_is_no_schema_is_an_error_of_the_call(schema: Any) -> None:
    error = asyncio.run(OPENAI_ITSELF.generate(asking(schema))).failure()
    assert (error.kind, error.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert error.message == "response_format: this is no JSON schema"
    with pytest.raises(Unwritable, match=r"tools\[0\]\.parameters: this is no JSON schema"):
        sent(OPENAI_ITSELF, Request([HI], tools=[Tool("a", "", schema, strict=True)]))


def test_a_schema_that_is_no_json_is_told() -> None:
    with pytest.raises(Unwritable, match="response_format: the schema can't be written as JSON"):
        in_dialect(asking({"type": "object", "default": {1, 2}}), OPENAI)
