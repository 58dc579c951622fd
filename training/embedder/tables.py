"""A TOML table as a dataclass: the types of its fields say what may stand there."""

import json
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from index.errors import suggest_nearest
from training.errors import RecipeInvalid

T = TypeVar("T")


def read_table(table: dict[str, Any], kind: type[T], path: Path | str) -> T:
    """A table as a dataclass, the tables in it as the dataclasses within.

    Args:
        table: Keys and values, as TOML or JSON has them.
        kind: The dataclass; a field without a default must be there.
        path: Of the file, for the error.

    Raises:
        RecipeInvalid: If a key is unknown or missing, or a value has the wrong type; names the first place.
    """
    # As JSON: only there does strict validation take a list for a tuple and a word for an enum. A date of
    # TOML becomes an object, which no field takes.
    text = json.dumps(table, default=lambda value: {"date": str(value)})
    try:
        return TypeAdapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False)
        place, reason = _explain(details, kind)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        raise RecipeInvalid(path, reason, key.removeprefix(".")) from error


def _explain(details: Sequence[ErrorDetails], kind: type) -> tuple[Sequence[int | str], str]:
    """Where the first error is, and what is wrong there."""
    first = details[0]
    place, value, context = first["loc"], first["input"], first.get("ctx", {})
    match first["type"]:
        case "unexpected_keyword_argument":
            return place, f"unknown key; {suggest_nearest(str(place[-1]), _keys_at(kind, place[:-1]))}"
        case "missing" if isinstance(place[-1], int):
            return place[:-1], f"{int(details[-1]['loc'][-1]) + 1} values are needed, not {len(value)}"
        case "missing":
            return place, "this key is missing"
        case "too_long":
            return place, f"{context['max_length']} values are needed, not {context['actual_length']}"
        case "enum":
            return place, f"{value!r} is unknown; {suggest_nearest(value, _words(context))}"
        case name:
            return place, f"{value!r} is no {name.removesuffix('_type')}"


def _keys_at(kind: Any, place: Sequence[int | str]) -> list[str]:
    """The fields of the dataclass at a place within another."""
    for part in place:
        kind = get_args(kind)[0] if isinstance(part, int) else get_type_hints(kind)[part]
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []


def _words(context: dict[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", context["expected"])
