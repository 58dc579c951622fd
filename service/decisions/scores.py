"""Who may see distances. d(probe, template) is linear in the template: 128 of them give the template away.

A field that tells a distance to a stored template, or a threshold that one can be compared with, is marked
with `SCORE`; whoever lacks the scope `scores:read` gets the document without it. `compare` keeps its scores:
nothing stored is compared.
"""

from collections.abc import Collection, Set
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from service.access.callers import Caller
from service.access.scopes import Scope

SCORE: dict[str, Any] = {"x-scope": str(Scope.SCORES_READ)}
"""`json_schema_extra` of such a field."""
NOT_FOR_KIOSKS: dict[str, Any] = {"x-kiosks": False}
"""Of a field that a kiosk, whose screen everybody sees, has no use for."""
ROW_SCORES = frozenset({"d", "fmr_at_d", "match_d", "refer_d"})
"""What rows of evidence call their scores."""
SCORED_ROW: dict[str, Any] = {"x-scope-members": sorted(ROW_SCORES)}
"""Of a field that holds such a row as it is."""
SCORED_FACTS: dict[str, Any] = {"x-scope-members": ["threshold", "threshold_interval"]}
"""Of a field that holds what a training has measured, as it is."""


def _not_required(schema: dict[str, Any]) -> None:
    may_lack = {
        name for name, one in schema.get("properties", {}).items() if {"x-scope", "x-kiosks"} & one.keys()
    }
    schema["required"] = [name for name in schema.get("required", []) if name not in may_lack]


class Scored(BaseModel):
    """A document with scores in it; its schema says that they may be absent."""

    model_config = ConfigDict(json_schema_extra=_not_required)


def body_for(document: BaseModel, reader: Caller) -> bytes:
    """A document as JSON, without what this reader may not see."""
    if reader.may(Scope.SCORES_READ):
        return document.model_dump_json().encode()
    hidden = {"x-scope", "x-kiosks"} if reader.session_id is not None else {"x-scope"}
    return to_json(without(document, hidden))


def without_scores(document: BaseModel) -> str:
    """A document as JSON for those who may not see scores."""
    return to_json(without(document, {"x-scope"})).decode()


def without(value: Any, hidden: Set[str]) -> Any:
    """A document, or what is in one, without the fields that carry one of these marks."""
    if isinstance(value, BaseModel):
        shown = {
            name: (getattr(value, name), marks_of(field))
            for name, field in type(value).model_fields.items()
            if not hidden & marks_of(field).keys()
        }
        return {
            name: without_members(one, marks["x-scope-members"])
            if "x-scope-members" in marks
            else without(one, hidden)
            for name, (one, marks) in shown.items()
        }
    if isinstance(value, (list, tuple)):
        return [without(one, hidden) for one in value]
    return value


def marks_of(field: FieldInfo) -> dict[str, Any]:
    """The marks of a field."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def without_members(value: Any, names: Collection[str]) -> Any:
    """What is stored as JSON, without the members of these names wherever they stand in it."""
    if isinstance(value, dict):
        return {name: without_members(one, names) for name, one in value.items() if name not in names}
    return [without_members(one, names) for one in value] if isinstance(value, list) else value
