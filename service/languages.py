"""The languages of pages and printed sheets: which there are, which a request gets, and their texts."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request

STRINGS = Path(__file__).parent / "web" / "strings"

LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "pl": "Polski",
    "ar": "العربية",
}
"""Each by its own name, so that whoever reads no other finds it."""

ENGLISH = "en"
RIGHT_TO_LEFT = {"ar"}
COOKIE = "invigil_language"
"""Set by the pages when somebody chooses a language; it names that and nothing else."""

Text = str | dict[str, str]
"""A text, or one for each plural category of the language (Unicode CLDR), chosen by the value of {n}."""

_CHOICE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$")
_LONGEST_HEADER = 1000


def choose_language(request: Request) -> str:
    """The language that was chosen in this browser, else the browser's own, else English."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for language in preferred(request.headers.get("accept-language", "")[:_LONGEST_HEADER]):
        if language in LANGUAGES:
            return language
    return ENGLISH


def preferred(header: str) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4) without regions, the best first."""

    def choices() -> Iterator[tuple[float, str]]:
        for part in header.split(","):
            found = _CHOICE.fullmatch(part)
            if found and (quality := float(found[2] or 1)) > 0:
                yield quality, found[1].lower()

    return [language for _, language in sorted(choices(), key=lambda one: -one[0])]


def describe_language(language: str) -> dict[str, Any]:
    """What every template needs: the language, its direction, its texts, and which others there are."""
    return {
        "language": language,
        "direction": "rtl" if language in RIGHT_TO_LEFT else "ltr",
        "languages": LANGUAGES,
        "t": texts(language),
    }


@cache
def texts(language: str) -> dict[str, Text]:
    """Every text of the pages in one language, in English where it is not translated."""
    translated: dict[str, Text] = json.loads((STRINGS / f"{language}.json").read_text(encoding="utf-8"))
    return translated if language == ENGLISH else {**texts(ENGLISH), **translated}
