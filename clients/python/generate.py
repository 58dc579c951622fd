"""Write the client's models and operations from the OpenAPI document of the service.

python clients/python/generate.py
"""

import json
import keyword
import re
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datamodel_code_generator as models
from datamodel_code_generator.enums import DataModelType
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "openapi.json"
PACKAGE = HERE / "invigil_client"

PLAIN = {
    ("string", None): "str",
    ("string", "uuid"): "UUID",
    ("string", "date-time"): "datetime",
    ("string", "binary"): "Picture",
    ("integer", None): "int",
    ("number", None): "float",
    ("boolean", None): "bool",
}
KINDS = ("path", "picture", "form", "query", "header")
ONCE = "Idempotency-Key"
CSV_OR_JSON = "str | bytes | Mapping[str, Any]"
LEFT_OUT = {"live", "ready", "metrics"}
"""Health and metrics are for machines that watch the service, not for those that use it."""


@dataclass(frozen=True)
class Parameter:
    """One argument of a method."""

    name: str
    sent_as: str
    type: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method of the client."""

    name: str
    verb: str
    path: str
    words: str
    answer: str
    kind: str
    takes: Mapping[str, list[Parameter]] = field(default_factory=dict)
    is_once: bool = False
    body: str | None = None
    item: str | None = None

    @property
    def arguments(self) -> list[Parameter]:
        """Path first, then what must be given, then the rest."""
        every = [one for kind in KINDS for one in self.takes[kind]]
        return sorted(every, key=lambda one: (one not in self.takes["path"], not one.required))

    @property
    def positional(self) -> list[Parameter]:
        """What must be given."""
        return [one for one in self.arguments if one.required]

    @property
    def optional(self) -> list[Parameter]:
        """What may be left out."""
        return [one for one in self.arguments if not one.required]

    @property
    def iterator(self) -> str:
        """The name of the method that goes through all pages."""
        return "iterate_" + self.name.split("_", 1)[1]


class Reader:
    """Reads the operations of an OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.paths = document["paths"]
        self.schemas = document["components"]["schemas"]

    def read(self) -> list[Operation]:
        """Every operation that the client has, in the order of the document."""
        return [
            self.read_operation(path, verb, told)
            for path, verbs in self.paths.items()
            for verb, told in verbs.items()
            if told["operationId"] not in LEFT_OUT
        ]

    def read_operation(self, path: str, verb: str, told: Mapping[str, Any]) -> Operation:
        """One operation, from what the document tells of it."""
        takes: dict[str, list[Parameter]] = {kind: [] for kind in KINDS}
        for one in told.get("parameters", []):
            takes[one["in"]].append(self.parameter(one["name"], one["schema"], one.get("required", False)))
        content = told.get("requestBody", {}).get("content", {})
        form = content.get("multipart/form-data", {}).get("schema", {})
        for name, schema in form.get("properties", {}).items():
            kind = "picture" if schema.get("format") == "binary" else "form"
            takes[kind].append(self.parameter(name, schema, name in form.get("required", [])))
        is_once = any(one.sent_as == ONCE for one in takes["header"])
        answer, kind = self.answer(told)
        return Operation(
            name=told["operationId"],
            verb=verb.upper(),
            path=re.sub(r"{(\w+)}", r"{segment(\1)}", path),
            words=told["description"],
            answer=answer,
            kind=kind,
            takes={**takes, "header": [one for one in takes["header"] if one.sent_as != ONCE]},
            is_once=is_once,
            body=self.body(content),
            item=self.item(answer) if any(one.name == "cursor" for one in takes["query"]) else None,
        )

    def parameter(self, name: str, schema: Mapping[str, Any], required: bool) -> Parameter:
        """An argument, under a name that Python allows."""
        plain = re.sub(r"\W", "_", name).lower()
        plain = f"{plain}_" if keyword.iskeyword(plain) else plain
        told = "UUID | str" if name == "subject" else self.type(schema)
        return Parameter(plain, name, told if required or "None" in told else f"{told} | None", required)

    def type(self, schema: Mapping[str, Any]) -> str:
        """A schema as a type of Python."""
        if "$ref" in schema:
            name = str(schema["$ref"]).rsplit("/", 1)[1]
            return self.type(self.schemas[name]) if "enum" in self.schemas[name] else f"models.{name}"
        if "anyOf" in schema:
            return " | ".join(dict.fromkeys(self.type(one) for one in schema["anyOf"]))
        if "enum" in schema:
            return f"Literal[{', '.join(map(repr, schema['enum']))}]"
        if schema["type"] == "null":
            return "None"
        if schema["type"] == "array":
            return f"Sequence[{self.type(schema['items'])}]"
        return PLAIN[schema["type"], schema.get("format")]

    def body(self, content: Mapping[str, Any]) -> str | None:
        """The type of a body that is JSON, or CSV where both are taken."""
        if "text/csv" in content:
            return CSV_OR_JSON
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return None
        return self.type(schema) if "$ref" in schema or "anyOf" in schema else "Mapping[str, Any]"

    def answer(self, told: Mapping[str, Any]) -> tuple[str, str]:
        """What a method returns, and how the answer is read."""
        found: list[dict[str, Any]] = [
            one.get("content", {}) for status, one in told["responses"].items() if status[0] == "2"
        ]
        content = next((one for one in found if one), {})
        if "text/event-stream" in content:
            return "httpx2.ServerSentEvent", "events"
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            if "$ref" not in schema:
                return "dict[str, Any]", "json"
            return (self.type(schema), "model") if all(found) else (f"{self.type(schema)} | None", "any")
        if not content:
            return "None", "nothing"
        return ("str", "text") if next(iter(content)).startswith("text/") else ("bytes", "bytes")

    def item(self, answer: str) -> str:
        """What a list is a list of."""
        schema = self.schemas[answer.removeprefix("models.")]
        return self.type(schema["properties"]["items"]["items"])


