"""Bulk enrolment: photos per second from a folder into a database, and what a second run costs.

`python -m benchmarks enrolment`. The limit is the picture's way to a template; the same pictures are embedded
without a database in the same run, so the ratio shows what rows, audit trail and duplicate search take.
"""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from rich.console import Console
from rich.table import Table

from embedding.bundle import SHIPPED
from embedding.embedder import Embedder
from embedding.quality import Purpose
from index.database.database import Database
from service.matching.bulk_enrolment import BATCH, BulkEnrolment, Fate
from service.matching.photo_lists import Photo, list_photos
from service.parts import Parts
from service.settings import Settings

PHOTOS = 400


def run(console: Console) -> None:
    """Measure and print one table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_photos(folder / "photos")
        photos = list_photos(folder / "photos")
        embedder = Embedder.open(SHIPPED)
        embedding_s = seconds_to_embed(embedder, photos)
        title = f"{len(photos)} photos of 640×480 into SQLite"
        table = Table("run", "photos/s", "of embedding alone", "enrolled", "known", "refused", title=title)
        table.add_row("embedding alone", f"{len(photos) / embedding_s:.0f}", "1.00")
        settings = Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]
        Database(settings.database).upgrade()
        parts = Parts.around(settings, embedder)
        for name in ("first", "second"):
            started = time.perf_counter()
            fates = Counter(result.fate for result in BulkEnrolment(parts).run(photos))
            seconds = time.perf_counter() - started
            counts = (str(fates[fate]) for fate in Fate)
            table.add_row(name, f"{len(photos) / seconds:.0f}", f"{embedding_s / seconds:.2f}", *counts)
        parts.close()
    console.print(table)


def seconds_to_embed(embedder: Embedder, photos: list[Photo]) -> float:
    """The time that the pictures take without any database."""
    started = time.perf_counter()
    for start in range(0, len(photos), BATCH):
        pictures = [photo.path.read_bytes() for photo in photos[start : start + BATCH]]
        embedder.embed_many(pictures, Purpose.ENROL)
    return time.perf_counter() - started


def write_photos(folder: Path) -> None:
    """One person's webcam pictures, all different; a folder for one subject."""
    person = folder / "s-1"
    person.mkdir(parents=True)
    for number, picture in enumerate(webcam_pictures(PHOTOS)):
        (person / f"{number:04}.jpg").write_bytes(picture)


def webcam_pictures(count: int) -> Iterable[bytes]:
    """JPEGs of 640×480 with one face, each at another place."""
    portrait = Image.fromarray(skimage.data.astronaut()).resize((480, 480))
    random = np.random.default_rng(0)
    for _ in range(count):
        frame = Image.new("RGB", (640, 480), (120, 120, 120))
        frame.paste(portrait, (int(random.integers(0, 160)), int(random.integers(0, 20))))
        stream = io.BytesIO()
        frame.save(stream, "JPEG", quality=int(random.integers(80, 95)))
        yield stream.getvalue()
