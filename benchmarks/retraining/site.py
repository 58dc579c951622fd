"""The site: people whom the base has not seen, before another camera."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.retraining.people import SEED, choose_people
from embedding.align import ALIGNED_SIZE
from training.data.altered import change_light, compress_jpeg
from training.data.faces import SPLIT, FaceSet, Split, read_faces
from training.data.pictures import PER_PERSON as EVALUATED

PER_PERSON = 30
"""A site has tens of pictures of somebody, not hundreds; elsewhere, what an evaluation takes."""

SITE, JUDGED, ELSEWHERE, FEW = "site.tar", "judged.tar", "elsewhere.tar", "few.tar"
FEW_PEOPLE = 30
"""Of the site: with them nothing can be gained."""

CAST = (1.0, 0.92, 0.72)
"""What the camera leaves of red, green and blue: a warm lamp."""
STORED_QUALITY = 95

Crop = NDArray[np.uint8]


def write_site(data: Path, work: Path, held_out: Path) -> str:
    """Write the site, a few of it, who judges it and who is elsewhere: archives of folders.

    Returns:
        What was written, in words.
    """
    faces = read_faces(data / "faces")
    people = choose_people(faces, Split.read(held_out / SPLIT))
    parts = [
        f"{name}: {write_people(work / name, faces, who, shift)}"
        for name, who, shift in (
            (SITE, people.site, True),
            (JUDGED, people.judged, True),
            (ELSEWHERE, people.elsewhere, False),
            (FEW, people.site[:FEW_PEOPLE], True),
        )
    ]
    return "; ".join(parts)


def write_people(archive: Path, faces: FaceSet, people: Sequence[str], shift: bool) -> str:
    """Some pictures of some people, evenly spread over the order of theirs; before another camera, or not."""
    wanted, count = set(people), 0
    rows: dict[str, list[int]] = {}
    for row, identity in enumerate(faces.identities):
        if identity in wanted:
            rows.setdefault(identity, []).append(row)
    with tarfile.open(archive, "w") as tar:
        for identity, theirs in sorted(rows.items()):
            kept = min(PER_PERSON if shift else EVALUATED, len(theirs))
            for place in range(kept):
                row = theirs[place * len(theirs) // kept]
                content = seen_by_site(faces.crop(row), row) if shift else faces.encoded[row]
                info = tarfile.TarInfo(f"{identity}/{row:06d}.jpg")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
                count += 1
    return f"{count:,} pictures of {len(rows)} people"


def seen_by_site(crop: Crop, row: int) -> bytes:
    """The JPEG of a face as the site's camera takes it; the same for the same row."""
    view = another_camera(crop, np.random.default_rng((SEED, row)))
    return cv2.imencode(".jpg", view[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, STORED_QUALITY])[1].tobytes()


def another_camera(crop: Crop, random: Generator) -> Crop:
    """Farther away, a little out of focus, in a warm and weak light, compressed."""
    side = int(random.integers(40, 73))
    view = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    view = cv2.GaussianBlur(view, (0, 0), random.uniform(0.3, 0.7))
    cast = np.array(CAST) * random.uniform(0.95, 1.05, 3)
    warm = np.clip(view * cast, 0, 255).astype(np.uint8)
    dark = compress_jpeg(change_light(warm, random.uniform(0.25, 0.7)), int(random.integers(30, 61)))
    return np.asarray(
        cv2.resize(dark, (ALIGNED_SIZE, ALIGNED_SIZE), interpolation=cv2.INTER_LINEAR), np.uint8
    )