LIMITS = {
    *("title", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
"""The service holds its callers to them; of the titles the generator would make names."""


def without_limits(node: Any) -> Any:
    """The shapes of its schemas alone; what is left out of a request has the default of the service."""
    if isinstance(node, list):
        return [without_limits(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: without_limits(value) for key, value in node.items() if not is_limit(key, value)}


def is_limit(key: str, value: Any) -> bool:
    """Whether a part of a schema says nothing of its shape; a field may have the name of a limit."""
    if isinstance(value, dict | list):
        return key == "default"
    return key in LIMITS


def write_models(document: Mapping[str, Any], target: Path) -> None:
    """Write a pydantic model of every schema."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.generate(
            json.dumps(without_limits({**document, "paths": {}})),
            input_file_type=models.InputFileType.OpenAPI,
            input_filename="openapi.json",
            output=target,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=models.PythonVersion.PY_311,
            use_annotated=True,
            field_constraints=True,
            use_union_operator=True,
            use_standard_collections=True,
            use_schema_description=True,
            collapse_root_models=True,
            disable_timestamp=True,
            enum_field_as_literal=models.LiteralType.All,
        )


def write_operations(operations: list[Operation], target: Path) -> None:
    """Write a method of every operation, for both kinds of client."""
    environment = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("operations.py.jinja").render(operations=operations)
    target.write_text(text, encoding="utf-8")


def generate(folder: Path) -> None:
    """Write `models.py` and `operations.py` into a folder."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    write_models(document, folder / "models.py")
    write_operations(Reader(document).read(), folder / "operations.py")
    for name in ("models.py", "operations.py"):
        ruff = [sys.executable, "-m", "ruff"]
        where = ["--config", str(HERE.parents[1] / "pyproject.toml"), str(folder / name)]
        subprocess.run([*ruff, "check", "--select", "F401,F541", "--fix", "--silent", *where], check=True)
        subprocess.run([*ruff, "format", "-q", *where], check=True)


if __name__ == "__main__":
    generate(PACKAGE)
