"""The gallery: search by size, a roster of 300, start with 100,000 templates, memory, enrolled until found.

`python -m benchmarks gallery`. Vectors are made (128 numbers of unit length), rows and index are real ones.
A search of n templates has to read n × 512 bytes, so the limit beside it is these bytes at the speed at which
this machine, in the same run, adds up as many numbers with one core.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from embedding.template import Template
from index.database.database import Database
from index.gallery.codec import VectorCodec
from index.gallery.gallery import Gallery
from index.ids import uuid7
from index.models.models import Models
from index.sealing.cipher import TemplateCipher, template_binding
from index.subjects.subjects import Subjects
from index.tables import GalleryChangeRow, SubjectRow, TemplateRow

DIM = 128
MODEL = "sha256:" + "a" * 64
SIZES = (1_000, 10_000, 100_000)
ROSTER = 300
SEARCHES = 300
ENROLMENTS = 50
MAX_D = 0.5
KEY = bytes(32)


def run(console: Console) -> None:
    """Measure everything on one SQLite database per size and print one table."""
    table = Table("what", "p50", "p99", "limit", "p50 / limit", title="gallery of made templates, SQLite")
    for size in SIZES:
        with made_database(size) as (database, people):
            gallery = open_gallery(database)
            measure_search(table, gallery, size)
            if size == SIZES[-1]:
                measure_roster(table, gallery, people[:ROSTER])
                measure_verification(table, gallery, people)
                measure_enrolment(table, database, gallery)
                measure_start(table, str(database.engine.url), size, None)
    with made_database(SIZES[-1], TemplateCipher(KEY)) as (database, _):
        measure_start(table, str(database.engine.url), SIZES[-1], KEY)
    console.print(table)


def measure_search(table: Table, gallery: Gallery, size: int) -> None:
    """The nearest five people in the whole gallery."""
    vectors = made_vectors(size)
    times = timed(lambda i: gallery.nearest(probe(vectors, i * 7919), 5, max_d=MAX_D))
    add_row(table, f"search in {size:,}", times, reading_ms(vectors), "read once")


def measure_roster(table: Table, gallery: Gallery, roster: list[UUID]) -> None:
    """The nearest of a roster within the largest gallery."""
    vectors, within = made_vectors(SIZES[-1]), frozenset(roster)
    times = timed(lambda i: gallery.nearest(probe(vectors, i), 3, max_d=MAX_D, within=within))
    add_row(
        table,
        f"roster of {len(roster)} in {SIZES[-1]:,}",
        times,
        reading_ms(vectors[: len(roster)]),
        "read once",
    )


def measure_verification(table: Table, gallery: Gallery, people: list[UUID]) -> None:
    """One subject's templates, from the rows."""
    vectors = made_vectors(SIZES[-1])
    times = timed(lambda i: gallery.distance_to(people[i], probe(vectors, i)))
    add_row(table, f"verify one of {SIZES[-1]:,}", times, None, "one query")


def measure_enrolment(table: Table, database: Database, gallery: Gallery) -> None:
    """From the call of enrol to the answer of a search that finds it, here and in another process."""
    subject_id = Subjects(database).add(actor="benchmark").id
    new = made_vectors(2 * ENROLMENTS, seed=1)

    def enrol(i: int) -> Template:
        template = Template(new[i], MODEL)
        gallery.enrol(subject_id, template, quality={}, duplicate_threshold=MAX_D, actor="benchmark")
        return template

    def here(i: int) -> None:
        assert gallery.nearest(enrol(i), 1, max_d=MAX_D)

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=answer_searches, args=(str(database.engine.url), theirs))
    other.start()
    ours.recv()

    def there(i: int) -> None:
        ours.send(enrol(ENROLMENTS + i).vector)
        assert ours.recv()

    add_row(table, "enrolled → found, same process", timed(here, ENROLMENTS), 20.0, "asked: 20 ms")
    add_row(table, "enrolled → found, other process", timed(there, ENROLMENTS), 1000.0, "asked: 1 s")
    ours.send(None)
    other.join()


def answer_searches(url: str, pipe: Connection) -> None:
    """Another process: search for each vector that comes, tell whether anybody was found."""
    gallery = open_gallery(Database(url))
    pipe.send("ready")
    while (vector := pipe.recv()) is not None:
        pipe.send(bool(gallery.nearest(Template(vector, MODEL), 1, max_d=MAX_D)))


