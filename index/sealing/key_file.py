"""The file in the data folder with the template keys that an installation creates itself."""

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
    """A file of keys, one per line; readable only by its owner, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()

    def read(self) -> list[bytes]:
        """The keys, the sealing one first; empty if there is no file.

        Raises:
            KeyInvalid: If a line is not a key.
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
        """The keys if the file has changed since the last call, else None."""
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
        """Create the file with one new key unless it exists; of several processes only one creates it.

        Args:
            may_make: Raises if there must not be a new key; called while no other process can create one.

        Returns:
            Whether this call created it.

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
        """Put a new key in front of the others, which seals from now on; raises as `make`."""
        with self._lock():
            self._replace([secrets.token_bytes(KEY_BYTES), *self.read()])

    def keep_only(self, keys: Sequence[bytes]) -> None:
        """Drop every other key; raises as `make`."""
        with self._lock():
            self._replace([key for key in self.read() if key in keys])

    def write(self, keys: Sequence[bytes]) -> None:
        """Create a file with these keys.

        Raises:
            FileExistsError: If it exists with other keys.
            OSError: If it cannot be written.
        """
        with self._lock():
            if self.exists() and self.read() != list(keys):
                raise FileExistsError(f"{self.path} holds other keys; move it away first")
            self._replace(keys)

    def put_first(self, keys: Sequence[bytes]) -> None:
        """Put these keys in front of the existing ones, which older copies of the database need.

        Raises:
            KeyInvalid: If the existing file is not a file of keys.
            OSError: If it cannot be written.
        """
        with self._lock():
            self._replace([*keys, *(key for key in self.read() if key not in keys)])

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Lock out other processes; the lock ends with the process, however that ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _replace(self, keys: Sequence[bytes]) -> None:
        # The file must be on disk before the first row that only this key opens.
        text = _HEADER + "".join(f"{base64.b64encode(key).decode()}\n" for key in keys)
        write_file(self.path, text.encode(), mode=0o600)
