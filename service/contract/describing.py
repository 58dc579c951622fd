"""Completes the OpenAPI document: scopes, error codes by status, and examples of every body."""

from collections.abc import Mapping
from typing import Any

from service.contract.codes import codes_of, errors_of
from service.contract.examples import TEXTS, Examples
from service.contract.operations import FORM, JSON, Operation, read_operation
from service.problems import PROBLEM_JSON, RETRYABLE_STATUSES, STATUSES

Document = dict[str, Any]
Scopes = Mapping[tuple[str, str], tuple[str, ...] | None]

MOST_SHARED = 5


def complete(document: Document, scopes: Scopes) -> None:
    """Add to every operation what it needs, which errors it may answer with, and examples."""
    examples = Examples(document["components"]["schemas"])
    answers: Document = document["components"].setdefault("responses", {})
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            operation = read_operation(path, method, told)
            needed = scopes.get((path, operation.method))
            if needed is not None:
                # One of them is needed; with none, any key or operator does.
                told["x-scopes"] = list(needed)
            for status, answer in describe_errors(operation).items():
                codes = answer["x-codes"]
                # Few codes are shared by many operations, many by none.
                name = f"{status}-{'-'.join(codes) if len(codes) <= MOST_SHARED else operation.name}"
                answers[name] = answer
                told["responses"][status] = {"$ref": f"#/components/responses/{name}"}
            add_examples(operation, told, examples)


def promised_codes(document: Mapping[str, Any], path: str, method: str) -> dict[int, frozenset[str]]:
    """Status → the codes that an operation may answer with, as the document says."""
    answers = document["components"]["responses"]
    told = document["paths"][path][method.lower()]["responses"]
    names = {status: answer["$ref"].rsplit("/", 1)[1] for status, answer in told.items() if "$ref" in answer}
    return {int(status): frozenset(answers[name]["x-codes"]) for status, name in names.items()}


def describe_errors(operation: Operation) -> Document:
    """An answer for each status of an operation's errors, with their codes and what each means."""
    by_status: dict[int, dict[str, str]] = {}
    for error in errors_of(operation):
        for code in codes_of(error):
            by_status.setdefault(_status_of(error), {})[code] = _meaning(error)
    return {str(status): _answer(status, by_status[status]) for status in sorted(by_status)}


def _status_of(error: type[Exception]) -> int:
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


def _meaning(error: type[Exception]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0].split(";")[0].rstrip(".")


def _answer(status: int, meanings: Mapping[str, str]) -> Document:
    codes = sorted(meanings)
    return {
        "description": " ".join(f"`{code}`: {meanings[code]}." for code in codes),
        "x-codes": codes,
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": _problem(status, codes[0], meanings[codes[0]]),
            }
        },
    }


def _problem(status: int, code: str, meaning: str) -> Document:
    return {
        "type": f"urn:invigil:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": f"{meaning}.",
        "instance": "/v1/…",
        "code": code,
        "retryable": status in RETRYABLE_STATUSES,
        "request_id": "01930d2a6c7f7e5f9c0d",
    }


def add_examples(operation: Operation, told: Document, examples: Examples) -> None:
    """Give each body, sent or answered, an example."""
    for media, body in told.get("requestBody", {}).get("content", {}).items():
        if media == JSON:
            body.setdefault("example", examples.request(body["schema"]))
        elif media == FORM:
            body.setdefault("example", examples.form(body["schema"]))
        elif operation.name in TEXTS and media.startswith("text/"):
            body.setdefault("example", TEXTS[operation.name])
    for status, answer in told["responses"].items():
        body = answer.get("content", {}).get(JSON)
        if status.startswith("2") and body and body.get("schema"):
            body.setdefault("example", examples.answer(body["schema"]))
