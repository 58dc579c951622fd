"""Requests made up from the OpenAPI document, right and wrong ones: no answer is one it does not promise."""

import json
import time
from typing import Any

import pytest
import requests
import schemathesis
from fixtures_service import Service, require_promised
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.openapi import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SECONDS = 40.0
LONGEST_URL = 60_000
"""The client refuses to send a longer one, and the service takes no header of 64 kB."""
# A live board is an answer without an end.
ENDLESS = "/live"


@pytest.fixture(scope="module")
def operations() -> list[Any]:
    """Every operation of the document that comes to an end."""
    schema: Any = schemathesis.openapi.from_dict(json.loads(document()))
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if not operation.path.endswith(ENDLESS)]


@pytest.mark.slow("schemathesis makes up requests for every operation")
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_answer_is_one_that_the_document_promises(
    service: Service, operations: list[Any], mode: schemathesis.GenerationMode
) -> None:
    until = time.monotonic() + SECONDS / 2
    tried = 0

    for operation in operations:
        if time.monotonic() < until:
            tried += try_out(service, operation, mode)

    assert tried >= 5


def try_out(service: Service, operation: Any, mode: schemathesis.GenerationMode) -> int:
    """Send a few requests to one operation; returns how many."""
    sent = 0

    @settings(
        max_examples=4,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        nonlocal sent
        bearer = {"Authorization": f"Bearer {service.admin}"}
        wanted = case.as_transport_kwargs(base_url="http://testserver", headers=bearer)
        made: Any = requests.Request(**wanted).prepare()
        if len(made.url) > LONGEST_URL:
            return
        sent += 1
        answer = service.client.request(
            made.method, made.url, content=made.body, headers=list(made.headers.items())
        )
        require_promised(answer)
        case.validate_response(answer, checks=CHECKS)

    try:
        send()
    except Unsatisfiable:
        # An operation without parameters cannot be called wrongly.
        return sent
    return sent
