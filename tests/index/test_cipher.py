"""Templates at rest: unreadable without the key, and bound to their row."""

import base64
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest
from made_templates import MODEL, OTHER_MODEL, add_subject, enrol, made_template, open_gallery
from sqlalchemy import select, update

from index.database.database import Database
from index.errors import KeyInvalid, TemplateUnreadable
from index.sealing.cipher import TemplateCipher, build_binding, template_binding
from index.tables import TemplateRow

KEY = bytes(range(32))


def test_a_key_is_read_as_hexadecimal_and_as_base64() -> None:
    texts = [KEY.hex(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode().rstrip("=")]

    assert {TemplateCipher.from_text(f" {text}\n").key_id for text in texts} == {TemplateCipher(KEY).key_id}


@pytest.mark.parametrize(
    "text", ["", "secret", "00" * 31, "zz" * 32, base64.b64encode(KEY[:16]).decode(), "ü" * 44]
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyInvalid) as refused:
        TemplateCipher.from_text(text)

    assert not text or text not in str(refused.value)


def test_what_is_sealed_opens_only_for_its_own_owner_and_unchanged() -> None:
    cipher, template_id, ana, ben = TemplateCipher(KEY), uuid4(), uuid4(), uuid4()
    binding = template_binding(template_id, ana, MODEL)
    sealed, key_id = cipher.seal(binding, b"a vector")

    assert cipher.open(template_id, binding, sealed, key_id) == b"a vector"
    others = [
        template_binding(uuid4(), ana, MODEL),
        template_binding(template_id, ben, MODEL),
        template_binding(template_id, ana, OTHER_MODEL),
        build_binding("crop", template_id, ana),
    ]
    attempts: list[Callable[[], object]] = [
        *(partial(cipher.open, template_id, other, sealed, key_id) for other in others),
        lambda: cipher.open(template_id, binding, sealed[:-1] + bytes([sealed[-1] ^ 1]), key_id),
        lambda: cipher.open(template_id, binding, sealed[:5], key_id),
        lambda: cipher.open(template_id, binding, b"a vector", None),
        lambda: TemplateCipher(KEY[::-1]).open(template_id, binding, sealed, key_id),
    ]
    for attempt in attempts:
        with pytest.raises(TemplateUnreadable):
            attempt()


def test_the_same_vector_is_never_sealed_alike() -> None:
    cipher, binding = TemplateCipher(KEY), template_binding(uuid4(), uuid4(), MODEL)

    assert cipher.seal(binding, b"a vector") != cipher.seal(binding, b"a vector")


def test_an_encrypted_gallery_finds_and_verifies_and_its_rows_show_nothing(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    ana = add_subject(database)

    enrol(gallery, ana, made_template(1))

    late = open_gallery(database, cipher=TemplateCipher(KEY))
    assert late.nearest(made_template(1), 1, max_d=0.1)[0].subject_id == ana
    assert late.distance_to(ana, made_template(1)).d == 0.0
    with database.read() as db:
        stored = db.scalars(select(TemplateRow.vector)).one()
    assert made_template(1).vector.tobytes()[:8] not in stored


def test_a_wrong_or_missing_key_is_named_and_not_taken_for_nobody(database: Database) -> None:
    right = TemplateCipher(KEY)
    gallery = open_gallery(database, cipher=right)
    enrol(gallery, add_subject(database), made_template(1))

    for cipher in (None, TemplateCipher(KEY[::-1])):
        late = open_gallery(database, cipher=cipher)
        with pytest.raises(TemplateUnreadable, match=right.key_id):
            late.catch_up()
        with pytest.raises(TemplateUnreadable):
            late.nearest(made_template(1), 1, max_d=4.0)


def test_a_row_that_was_given_another_ones_bytes_is_unreadable(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    ana, ben = add_subject(database), add_subject(database)
    enrol(gallery, ana, made_template(1))
    enrol(gallery, ben, made_template(2))

    with database.write() as db:
        stolen = db.scalars(select(TemplateRow.vector).where(TemplateRow.subject_id == ana)).one()
        db.execute(update(TemplateRow).where(TemplateRow.subject_id == ben).values(vector=stolen))

    with pytest.raises(TemplateUnreadable):
        gallery.distance_to(ben, made_template(1))


def test_two_people_whose_rows_were_exchanged_are_not_taken_for_each_other(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    ana, ben = add_subject(database), add_subject(database)
    enrol(gallery, ana, made_template(1))
    enrol(gallery, ben, made_template(2))

    with database.write() as db:
        rows = db.scalars(select(TemplateRow).order_by(TemplateRow.number)).all()
        rows[0].subject_id, rows[1].subject_id = ben, ana

    for subject, person in ((ana, 2), (ben, 1)):
        with pytest.raises(TemplateUnreadable, match="owner"):
            gallery.distance_to(subject, made_template(person))
    late = open_gallery(database, cipher=TemplateCipher(KEY))
    assert late.nearest(made_template(1), 2, max_d=4.0) == []
    assert {one.subject_id for one in late.left_out} == {ana, ben}


def test_a_vector_that_nobody_has_sealed_is_no_template_where_there_is_a_key(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    ana = add_subject(database)
    enrol(gallery, ana, made_template(1))

    with database.write() as db:
        db.execute(update(TemplateRow).values(vector=made_template(2).vector.tobytes(), key_id=None))

    with pytest.raises(TemplateUnreadable, match="from-before"):
        gallery.distance_to(ana, made_template(2))
    with pytest.raises(TemplateUnreadable, match="from-before"):
        open_gallery(database, cipher=TemplateCipher(KEY)).catch_up()
