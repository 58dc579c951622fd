"""The template keys that an installation makes for itself: a file in the data folder."""

import base64
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedding.files import write_file
from index.errors import KeyInvalid
from index.sealing.cipher import KEY_BYTES, parse_key

_HEADER = (
    "# The template keys of this installation, the sealing one first. A copy of the database is worthless\n"
    "# without them: keep a copy of this file, and keep it elsewhere than the copies of the database.\n"
)

KEY_FILE = "template.keys"
"""In the data folder."""


class KeyFile:
    """A file of keys, one a line; readable by its owner alone, replaced as a whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()

    def read(self) -> list[bytes]:
        """The keys, the sealing one first; empty where there is no file.

        Raises:
            KeyInvalid: If a line is no key.
            OSError: If it cannot be read.
        """
        try:
            lines = self.path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        except UnicodeDecodeError as error:
            raise KeyInvalid from error
        return [parse_key(line) for line in lines if line.strip() and not line.startswith("#")]

    def read_if_changed(self) -> list[bytes] | None:
        """The keys, where the file is another one than at the last call."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return None
        seen = stat.st_ino, stat.st_mtime_ns
        if seen == self._seen:
            return None
        keys = self.read()
        self._seen = seen
        return keys

    def make(self, may_make: Callable[[], None] = lambda: None) -> bool:
        """Make the file with one new key unless it is there; of several processes one makes it.

        Args:
            may_make: Raises where there must not be a new key; asked while no other process makes one.

        Returns:
            Whether it was made here.

        Raises:
            OSError: If it cannot be written.
        """
        with self._lock():
            if self.exists():
                return False
            may_make()
            self._replace([secrets.token_bytes(KEY_BYTES)])
            return True

    def add(self) -> None:
        """Put a new key before the others: from now on it seals; raises as `make`."""
        with self._lock():
            self._replace([secrets.token_bytes(KEY_BYTES), *self.read()])

    def keep_only(self, keys: Sequence[bytes]) -> None:
        """Drop every other key; raises as `make`."""
        with self._lock():
            self._replace([key for key in self.read() if key in keys])

    def write(self, keys: Sequence[bytes]) -> None:
        """Make a file with these keys.

        Raises:
            FileExistsError: If there is one with other keys.
            OSError: If it cannot be written.
        """
        with self._lock():
            if self.exists() and self.read() != list(keys):
                raise FileExistsError(f"{self.path} holds other keys; move it away first")
            self._replace(keys)

    def put_first(self, keys: Sequence[bytes]) -> None:
        """Put these keys before those that are there, which older copies of the database need.

        Raises:
            KeyInvalid: If what is there is no file of keys.
            OSError: If it cannot be written.
        """
        with self._lock():
            self._replace([*keys, *(key for key in self.read() if key not in keys)])

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time; the lock ends with the process, however that ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _replace(self, keys: Sequence[bytes]) -> None:
        # The name must be on the disk before the first row that only this key opens.
        text = _HEADER + "".join(f"{base64.b64encode(key).decode()}\n" for key in keys)
        write_file(self.path, text.encode(), mode=0o600)
