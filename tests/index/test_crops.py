"""Kept crops: encrypted, written with their template, gone with the person, the picture or the time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fixtures_service import Service
from made_templates import MODEL, OTHER_MODEL, add_subject, made_template, open_gallery
from sqlalchemy import func, select, update

from embedding.image import ImageLimits, decode, encode_png
from embedding.template import Template
from index.crops import Crops, NewCrop, permits_training, purge_crops
from index.database.database import Database
from index.errors import DuplicateIdentity
from index.gallery.gallery import Gallery
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.tables import CropRow, TemplateRow, utc_now
from service.template_keys import TemplateKeys

KEY = "ab" * 32
PICTURE = encode_png(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def cipher() -> TemplateCipher:
    return TemplateCipher.from_text(KEY)


@pytest.fixture
def gallery(database: Database, cipher: TemplateCipher) -> Gallery:
    return open_gallery(database, cipher=cipher)


def enrol(gallery: Gallery, subject: Any, person: int = 1, days: int = 30, picture: bytes = PICTURE) -> Any:
    return gallery.enrol(
        subject,
        made_template(person),
        quality={},
        duplicate_threshold=0.2,
        actor="test",
        crop=NewCrop(picture, days),
    )


def rows(database: Database) -> tuple[int, int]:
    """How many templates and crops there are."""
    with database.read() as db:
        return (
            db.scalar(select(func.count()).select_from(TemplateRow)) or 0,
            db.scalar(select(func.count()).select_from(CropRow)) or 0,
        )


def test_a_png_gives_every_pixel_back() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)

    assert np.array_equal(decode(encode_png(pixels), ImageLimits()), pixels)


def test_a_crop_is_kept_encrypted_and_opens_again(
    database: Database, gallery: Gallery, cipher: TemplateCipher
) -> None:
    subject = add_subject(database)
    enrol(gallery, subject)

    with database.read() as db:
        row = db.scalars(select(CropRow)).one()

    assert PICTURE[:50] not in row.picture
    found = list(Crops(database, cipher).open_unembedded(OTHER_MODEL))
    assert [(one.subject_id, one.picture) for one in found] == [(subject, PICTURE)]
    assert list(Crops(database, cipher).open_unembedded(MODEL)) == []


def test_a_refused_enrolment_leaves_no_crop(database: Database, gallery: Gallery) -> None:
    enrol(gallery, add_subject(database))

    with pytest.raises(DuplicateIdentity):
        enrol(gallery, add_subject(database))

    assert rows(database) == (1, 1)


def test_a_crop_without_a_key_is_never_kept(database: Database) -> None:
    gallery = open_gallery(database)

    with pytest.raises(ValueError, match="key"):
        enrol(gallery, add_subject(database))

    assert rows(database) == (0, 0)


def test_a_removed_template_takes_its_crop_and_what_another_model_made_of_it(
    database: Database, gallery: Gallery, cipher: TemplateCipher
) -> None:
    subject = add_subject(database)
    template = enrol(gallery, subject)
    other = open_gallery(database, OTHER_MODEL, cipher)
    with database.write() as db:
        crop_id = db.scalars(select(CropRow.id)).one()
    other.enrol(
        subject, made_template(1, model_id=OTHER_MODEL), quality={}, duplicate_threshold=0.2, actor="test"
    )
    with database.write() as db:
        db.execute(update(TemplateRow).values(crop_id=crop_id))

    gallery.remove(subject, template.id, actor="test")

    assert rows(database) == (0, 0)
    assert other.nearest(made_template(1, model_id=OTHER_MODEL), 1, max_d=0.1) == []
    assert (len(gallery), other.catch_up() and len(other)) == (0, 0)


def test_an_erasure_counts_the_crops_it_takes(database: Database, gallery: Gallery) -> None:
    subject = add_subject(database)
    enrol(gallery, subject)

    receipt = gallery.erase(subject, actor="test")

    assert (receipt.templates, receipt.crops) == (1, 1)
    assert rows(database) == (0, 0)


def test_a_crop_whose_time_is_over_goes_and_its_template_stays(
    database: Database, gallery: Gallery, cipher: TemplateCipher
) -> None:
    for person, days in ((1, 1), (2, 30)):
        enrol(gallery, add_subject(database), person, days)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with database.write() as db:
        first = db.scalars(select(CropRow).order_by(CropRow.id)).first()
        assert first is not None
        first.expires_at = yesterday

    # What is over is not used even before it is removed.
    assert len(list(Crops(database, cipher).open_unembedded(OTHER_MODEL))) == 1
    assert purge_crops(database, until=utc_now(), actor="retention") == 1
    assert rows(database) == (2, 1)
    assert gallery.nearest(made_template(1), 1, max_d=0.1) != []


def test_many_crops_come_in_blocks_and_each_once(
    database: Database, gallery: Gallery, cipher: TemplateCipher
) -> None:
    subject = add_subject(database)
    for person in range(130):
        enrol(gallery, subject, person)

    found = [one.id for one in Crops(database, cipher).open_unembedded(OTHER_MODEL)]

    assert len(found) == len(set(found)) == 130


def test_only_crops_of_people_with_a_basis_for_training_are_trained_on(
    database: Database, gallery: Gallery, cipher: TemplateCipher
) -> None:
    basis = {"basis": "consent", "reference": "form 7", "training": True}
    allowed = Subjects(database).add(actor="test", legal_basis=basis).id
    silent = Subjects(database).add(actor="test", legal_basis={**basis, "training": False}).id
    enrol(gallery, allowed, 1)
    enrol(gallery, silent, 2)

    found = list(Crops(database, cipher).open_trainable())

    assert [(subject, picture) for subject, _, picture in found] == [(allowed, PICTURE)]


@pytest.mark.parametrize(
    ("changes", "permitted"),
    [
        ({}, True),
        ({"training": None}, False),
        ({"training": "yes"}, False),
        ({"reference": None}, False),
        ({"basis": ""}, False),
        ({"expires_at": "2025-12-31T23:59:59+00:00"}, False),
        ({"expires_at": "2026-01-01T00:00:01+00:00"}, True),
    ],
)
def test_a_basis_for_training_has_a_ground_a_reference_and_time_left(
    changes: dict[str, Any], permitted: bool
) -> None:
    basis = {"basis": "consent", "reference": "form 7", "training": True, **changes}

    assert permits_training(basis, NOW) is permitted


def test_crops_are_kept_under_the_key_that_the_start_made(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(store_crops=True)
    service.enrolled(astronaut_jpeg)

    cipher = TemplateKeys(service.parts.settings).cipher()
    assert cipher is not None
    assert len(list(Crops(service.parts.database, cipher).open_unembedded("sha256:other"))) == 1


@pytest.fixture
def keeping(start_service: Callable[..., Service]) -> Service:
    return start_service(store_crops=True, template_key=KEY)


def test_an_enrolment_over_http_keeps_what_the_network_saw(keeping: Service, astronaut_jpeg: bytes) -> None:
    keeping.enrolled(astronaut_jpeg)

    embedder = keeping.parts.embedder
    found = list(Crops(keeping.parts.database, TemplateCipher.from_text(KEY)).open_unembedded("sha256:other"))
    crop = decode(found[0].picture, ImageLimits())
    again = embedder.embed_crops(crop[None])
    assert crop.shape == (112, 112, 3)
    assert len(keeping.parts.gallery.nearest(template_of(keeping, again[0]), 1, max_d=1e-6)) == 1


def template_of(service: Service, vector: Any) -> Any:
    return Template(vector, service.parts.embedder.model_id)


def test_by_default_no_crop_is_kept(service: Service, astronaut_jpeg: bytes) -> None:
    service.enrolled(astronaut_jpeg)

    assert rows(service.parts.database) == (1, 0)
