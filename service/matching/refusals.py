"""The report of a bulk enrolment: whatever becomes of its file, the enrolment goes on."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from service.sheets.spreadsheet import SheetWriter

COLUMNS = ("external_id", "path", "code", "reasons", "detail")


def open_private(path: str, flags: int) -> int:
    """Open a file; where it is made, it is its owner's alone, for it names people."""
    return os.open(path, flags, 0o600)


class RefusalReport:
    """Rows in the first of some files that can be written.

    A file that fails later is given up for the next one, which gets every row again.

    Attributes:
        path: Where the rows are; None where no file can be written.
    """

    def __init__(self, places: Iterable[Path]) -> None:
        """Prepare; nothing is written yet.

        Args:
            places: Files to try, the best first. A file of the system's temporary folder comes last.
        """
        self.path: Path | None = None
        self.rows: list[tuple[object, ...]] = []
        self._places = [*places, Path(tempfile.gettempdir()) / "invigil-refusals.csv"]
        self._file: TextIO | None = None
        self._sheet: SheetWriter | None = None

    def __enter__(self) -> Self:
        self._write_anew()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._close()

    def write(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows, to be read at once."""
        self.rows += rows
        if self._sheet is None or self._file is None or not rows:
            return
        try:
            for row in rows:
                self._sheet.write(row)
            self._file.flush()
        except OSError:
            self._places.pop(0)
            self._write_anew()

    def _write_anew(self) -> None:
        self._close()
        while self._places:
            try:
                self._begin(self._places[0])
                return
            except OSError:
                self._close()
                self._places.pop(0)
        self.path = None

    def _begin(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file's name may be any bytes; those that are no text are written as \udcff.
        self._file = open(  # noqa: SIM115
            path, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=open_private
        )
        self._sheet = SheetWriter(self._file, COLUMNS)
        for row in self.rows:
            self._sheet.write(row)
        self._file.flush()
        self.path = path

    def _close(self) -> None:
        # What cannot be flushed was not written; it is written to the next place.
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = self._sheet = None
