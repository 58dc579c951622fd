"""Make another model's templates of enrolled faces, from their kept crops.

Finished work is identified by crop and model, so an interrupted run continues where it stopped, and two runs
at once do the work once. Enrolments continue meanwhile: each batch is embedded first and then written in a
moment.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from embedding.embedder import Embedder
from embedding.image import ImageLimits, decode
from embedding.template import Vector
from index import audit
from index.crops import Crops, StoredCrop, count_without_template_of
from index.database.database import Database
from index.gallery.codec import VectorCodec
from index.gallery.coverage import find_subjects_lacking
from index.gallery.enrolment import insert_template
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher, template_binding
from index.tables import TemplateRow

ACTOR = "re-embedding"
BATCH = 32


@dataclass(frozen=True)
class Reembedding:
    """The result of one run.

    Attributes:
        made: Number of new templates.
        left: Number of crops still without a template: the run was stopped, or the key does not open them.
        without_template: Subjects with templates of other models only, and no kept crop.
    """

    made: int
    left: int
    without_template: list[UUID]


def reembed(
    database: Database,
    embedder: Embedder,
    cipher: TemplateCipher | None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Reembedding:
    """Make this model's template of every kept crop that has none.

    Args:
        database: With the model registered.
        embedder: The embedder of the model whose templates are made.
        cipher: Opens the crops and seals the templates; without one there are no crops.
        progress: Called after each batch with the number of crops done and the total.
        stop: Called before each batch; True ends the run and keeps the work done.

    Raises:
        DatabaseError: If the database fails; the same call continues from there later.
    """
    model_id = embedder.model_id
    with database.read() as db:
        total = count_without_template_of(db, model_id)
    made = done = 0
    for crops in batches_of(find_crops_to_embed(database, cipher, model_id)):
        if stop():
            break
        vectors = embed_crops(embedder, crops)
        with database.write() as db:
            made += write_templates(db, model_id, cipher, crops, vectors)
        done += len(crops)
        progress(done, max(total, done))
    with database.read() as db:
        left = count_without_template_of(db, model_id)
        return Reembedding(made, left, find_subjects_lacking(db, model_id))


def find_crops_to_embed(
    database: Database, cipher: TemplateCipher | None, model_id: str
) -> Iterator[StoredCrop]:
    """The crops without a template of this model; none if there is no key."""
    return Crops(database, cipher).open_unembedded(model_id) if cipher else iter(())


def batches_of(crops: Iterator[StoredCrop]) -> Iterator[tuple[StoredCrop, ...]]:
    """Group the crops into batches for the network and the database."""
    while batch := tuple(islice(crops, BATCH)):
        yield batch


def embed_crops(embedder: Embedder, crops: Sequence[StoredCrop]) -> Vector:
    """(n, dim) vectors of n crops."""
    if not crops:
        return np.empty((0, embedder.dim), np.float32)
    return embedder.embed_crops(np.stack([decode(crop.picture, ImageLimits()) for crop in crops]))


def write_templates(
    db: Session,
    model_id: str,
    cipher: TemplateCipher | None,
    crops: Iterable[StoredCrop],
    vectors: Vector,
) -> int:
    """Write those templates that are still missing; returns how many.

    A crop may have been removed meanwhile: people who were erased must not come back.
    """
    codec, made = VectorCodec(cipher, vectors.shape[1]), 0
    for crop, vector in zip(crops, vectors, strict=True):
        # Without their vectors, which the worker's database role may not read (index/roles.py).
        columns = TemplateRow.model_id, TemplateRow.quality, TemplateRow.source_digest
        siblings = db.execute(select(*columns).where(TemplateRow.crop_id == crop.id)).all()
        if not siblings or any(sibling.model_id == model_id for sibling in siblings):
            continue
        template_id = uuid7()
        binding = template_binding(template_id, crop.subject_id, model_id)
        sealed, key_id = codec.encode(binding, vector)
        insert_template(
            db,
            TemplateRow(
                id=template_id,
                subject_id=crop.subject_id,
                model_id=model_id,
                vector=sealed,
                key_id=key_id,
                quality=siblings[0].quality,
                source_digest=siblings[0].source_digest,
                crop_id=crop.id,
            ),
        )
        made += 1
    if made:
        details = {"model_id": model_id, "templates": made}
        audit.record(db, action="templates.reembedded", actor=ACTOR, details=details)
    return made
