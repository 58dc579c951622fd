"""Canonical JSON for every row and event whose digest is stored, so that anybody can compute it again."""

import hashlib
import json


def canonical_json(content: object) -> bytes:
    """The content as canonical JSON: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: If it holds what JSON cannot (NaN, infinity).
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_json(content: object) -> str:
    """SHA-256 of the content in canonical JSON, in hex.

    Raises:
        ValueError: If it holds what JSON cannot (NaN, infinity).
    """
    return hashlib.sha256(canonical_json(content)).hexdigest()
