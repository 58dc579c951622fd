"""Write files atomically: completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield the path of a draft to write; it replaces the file once it is on disk.

    A reader, or a machine that restarts, sees either the old content or all of the new. If the caller raises,
    the old file stays as it was and the draft is removed.

    Args:
        path: Its folder must exist.

    Raises:
        OSError: If the draft cannot replace the file.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_file(path: Path, content: bytes | memoryview, *, mode: int = 0o666) -> None:
    """Write a file atomically, as `replace_file` does.

    Args:
        path: Its folder must exist.
        content: The complete content.
        mode: Permissions of the file, less the umask.

    Raises:
        OSError: If it cannot be written; the old file is then unchanged.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with replace_file(path) as draft, os.fdopen(os.open(draft, flags, mode), "wb") as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
