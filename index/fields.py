"""Check the fields of a subject."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from index.consent.legal_basis import expiry_of
from index.errors import SubjectInvalid
from index.external_ids import build_forms, fold_name, normalise_external_id

MAX_TEXT_CHARACTERS = 255
MAX_JSON_BYTES = 16_384


def columns_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as columns of the subject table.

    Raises:
        SubjectInvalid: If one is not allowed.
    """
    columns = {_COLUMNS[name][0]: _COLUMNS[name][1](name, value) for name, value in fields.items()}
    if "external_id" in columns:
        columns |= build_forms(columns["external_id"])
    if "display_name" in columns:
        columns["name_key"] = fold_name(columns["display_name"])
    if "legal_basis" in columns:
        columns["basis_expires_at"] = expiry_of(columns["legal_basis"])
    return columns


def _check_text(field: str, value: str | None) -> str | None:
    """Any script, spaces, slashes and emoji, but nothing that a terminal or a database would interpret."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_TEXT_CHARACTERS:
        raise SubjectInvalid(field, f"it must have 1 to {MAX_TEXT_CHARACTERS} characters, not {len(value)}")
    if holds_controls(value):
        raise SubjectInvalid(field, "it must not hold control characters")
    return value


def _check_external_id(field: str, value: str | None) -> str | None:
    try:
        return None if value is None else normalise_external_id(value)
    except ValueError as error:
        raise SubjectInvalid(field, str(error)) from error


def holds_controls(text: str) -> bool:
    """Whether a text contains control characters (Cc) or lone surrogates, which UTF-8 cannot encode (Cs)."""
    # The quick check comes first because most texts are plain: a large roster has hundreds of thousands.
    return not text.isprintable() and any(unicodedata.category(one) in ("Cc", "Cs") for one in text)


def _check_metadata(field: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        text = json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SubjectInvalid(field, "it must be a JSON object") from error
    if len(text) > MAX_JSON_BYTES:
        raise SubjectInvalid(field, f"it must not be longer than {MAX_JSON_BYTES} bytes of JSON")
    document: dict[str, Any] = json.loads(text)
    return document


_COLUMNS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "external_id": ("external_id", _check_external_id),
    "display_name": ("display_name", _check_text),
    # SQLAlchemy's classes reserve `metadata`.
    "metadata": ("details", _check_metadata),
    "legal_basis": ("legal_basis", _check_metadata),
}
