"""Which photos show whom: a folder with one sub-folder per person, or a list in CSV."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.errors import SourceInvalid
from service.sheets.records import open_sheet
from service.sheets.spreadsheet import NotAList, NotText, is_mangled
from service.sheets.workbook import Spoilt

COLUMNS = ("external_id", "display_name", "path")
NEEDED = frozenset({"external_id", "path"})


@dataclass(frozen=True)
class Photo:
    """One picture of one person; without an external id it lies where nothing says whom it shows."""

    external_id: str
    path: Path
    display_name: str | None = None


def list_photos(source: Path) -> list[Photo]:
    """The photos of a folder (FOLDER/<external_id>/…) or of a CSV file (external_id, display_name, path).

    Raises:
        SourceInvalid: If it is neither, or a line of the CSV cannot be read.
        OSError: If it cannot be read at all.
    """
    photos = list(_in_folder(source) if source.is_dir() else _in_csv(source))
    if not photos:
        raise SourceInvalid(source, "it lists no photo; FOLDER/<external_id>/<photo>, or a CSV, is needed")
    return photos


def _in_folder(folder: Path) -> Iterator[Photo]:
    """Every file that is not hidden: what is no picture is to be refused by name, not passed over.

    Raises:
        SourceInvalid: If there are files beside the people's folders and no such folder.
    """
    visible = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    people = [one for one in visible if one.is_dir()]
    loose = [one for one in visible if not one.is_dir()]
    if loose and not people:
        raise SourceInvalid(
            folder, f"{loose[0].name} lies beside the people's folders, so whom it shows is unknown"
        )
    yield from (Photo("", path) for path in loose)
    for person in people:
        yield from (Photo(person.name, path) for path in sorted(_files_below(person)))


def _files_below(folder: Path) -> Iterator[Path]:
    """Everything below that is no folder; also links that lead nowhere, and folders that cannot be read."""
    unreadable: list[OSError] = []
    seen: set[Path] = set()
    for place, folders, files in os.walk(folder, onerror=unreadable.append, followlinks=True):
        real = Path(place).resolve()
        # A link may lead back up.
        folders[:] = [] if real in seen else [one for one in folders if not one.startswith(".")]
        if real not in seen:
            yield from (Path(place, name) for name in files if not name.startswith("."))
        seen.add(real)
    yield from (Path(str(error.filename)) for error in unreadable)


def _in_csv(path: Path) -> Iterator[Photo]:
    for row in rows_of_list(path.read_bytes(), path):
        yield Photo(row.external_id, path.parent / row.path, row.display_name)


@dataclass(frozen=True)
class ListRow:
    """One line of a list: whom a photo shows, and where it is, seen from the list."""

    line: int
    external_id: str
    path: str
    display_name: str | None


def rows_of_list(data: bytes, path: Path) -> Iterator[ListRow]:
    """A heading and columns in any order, in any form that `open_sheet` reads.

    Raises:
        SourceInvalid: Naming the line that cannot be used; `path` is how the list is called.
    """
    try:
        records = open_sheet(data).records
        columns = _columns(path, next(records, (1, []))[1])
        for line, row in records:
            yield _row(path, line, dict(zip(columns, row, strict=False)))
    except NotAList as error:
        place = None if isinstance(error, NotText) else error.line
        raise SourceInvalid(path, str(error), place) from error


def _columns(path: Path, heading: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in heading]
    missing = sorted(NEEDED.difference(columns))
    if missing:
        raise SourceInvalid(path, f"the column {missing[0]} is missing; {', '.join(COLUMNS)} are known", 1)
    return columns


def _row(source: Path, line: int, cells: dict[str, str]) -> ListRow:
    given = cells.get("external_id", "")
    external_id, name = given.strip(), cells.get("path", "").strip()
    if not external_id or not name:
        raise SourceInvalid(source, "external_id or path is empty", line)
    if isinstance(given, Spoilt) or is_mangled(external_id):
        raise SourceInvalid(source, f"{external_id[:40]} is a number that a spreadsheet has changed", line)
    return ListRow(line, external_id, name, cells.get("display_name", "").strip() or None)
