"""Open pictures to measure on: a folder, a tar archive, or a set described by `faces.csv`.

folder or archive   …/<identity>/<picture>; a picture at the top has no identity
described set       tar shards and faces.csv with the columns shard, file, identity (may be empty)
"""

import csv
import tarfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from training.data.csv_files import read_csv
from training.data.reading import reason_of
from training.errors import PicturesInvalid

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
DESCRIPTION = "faces.csv"

PER_PERSON = 50
"""Most pictures of one person in evaluations of all pairs.

Mated comparisons grow with the square: among 250 people, one woman with 700 pictures made up nine tenths of
them and determined the FNMR.
"""


@dataclass(frozen=True)
class Pictures:
    """Pictures by name, with their identities.

    Attributes:
        path: Their location.
        identity: Name → identity; "" if unknown. Names are relative, with forward slashes.
        readers: Name → function that reads the bytes.
    """

    path: Path
    identity: Mapping[str, str]
    readers: Mapping[str, Callable[[], bytes]] = field(repr=False)

    @property
    def labelled(self) -> list[str]:
        """Names of the pictures with a known identity, in order."""
        return [name for name, identity in self.identity.items() if identity]

    def of_people(self, people: Collection[str]) -> list[str]:
        """Names of the pictures of these people, in order."""
        return [name for name in self.labelled if self.identity[name] in people]

    def read(self, name: str) -> bytes:
        """The bytes of a picture; KeyError if there is none with this name."""
        return self.readers[name]()

    def find(self, wanted: str) -> str | None:
        """The name that `wanted` means, which may lack leading folders or the suffix; None if there is none.

        Raises:
            PicturesInvalid: If several pictures match it.
        """
        if wanted in self.readers:
            return wanted
        found = self._by_ending.get(wanted.removeprefix("./"), [])
        if len(found) > 1:
            raise PicturesInvalid(self.path, f"{wanted!r} means several pictures: {', '.join(found[:3])}")
        return found[0] if found else None

    @cached_property
    def _by_ending(self) -> dict[str, list[str]]:
        endings: dict[str, list[str]] = {}
        for name in self.readers:
            for ending in _list_endings(PurePosixPath(name)):
                endings.setdefault(ending, []).append(name)
        return endings


def _list_endings(path: PurePosixPath) -> Iterable[str]:
    """`a/b/c.jpg` → a/b/c.jpg, a/b/c, b/c.jpg, b/c, c.jpg, c."""
    for start in range(len(path.parts)):
        ending = PurePosixPath(*path.parts[start:])
        yield str(ending)
        yield str(ending.with_suffix(""))


def limit_per_person(names: Iterable[str], identity: Mapping[str, str], limit: int) -> list[str]:
    """Up to `limit` pictures of each person, evenly spread over that person's pictures."""
    of_person: dict[str, list[str]] = {}
    for name in names:
        of_person.setdefault(identity[name], []).append(name)
    return [
        theirs[place * len(theirs) // min(limit, len(theirs))]
        for theirs in of_person.values()
        for place in range(min(limit, len(theirs)))
    ]


def open_pictures(path: Path) -> Pictures:
    """Open the pictures at a path; reads none yet.

    Raises:
        PicturesInvalid: If there is nothing, it is not an archive, or it has no pictures.
    """
    if (path / DESCRIPTION).is_file():
        pictures = _open_described(path)
    elif path.is_dir():
        pictures = _open_folder(path)
    elif path.is_file():
        readers = _find_members(path)
        pictures = Pictures(path, {name: _folder_of(name) for name in readers}, readers)
    else:
        raise PicturesInvalid(path, "there is no such folder or archive")
    if not pictures.readers:
        raise PicturesInvalid(path, f"it holds no picture ({', '.join(sorted(SUFFIXES))})")
    return pictures


def _is_picture(name: PurePosixPath) -> bool:
    return name.suffix.lower() in SUFFIXES and not name.name.startswith(".")


def _folder_of(name: str) -> str:
    return PurePosixPath(name).parent.name


def _open_folder(path: Path) -> Pictures:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    named = {file.relative_to(path).as_posix(): file for file in files}
    readers = {name: file.read_bytes for name, file in named.items() if _is_picture(PurePosixPath(name))}
    return Pictures(path, {name: _folder_of(name) for name in readers}, readers)


def _find_members(archive: Path) -> dict[str, Callable[[], bytes]]:
    """Readers for the pictures in an uncompressed archive, which read directly at their offset."""
    try:
        # "r:" refuses compressed archives, whose members cannot be read on their own.
        with tarfile.open(archive, "r:") as tar:
            members = [
                member for member in tar if member.isfile() and _is_picture(PurePosixPath(member.name))
            ]
    except (OSError, tarfile.TarError) as error:
        raise PicturesInvalid(
            archive, f"it is not an uncompressed tar archive ({reason_of(error)})"
        ) from error
    return {
        member.name.removeprefix("./"): partial(_read_at, archive, member.offset_data, member.size)
        for member in members
    }


def _read_at(archive: Path, offset: int, size: int) -> bytes:
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _open_described(folder: Path) -> Pictures:
    rows = _read_description(folder / DESCRIPTION)
    shards = {shard: _find_members(folder / shard) for shard in sorted({row["shard"] for row in rows})}
    readers, identity = {}, {}
    for row in rows:
        name = f"{row['shard']}/{row['file']}"
        # A picture that is described but missing keeps its name: reading it fails, and the failure is
        # counted.
        readers[name] = shards[row["shard"]].get(row["file"], partial(_raise_absent, name))
        identity[name] = row["identity"]
    return Pictures(folder, identity, readers)


def _read_description(path: Path) -> list[dict[str, str]]:
    """The lines of `faces.csv`; each names a shard next to it."""
    try:
        rows = read_csv(path).rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PicturesInvalid(path, reason_of(error)) from error
    if not rows or not {"shard", "file", "identity"} <= rows[0].keys():
        raise PicturesInvalid(path, "it lacks the columns shard, file, identity")
    ragged = [number for number, row in enumerate(rows, start=2) if None in row or None in row.values()]
    if ragged:
        raise PicturesInvalid(path, f"row {ragged[0]} has not as many fields as the first line")
    absent = {shard for shard in {row["shard"] for row in rows} if not _is_beside(path, shard)}
    if absent:
        number = next(number for number, row in enumerate(rows, start=2) if row["shard"] in absent)
        raise PicturesInvalid(path, f"row {number} names a shard that is not beside it")
    return rows


def _is_beside(path: Path, shard: str) -> bool:
    """Whether a file with this name is in the same folder or below it."""
    named = PurePosixPath(shard)
    try:
        return not named.is_absolute() and ".." not in named.parts and (path.parent / named).is_file()
    except (OSError, ValueError):
        return False


def _raise_absent(name: str) -> bytes:
    raise FileNotFoundError(name)
