"""The OpenAPI document: every operation says what it needs, what it may refuse, and shows what it means."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from fixtures_service import Service, require_promised
from pydantic import TypeAdapter

from service.app import RESOURCES, describe_app
from service.contract.describing import promised_codes
from service.contract.operations import FORM, JSON

NOBODY = str(UUID(int=7))
OF_EVERY_CALLER = {
    401: {"unauthenticated"},
    403: {"forbidden"},
    422: {"validation_failed"},
    429: {"rate_limited"},
    503: {"database_busy", "database_unavailable"},
}
FOR_MACHINES = {"live", "ready", "metrics"}


@cache
def document() -> Any:
    return describe_app().openapi()


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in document()["paths"].items():
        for method, told in methods.items():
            yield path, method, told


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)


def answer_models() -> Iterator[tuple[str, Any]]:
    """The model of each operation's answer, by its name."""
    for resource in RESOURCES:
        for route in resource.router.routes:
            if isinstance(route, APIRoute) and route.response_model is not None:
                yield route.name, route.response_model


def test_every_operation_names_its_scopes_and_the_codes_of_its_errors() -> None:
    lacking: list[tuple[str, ...]] = []
    for path, method, told in operations():
        if told["operationId"] in FOR_MACHINES:
            continue
        codes = promised_codes(document(), path, method)
        if "x-scopes" not in told or any(OF_EVERY_CALLER[one] - codes[one] for one in OF_EVERY_CALLER):
            lacking.append((method, path))
        things = [one for one in re.findall(r"{(\w+)}", path) if one not in ("name", "paper", "external_id")]
        if things and not codes.get(404):
            lacking.append((method, path, "404"))

    assert lacking == []


def test_every_body_in_json_or_a_form_has_an_example_of_real_values() -> None:
    lacking = []
    for path, method, told in operations():
        sent = told.get("requestBody", {}).get("content", {})
        answered: list[Any] = [one for status, one in told["responses"].items() if status.startswith("2")]
        bodies: list[Any] = [
            body for media, body in sent.items() if media in (JSON, FORM) or media.startswith("text/")
        ]
        bodies += [one["content"][JSON] for one in answered if JSON in one.get("content", {})]
        for body in bodies:
            if body.get("schema") and (not body.get("example") or "text" in texts_of(body["example"])):
                lacking.append((method, path, body.get("example")))

    assert lacking == []


@pytest.mark.parametrize("name", sorted(dict(answer_models())))
def test_the_example_of_an_answer_is_one_that_the_service_could_give(name: str) -> None:
    model = dict(answer_models())[name]
    told: Any = next(told for _, _, told in operations() if told["operationId"] == name)

    for status, answer in told["responses"].items():
        if status.startswith("2") and JSON in answer.get("content", {}):
            TypeAdapter(model).validate_python(answer["content"][JSON]["example"])


def test_the_example_of_a_body_is_taken_by_the_service(service: Service) -> None:
    refused = []
    for path, method, told in operations():
        body = told.get("requestBody", {}).get("content", {}).get(JSON)
        if body is None:
            continue
        full = re.sub(r"\{[^}]*\}", NOBODY, path)
        answer = service.call(method.upper(), full, json=body["example"])
        require_promised(answer)
        if answer.status_code == 500 or (answer.status_code == 422 and answer.json().get("errors")):
            refused.append((method, path, answer.json()))

    assert refused == []
