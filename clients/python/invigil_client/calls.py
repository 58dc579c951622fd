"""What a request of the client consists of, before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import UUID, uuid4

from pydantic import BaseModel

Picture = bytes | Path | BinaryIO
"""A photograph: its bytes, where it lies, or a file that is open."""


@dataclass(frozen=True)
class Call:
    """One request, before it is sent.

    Attributes:
        method: Of HTTP.
        path: Below the address of the service.
        query: Parameters; those that are None are left out.
        headers: Of this request alone.
        body: A model or mapping that is sent as JSON.
        form: Fields of a form.
        pictures: Pictures of a form.
        csv: A body that is CSV.
        is_once: Whether the request takes an idempotency key.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: BaseModel | Mapping[str, Any] | None = None
    form: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Picture | None] = field(default_factory=dict)
    csv: str | bytes | None = None
    is_once: bool = False

    def request(self) -> dict[str, Any]:
        """What httpx2 is told, the same at every try."""
        headers = dict(self.headers)
        if self.is_once:
            headers.setdefault("Idempotency-Key", uuid4().hex)
        told: dict[str, Any] = {
            "method": self.method,
            "url": self.path,
            "params": parameters(self.query),
            "headers": headers,
        }
        if self.pictures:
            told["files"] = {
                name: (name, bytes_of(picture))
                for name, picture in self.pictures.items()
                if picture is not None
            }
            told["data"] = {name: plain(value) for name, value in self.form.items() if value is not None}
        elif isinstance(self.body, BaseModel):
            told["content"] = self.body.model_dump_json(exclude_unset=True, by_alias=True)
            headers["Content-Type"] = "application/json"
        elif self.body is not None:
            told["json"] = self.body
        elif self.csv is not None:
            told["content"] = self.csv
            headers["Content-Type"] = "text/csv"
        return told


def parameters(query: Mapping[str, Any]) -> dict[str, Any]:
    """Query parameters as they are sent; those that are None are left out."""
    return {name: repeated(value) for name, value in query.items() if value is not None}


def repeated(value: Any) -> str | list[str]:
    """A parameter as text, or several of one name."""
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else plain(value)


def plain(value: Any) -> str:
    """A parameter or a field of a form as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def bytes_of(picture: Picture) -> bytes:
    """The picture itself; read once, so that a second try sends the same."""
    if isinstance(picture, bytes):
        return picture
    return picture.read_bytes() if isinstance(picture, Path) else picture.read()


def segment(value: UUID | str | int) -> str:
    """An id as one part of a path: an external id may hold a slash."""
    return quote(str(value), safe=":")
