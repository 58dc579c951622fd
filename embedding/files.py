"""Files that are there as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield the path of a draft to write, which takes the file's place once it is on the disk.

    A reader, or a machine that starts again, sees the former content or all of the new one. Where something
    is raised the former file stays as it was, and no draft is left.

    Args:
        path: Its folder must be there.

    Raises:
        OSError: If the draft cannot take the place.
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
    """Write all of a file or nothing, as `replace_file` does.

    Args:
        path: Its folder must be there.
        content: All of it.
        mode: Permissions of the file, less the umask.

    Raises:
        OSError: If it cannot be written; then the former file is as it was.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with replace_file(path) as draft, os.fdopen(os.open(draft, flags, mode), "wb") as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
