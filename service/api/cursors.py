"""Opaque cursors of lists: the key of a page's last item, so pages never shift while rows come and go."""

import base64

from index.errors import CursorInvalid


def write_cursor(key: str) -> str:
    """A cursor that stands for this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """The key that a cursor stands for.

    Raises:
        CursorInvalid: If no list has given it out.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise CursorInvalid from error