def measure_start(table: Table, url: str, size: int, key: bytes | None) -> None:
    """A new process: from an open database to the first search, and the memory it then has."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=start, args=(url, key, theirs))
    process.start()
    seconds, before_bytes, after_bytes = ours.recv()
    process.join()
    how = "encrypted" if key else "plain"
    table.add_row(f"start with {size:,}, {how}", f"{seconds:.2f} s", "", "asked: 3 s", f"{seconds / 3:.2f}")
    grown, least = (after_bytes - before_bytes) / 1e6, size * DIM * 4 / 1e6
    table.add_row(
        f"memory of {size:,}, {how}",
        f"{grown:.0f} MB",
        "",
        f"vectors: {least:.0f} MB",
        f"{grown / least:.2f}",
    )
    table.add_row(f"whole process, {how}", f"{after_bytes / 1e6:.0f} MB", "", "asked: 500 MB", "")


def start(url: str, key: bytes | None, pipe: Connection) -> None:
    """What `measure_start` measures, in a process of its own: seconds, peak bytes before and after."""
    database, cipher = Database(url), TemplateCipher(key) if key else None
    database.revision()
    before = peak_bytes()
    started = time.perf_counter()
    open_gallery(database, cipher)
    pipe.send((time.perf_counter() - started, before, peak_bytes()))


def peak_bytes() -> int:
    """The most memory that this process has had. `getrusage` would count its parent's before it, too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def made_database(size: int, cipher: TemplateCipher | None = None) -> Iterator[tuple[Database, list[UUID]]]:
    """A database with one made template for each of so many people."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/invigil.db")
        database.upgrade()
        Models(database).register(MODEL, name="made", dim=DIM, actor="benchmark")
        people = [uuid7() for _ in range(size)]
        fill(database, people, VectorCodec(cipher, DIM))
        yield database, people
        database.close()


def fill(database: Database, people: list[UUID], codec: VectorCodec) -> None:
    """Write the rows in bulk; enrolling one after the other would take the benchmark's whole time."""
    vectors, ids = made_vectors(len(people)), [uuid7() for _ in people]
    encoded = [
        codec.encode(template_binding(new_id, subject_id, MODEL), vector)
        for new_id, subject_id, vector in zip(ids, people, vectors, strict=True)
    ]
    numbers = range(1, len(people) + 1)
    with database.write() as db:
        db.execute(insert(SubjectRow), [{"id": subject_id} for subject_id in people])
        db.execute(
            insert(TemplateRow),
            [
                {
                    "number": n,
                    "id": i,
                    "subject_id": s,
                    "model_id": MODEL,
                    "vector": v,
                    "key_id": k,
                    "quality": {},
                }
                for n, i, s, (v, k) in zip(numbers, ids, people, encoded, strict=True)
            ],
        )
        db.execute(
            insert(GalleryChangeRow),
            [{"kind": "added", "template_number": n, "model_id": MODEL} for n in numbers],
        )


def open_gallery(database: Database, cipher: TemplateCipher | None = None) -> Gallery:
    """A gallery that has read all rows."""
    gallery = Gallery(database, model_id=MODEL, dim=DIM, cipher=cipher)
    gallery.catch_up()
    return gallery


def made_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    """The first so many of an endless row of made vectors."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def probe(vectors: NDArray[np.float32], number: int) -> Template:
    """A template that is enrolled."""
    return Template(vectors[number % len(vectors)], MODEL)


def reading_ms(vectors: NDArray[np.float32]) -> float:
    """How long this machine needs to read the vectors once with one core: the quickest of some sums."""
    return min(timed(lambda _: vectors.sum(), 20))


def timed(call: Callable[[int], object], count: int = SEARCHES) -> list[float]:
    """Milliseconds of each call, after one that does not count."""
    call(0)
    times = []
    for i in range(count):
        started = time.perf_counter()
        call(i)
        times.append((time.perf_counter() - started) * 1000)
    return times


def add_row(table: Table, what: str, times: list[float], limit_ms: float | None, limit: str) -> None:
    """One line: the middle and the slow end, beside the limit."""
    p50, p99 = np.percentile(times, [50, 99])
    beside = "" if limit_ms is None else f"{limit_ms:.3g} ms, "
    ratio = "" if limit_ms is None else f"{p50 / limit_ms:.2f}"
    table.add_row(what, f"{p50:.2f} ms", f"{p99:.2f} ms", beside + limit, ratio)
