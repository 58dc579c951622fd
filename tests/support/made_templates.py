"""Templates made of numbers, for tests that ask about the gallery and not about faces."""

from collections.abc import Mapping
from uuid import UUID

import numpy as np

from embedding.template import Template
from index.database.database import Database
from index.gallery.gallery import EnrolledTemplate, Gallery
from index.models.models import Models
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects

DIM = 32
MODEL = "sha256:" + "a" * 64
OTHER_MODEL = "sha256:" + "b" * 64

# Far below the distance of two made people (about 2), far above that of two samples of one (about 0.02).
DUPLICATE_D = 0.2


def made_template(person: int, sample: int = 0, *, model_id: str = MODEL) -> Template:
    """One of the templates of a made person; the same numbers give the same template everywhere."""
    vector = np.random.default_rng(person).standard_normal(DIM)
    if sample:
        vector += 0.1 * np.random.default_rng((person, sample)).standard_normal(DIM)
    return Template((vector / np.linalg.norm(vector)).astype(np.float32), model_id)


def template_at(*values: float, model_id: str = MODEL) -> Template:
    """The unit template in this direction; the values that are left out are zero."""
    vector = np.zeros(DIM, np.float32)
    vector[: len(values)] = values
    return Template(vector / np.linalg.norm(vector), model_id)


def open_gallery(database: Database, model_id: str = MODEL, cipher: TemplateCipher | None = None) -> Gallery:
    """A gallery whose model is registered."""
    Models(database).register(model_id, name="made", dim=DIM, actor="test")
    return Gallery(database, model_id=model_id, dim=DIM, cipher=cipher)


def add_subject(database: Database) -> UUID:
    """Somebody without a name."""
    return Subjects(database).add(actor="test").id


def enrol(
    gallery: Gallery,
    subject_id: UUID,
    template: Template,
    *,
    template_id: UUID | None = None,
    force_reason: str | None = None,
    quality: Mapping[str, float] | None = None,
) -> EnrolledTemplate:
    """Enrol with the settings that most tests do not care about."""
    return gallery.enrol(
        subject_id,
        template,
        quality=quality or {"sharpness": 0.9},
        duplicate_threshold=DUPLICATE_D,
        actor="test",
        template_id=template_id,
        force_reason=force_reason,
    )
