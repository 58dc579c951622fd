"""The gallery: what is enrolled is found, what is removed is not, whoever asks."""

from collections.abc import Callable
from uuid import UUID, uuid4

import numpy as np
import pytest

from embedding.template import Template
from index import audit
from index.cipher import TemplateCipher
from index.database import Database
from index.errors import (
    DuplicateIdentity,
    ModelNotFound,
    NoTemplate,
    SubjectNotFound,
    TemplateNotFound,
    TemplateUnreadable,
    WrongModel,
)
from index.gallery import EnrolledTemplate, Gallery
from index.ids import uuid7
from index.models import Models
from index.subjects import Subjects
from index.tables import TemplateRow

DIM = 8
MODEL = "sha256:" + "a" * 64
OTHER_MODEL = "sha256:" + "b" * 64
DUPLICATE_D = 0.05


def template(*values: float, model_id: str = MODEL) -> Template:
    vector = np.zeros(DIM, np.float32)
    vector[: len(values)] = values
    return Template(vector / np.linalg.norm(vector), model_id)


def open_gallery(database: Database, model_id: str = MODEL, cipher: TemplateCipher | None = None) -> Gallery:
    Models(database).register(model_id, name="made", dim=DIM, actor="test")
    return Gallery(database, model_id=model_id, dim=DIM, cipher=cipher)


@pytest.fixture
def gallery(database: Database) -> Gallery:
    return open_gallery(database)


@pytest.fixture
def new_subject(database: Database) -> Callable[[], UUID]:
    return lambda: Subjects(database).add(actor="test").id


def enrol(gallery: Gallery, subject_id: UUID, one: Template, **options: object) -> EnrolledTemplate:
    settings = {"quality": {"sharpness": 0.9}, "duplicate_threshold": DUPLICATE_D, "actor": "test", **options}
    return gallery.enrol(subject_id, one, **settings)  # type: ignore[arg-type]


def test_an_enrolled_template_is_found_with_its_exact_distance(
    gallery: Gallery, new_subject: Callable[[], UUID]
) -> None:
    ana = new_subject()
    enrolled = enrol(gallery, ana, template(3, 4))

    found = gallery.nearest(template(1, 0), 5, max_d=2.0)

    assert [(one.subject_id, one.template_id) for one in found] == [(ana, enrolled.id)]
    assert found[0].d == pytest.approx(2 - 2 * 0.6, abs=1e-6)
    assert found[0] == gallery.distance_to(ana, template(1, 0))
