"""Writes the OpenAPI document of the service: `python -m service.openapi docs/openapi.json`."""

import json
import sys
from pathlib import Path

from service.app import describe_app


def document() -> str:
    """The document as it is committed: stable order, one line for each value."""
    return json.dumps(describe_app().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
