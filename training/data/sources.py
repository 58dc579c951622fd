"""Faces to retrain on, from several places: labelled folders and archives, and crops of enrolments.

After a crash the faces are read again and must be the same: a record is kept, never a copy. If a crop has
been removed meanwhile, by erasure or the end of its retention, the job ends.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from embedding.files import write_file
from index.crops import Crops
from training.data.enrolled import ENROLLED, build_crop_name
from training.data.faces import FaceSet, Split, read_faces, split_identities
from training.data.pictures import Pictures
from training.data.seen import Seen
from training.errors import FacesChanged, LabelsDisagree, PicturesInvalid, SplitInvalid


@dataclass(frozen=True)
class Gathered:
    """The record of the faces gathered for a job.

    Attributes:
        data: Paths of labelled faces.
        crops: Ids of the crops used.
        digest: Digest of all faces in order.
        faces: Number of faces.
        identities: Number of people.
        repeated: Pictures that occur twice under one label and are used once.
        skipped: Pictures that could not be used, each with the reason.
    """

    data: tuple[str, ...]
    crops: tuple[str, ...]
    digest: str
    faces: int
    identities: int
    repeated: int
    skipped: Mapping[str, str]

    def write(self, path: Path) -> None:
        """As JSON."""
        write_file(path, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> "Gathered":
        """What `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**content, "data": tuple(content["data"]), "crops": tuple(content["crops"])})


def gather_faces(data: Sequence[str], crops: Crops | None) -> tuple[FaceSet, Gathered]:
    """Gather all faces from several places.

    The same label means the same person in every place; people of the enrolment database have their subject
    id as label.

    Args:
        data: Folders or archives for `read_faces`.
        crops: Crops of the enrolment database, if they are to be used.

    Raises:
        PicturesInvalid: If a place has no usable face.
        LabelsDisagree: If one picture has two identities.
    """
    parts = [_read_place(Path(place), number, len(data)) for number, place in enumerate(data)]
    enrolled = _read_enrolled(crops, None) if crops is not None else None
    return _join(parts, enrolled, tuple(data))


def gather_again(record: Gathered, crops: Crops | None) -> FaceSet:
    """Gather the same faces again.

    Raises:
        FacesChanged: If some are missing, or others were added.
    """
    parts = [_read_place(Path(place), number, len(record.data)) for number, place in enumerate(record.data)]
    enrolled = _read_enrolled(crops, frozenset(record.crops)) if crops is not None and record.crops else None
    missing = len(record.crops) - (len(enrolled) if enrolled is not None else 0)
    if missing:
        raise FacesChanged(f"{missing} enrolled pictures may not be used any more")
    faces, _ = _join(parts, enrolled, record.data)
    if faces.digest != record.digest:
        raise FacesChanged("the folders hold other pictures")
    return faces


def as_pictures(faces: FaceSet, path: Path) -> Pictures:
    """The faces as pictures to measure on; reports name `path` as their origin."""
    return Pictures(
        path,
        dict(zip(faces.names, faces.identities, strict=True)),
        {
            name: partial(_keep_bytes, content)
            for name, content in zip(faces.names, faces.encoded, strict=True)
        },
    )


def _keep_bytes(content: bytes) -> bytes:
    return content


def hold_out(faces: FaceSet, share: float, seed: int, start: Path | None) -> Split:
    """Hold out people whom the network to start from has not seen either.

    People held out by that network's run stay held out, and so does a share of the new people.

    Args:
        faces: All faces.
        share: Share of the new identities with two pictures or more.
        seed: Seed of the choice.
        start: The checkpoint to start from.

    Raises:
        SplitInvalid: If there are not two people for calibration and two for tests.
    """
    former, seen = _read_history(start)
    here = set(faces.identities)
    known = seen.identities | former.held_out
    digests = np.array(faces.picture_digests)
    touched = {
        identity for identity, digest in zip(faces.identities, digests, strict=True) if digest in seen.digests
    }
    fresh = [identity not in known and identity not in touched for identity in faces.identities]
    calibrate = [identity for identity in former.calibrate if identity in here - touched]
    test = [identity for identity in former.test if identity in here - touched]
    enough = len(calibrate) >= 2 and len(test) >= 2
    try:
        new = split_identities(_select_rows(faces, fresh), share, seed)
    except SplitInvalid:
        if not enough:
            raise
        new = Split(seed, (), ())
    return Split(seed, tuple(sorted([*calibrate, *new.calibrate])), tuple(sorted([*test, *new.test])))


def read_seen(start: Path | None) -> Seen:
    """What the network to start from was trained on, if its run has a record."""
    return _read_history(start)[1]


def _read_history(start: Path | None) -> tuple[Split, Seen]:
    split, seen = Split(0, (), ()), Seen()
    if start is not None and (start.parent / "split.json").is_file():
        split = Split.read(start.parent / "split.json")
    if start is not None and (start.parent / "seen.json").is_file():
        seen = Seen.read(start.parent)
    return split, seen


def _read_place(place: Path, number: int, of: int) -> FaceSet:
    """The faces of one place; with several places, the names include the place."""
    faces = read_faces(place / "faces" if (place / "faces").is_dir() else place)
    if of == 1:
        return faces
    names = [f"{number}-{place.name}/{name}" for name in faces.names]
    return replace(
        faces,
        names=names,
        skipped={f"{number}-{place.name}/{name}": why for name, why in faces.skipped.items()},
    )


def _read_enrolled(crops: Crops | None, only: frozenset[str] | None) -> FaceSet:
    assert crops is not None
    found = [
        (build_crop_name(subject_id, crop_id), str(subject_id), picture)
        for subject_id, crop_id, picture in crops.open_trainable()
        if only is None or str(crop_id) in only
    ]
    names, identities, encoded = ([row[column] for row in found] for column in range(3))
    return FaceSet(names, identities, encoded, {})  # type: ignore[arg-type]


def _join(
    parts: Sequence[FaceSet], enrolled: FaceSet | None, data: tuple[str, ...]
) -> tuple[FaceSet, Gathered]:
    """Join everything to one set; a repeated picture is used once."""
    whole = [*parts, *([enrolled] if enrolled is not None else [])]
    first: dict[str, tuple[int, str, str]] = {}
    kept: list[tuple[str, str, bytes]] = []
    disagree: list[tuple[str, str]] = []
    repeated = 0
    for number, part in enumerate(whole):
        for name, identity, content in zip(part.names, part.identities, part.encoded, strict=True):
            digest = hashlib.sha256(content).hexdigest()
            where, former, label = first.setdefault(digest, (number, name, identity))
            if where == number:
                # Duplicates inside one source are kept; mining shows them to a person.
                kept.append((name, identity, content))
            elif identity in (label, ""):
                repeated += 1
            else:
                disagree.append((former, name))
    if disagree:
        raise LabelsDisagree(disagree)
    if not kept:
        raise PicturesInvalid(Path(ENROLLED), "nobody who is enrolled may be trained on")
    faces = FaceSet(
        [name for name, _, _ in kept],
        [identity for _, identity, _ in kept],
        [content for _, _, content in kept],
        {name: why for part in whole for name, why in part.skipped.items()},
    )
    crops = [Path(name).stem for name in enrolled.names] if enrolled is not None else []
    people = len(set(faces.identities) - {""})
    record = Gathered(data, tuple(crops), faces.digest, len(faces), people, repeated, faces.skipped)
    return faces, record


def _select_rows(faces: FaceSet, keep: Sequence[bool]) -> FaceSet:
    rows = [row for row, kept in enumerate(keep) if kept]
    return FaceSet(
        [faces.names[row] for row in rows],
        [faces.identities[row] for row in rows],
        [faces.encoded[row] for row in rows],
        {},
    )
