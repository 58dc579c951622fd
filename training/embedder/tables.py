"""A TOML table as a dataclass: the types of its fields say what may stand there."""

import dataclasses
import types
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.errors import RecipeInvalid, nearest_of

T = TypeVar("T")


@dataclass(frozen=True)
class TableReader:
    """Reads a table key by key; what it does not know it refuses, at its place.

    Attributes:
        path: Of the file, for the refusal.
    """

    path: Path | str

    def dataclass(self, table: dict[str, Any], kind: type[T], place: str) -> T:
        """A table as a dataclass, the tables in it as the dataclasses within.

        Args:
            table: Keys and values.
            kind: The dataclass; what has no default must be there.
            place: What comes before a key of this table, for the refusal.

        Raises:
            RecipeInvalid: If a key is unknown or missing, or a value has the wrong type.
        """
        hints = get_type_hints(kind)
        fields = {part.name: part for part in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for key in table:
            if key not in fields:
                raise RecipeInvalid(self.path, f"unknown key; {nearest_of(key, fields)}", place + key)
        for name, part in fields.items():
            if name not in table and part.default is part.default_factory is dataclasses.MISSING:
                raise RecipeInvalid(self.path, "this key is missing", place + name)
        return kind(**{key: self._value(value, hints[key], place + key) for key, value in table.items()})

    def _value(self, value: Any, kind: Any, place: str) -> Any:
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
            return self.dataclass(value, kind, place + ".")
        if get_origin(kind) is tuple and isinstance(value, list):
            return self._items(value, get_args(kind), place)
        if get_origin(kind) is dict and isinstance(value, dict):
            return value
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return self._choice(value, kind, place)
        if kind is float and type(value) in (int, float):
            return float(value)
        if isinstance(kind, type) and type(value) is kind:
            return value
        raise RecipeInvalid(self.path, f"{value!r} is no {_name_of(kind)}", place)

    def _items(self, values: list[Any], kinds: tuple[Any, ...], place: str) -> tuple[Any, ...]:
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(values)
        if len(values) != len(kinds):
            raise RecipeInvalid(self.path, f"{len(kinds)} values are needed, not {len(values)}", place)
        pairs = zip(values, kinds, strict=True)
        return tuple(self._value(value, kind, f"{place}[{i}]") for i, (value, kind) in enumerate(pairs))

    def _choice(self, value: Any, kind: type[StrEnum], place: str) -> StrEnum:
        if value not in list(kind):
            raise RecipeInvalid(
                self.path, f"{value!r} is unknown; {nearest_of(str(value), map(str, kind))}", place
            )
        return kind(value)


def _name_of(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else str(kind)
