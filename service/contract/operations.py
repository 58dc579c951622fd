"""An operation of the OpenAPI document, as far as its errors and examples depend on it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Attributes:
        name: Its `operationId`.
        method: In capitals.
        path: With its parameters in braces.
        names: Of the parameters of the path.
        media: Media types of its body.
        takes_picture: Whether its form has a photograph.
        is_once: Whether it takes an Idempotency-Key.
        has_caller: Whether it takes a key or an operator's page.
    """

    name: str
    method: str
    path: str
    names: tuple[str, ...]
    media: tuple[str, ...]
    takes_picture: bool
    is_once: bool
    has_caller: bool

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"


def read_operation(path: str, method: str, told: Mapping[str, Any]) -> Operation:
    """An operation, from what the document says of it."""
    content = told.get("requestBody", {}).get("content", {})
    form = content.get(FORM, {}).get("schema", {}).get("properties", {})
    return Operation(
        name=told["operationId"],
        method=method.upper(),
        path=path,
        names=tuple(re.findall(r"{(\w+)}", path)),
        media=tuple(content),
        takes_picture=any(name.startswith("image") for name in form),
        is_once=any(one["name"] == "Idempotency-Key" for one in told.get("parameters", [])),
        has_caller=bool(told.get("security")),
    )
