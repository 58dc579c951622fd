"""One spelling of JSON for every row and event whose digest is kept, so that anybody can digest it again."""

import hashlib
import json


def canonical_json(content: object) -> bytes:
    """The content as JSON that is the same wherever it is written: keys sorted, no spaces, UTF-8.

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
