"""What becomes of turned and mirrored portraits: `python -m benchmarks.turned DATA`.

DATA is a folder, or a tar archive, with a folder of photographs for each person; the first one of each is
turned. Several faces are handled as the service does by default. In each condition pairs of different people
are compared at a false match rate of 1 in 10,000, and each accepted picture with the same person's upright
one. It needs pictures of people and is no part of `make bench`.
"""

import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track
from rich.table import Table

from embedding.bundle import SHIPPED
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError
from embedding.faces import FacePolicy
from embedding.quality import Purpose
from training.data.pictures import Pictures, open_pictures

PEOPLE = 300
TURNS = (0, 45, 90, 135, 180, 225, 270, 315, 22.5, 30, 330, 60, 100, 160)
"""Degrees, counter-clockwise."""

GROUNDS = ((0, 0, 0), (128, 128, 128), (200, 40, 40))
MATCH_FMR = 1e-4
POLICIES = {Purpose.ENROL: FacePolicy.EXACTLY_ONE, Purpose.VERIFY: FacePolicy.CENTRAL}

Vectors = NDArray[np.float32]


def measure(console: Console, data: Path) -> None:
    """Measure and print one table."""
    embedder = Embedder.open(SHIPPED).with_face_policies(POLICIES)
    photos = first_photos(open_pictures(data), PEOPLE)
    threshold = embedder.bundle.calibration.threshold(MATCH_FMR)
    own = embedder.embed_many(photos, Purpose.VERIFY)
    table = Table(title=f"{len(photos)} people, at a false match rate of {MATCH_FMR:g}")
    for name in (
        "turn",
        "mirrored",
        "enrolled",
        "verified",
        "match themselves",
        "strangers in 10,000",
        "refused",
    ):
        table.add_column(name, justify="right")
    conditions = list(product(TURNS, (False, True)))
    for degrees, mirrored in track(conditions, console=console, transient=True):
        pictures = [turned(photo, degrees, mirrored, number) for number, photo in enumerate(photos)]
        enrolled = embedder.embed_many(pictures, Purpose.ENROL)
        verified = embedder.embed_many(pictures, Purpose.VERIFY)
        reasons = Counter(result.code for result in verified if isinstance(result, EmbeddingError))
        mated = [
            float(np.square(mine.template.vector - upright.template.vector).sum())
            for mine, upright in zip(verified, own, strict=True)
            if not isinstance(mine, EmbeddingError) and not isinstance(upright, EmbeddingError)
        ]
        seen = [result.template.vector for result in verified if not isinstance(result, EmbeddingError)]
        table.add_row(
            f"{degrees:g}°",
            "yes" if mirrored else "no",
            str(sum(not isinstance(result, EmbeddingError) for result in enrolled)),
            str(len(seen)),
            f"{100 * np.mean(np.array(mated) <= threshold):.1f} %" if mated else "",
            f"{1e4 * share_of_matches(seen, threshold):.2f}" if len(seen) > 1 else "",
            ", ".join(f"{code} {count}" for code, count in reasons.most_common()),
        )
    console.print(table)


def first_photos(pictures: Pictures, people: int) -> list[bytes]:
    """The first photograph of each person, of as many people, taken evenly from all."""
    first: dict[str, str] = {}
    for name in sorted(pictures.labelled):
        first.setdefault(pictures.identity[name], name)
    names = sorted(first.values())
    return [
        pictures.read(names[i]) for i in np.linspace(0, len(names) - 1, min(people, len(names)), dtype=int)
    ]


def turned(photo: bytes, degrees: float, mirrored: bool, number: int) -> bytes:
    """The picture turned and saved again; every other one keeps its corners, on grounds of three colours."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    image = ImageOps.mirror(image) if mirrored else image
    ground = GROUNDS[number % len(GROUNDS)]
    image = image.rotate(degrees, Image.Resampling.BICUBIC, expand=bool(number % 2), fillcolor=ground)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    return stream.getvalue()


def share_of_matches(vectors: Sequence[Vectors], threshold: float) -> float:
    """Of all pairs, how many lie within the threshold."""
    gallery = np.stack(vectors)
    matches = sum(within(gallery[:i], gallery[i], threshold) for i in range(1, len(gallery)))
    return 2 * matches / (len(gallery) * (len(gallery) - 1))


def within(gallery: Vectors, probe: Vectors, threshold: float) -> int:
    """How many of the gallery are near enough."""
    return int((np.square(gallery - probe).sum(axis=1) <= threshold).sum())


def main(arguments: Iterable[str]) -> None:
    """Measure on the pictures that are named."""
    paths = [Path(argument) for argument in arguments]
    if len(paths) != 1 or not paths[0].exists():
        sys.exit("Name one folder or archive of photographs: python -m benchmarks.turned DATA")
    measure(Console(width=None if sys.stdout.isatty() else 140), paths[0])


if __name__ == "__main__":
    main(sys.argv[1:])
