"""What texts and moments in requests may be, wherever they are sent."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, StringConstraints

from index.fields import holds_controls

FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)
DEEPEST = 32
LINE_BREAKS = str.maketrans("", "", "\t\n\r")


def plain(text: str) -> str:
    """A text that every database, table and terminal can hold; lines may be broken.

    Raises:
        ValueError: If it holds other control characters.
    """
    if holds_controls(text.translate(LINE_BREAKS)):
        raise ValueError("must not hold control characters")
    return text


def storable(document: dict[str, Any]) -> dict[str, Any]:
    """A JSON object that every database, and every reader after it, can take.

    Raises:
        ValueError: If it is nested too deep, or holds a number that is none or half a character.
    """
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        for one in level:
            if isinstance(one, float) and not math.isfinite(one):
                raise ValueError("must not hold numbers that are infinite or none")
            if isinstance(one, str) and any("\ud800" <= character <= "\udfff" for character in one):
                raise ValueError("must not hold halves of a character")
        inside = [[*one, *one.values()] if isinstance(one, dict) else one for one in level]
        level = [part for one in inside if isinstance(one, list) for part in one]
        if not level:
            return document
    raise ValueError(f"must not be nested deeper than {DEEPEST} levels")


def in_reach(moment: datetime) -> datetime:
    """A moment that can be reckoned with, in every time zone and with a retention behind it.

    Raises:
        ValueError: If it lies centuries away.
    """
    if not FIRST_MOMENT <= moment <= LAST_MOMENT:
        raise ValueError(f"must lie between {FIRST_MOMENT:%Y} and {LAST_MOMENT:%Y}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(in_reach)]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(plain)
]
ShortLabel = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(plain)
]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(plain)
]
"""Short enough to stand with an id in every record of a decision."""
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), AfterValidator(plain)
]
"""Plain text; whoever shows it must show it as text."""
JsonObject = Annotated[dict[str, Any], AfterValidator(storable)]
