"""Opaque cursors of lists: the key of a page's last item, so pages never shift while rows come and go."""

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from service.errors import InvalidRequest

T = TypeVar("T")


def page_of(found: Sequence[T], limit: int, key: Callable[[T], object]) -> tuple[list[T], str | None]:
    """The items of a page, and the cursor behind it where there are more.

    Args:
        found: One item more than the page may have, if there is one.
        limit: How many the page may have.
        key: What the next page begins behind.
    """
    items = list(found[:limit])
    return items, write_cursor(str(key(items[-1]))) if len(found) > limit else None


def write_cursor(key: str) -> str:
    """A cursor that stands for this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """The key that a cursor stands for.

    Raises:
        InvalidRequest: If no list has given it out.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise not_given_out() from error


def read_id(cursor: str | None) -> UUID | None:
    """The id behind which a page begins; None for the first page.

    Raises:
        InvalidRequest: If no list has given the cursor out.
    """
    if cursor is None:
        return None
    try:
        return UUID(read_cursor(cursor))
    except ValueError as error:
        raise not_given_out() from error


def not_given_out() -> InvalidRequest:
    """What a cursor is refused with that no list has given out."""
    return InvalidRequest("/query/cursor", "invalid", "The cursor is not one that a list has given out.")
