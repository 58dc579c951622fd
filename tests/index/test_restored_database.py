"""A database that went back in time: nobody is lost, and nobody is taken for somebody else."""

from collections.abc import Callable
from uuid import UUID

import pytest
from made_templates import add_subject, enrol, made_template, open_gallery
from restoring import keep_copy
from sqlalchemy import update

from index.database.database import Database
from index.errors import DuplicateIdentity
from index.gallery.gallery import Gallery
from index.ids import uuid7
from index.tables import TemplateRow

NEAR = 0.1
KEPT, LOST = range(3), range(100, 103)


@pytest.fixture
def galleries(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> list[Gallery]:
    """One gallery as two processes see it."""
    return [open_gallery(database), open_gallery(open_database(database_url))]


def enrol_people(gallery: Gallery, database: Database, people: range) -> dict[int, UUID]:
    subjects = {person: add_subject(database) for person in people}
    for person, subject_id in subjects.items():
        enrol(gallery, subject_id, made_template(person))
    return subjects


def found(gallery: Gallery, person: int, within: list[UUID] | None = None) -> list[UUID]:
    nearest = gallery.nearest(made_template(person), 3, max_d=NEAR, within=within)
    return [one.subject_id for one in nearest]


# Fewer, as many and more than were lost: the newest number is then below, at and above the one that was seen.
@pytest.mark.parametrize("new", [0, 1, 3, 5])
def test_who_was_lost_is_nobody_and_who_came_afterwards_is_found(
    database: Database, galleries: list[Gallery], new: int
) -> None:
    kept = enrol_people(galleries[0], database, KEPT)
    put_back = keep_copy(database)
    lost = enrol_people(galleries[0], database, LOST)
    assert all(found(gallery, person) == [lost[person]] for gallery in galleries for person in LOST)

    put_back()
    later = enrol_people(galleries[0], database, range(200, 200 + new))

    for gallery in galleries:
        assert [person for person in LOST if found(gallery, person)] == []
        for person, subject_id in (kept | later).items():
            assert found(gallery, person) == [subject_id]
            assert found(gallery, person, within=[*kept.values(), *later.values()]) == [subject_id]
        assert len(gallery) == len(KEPT) + new


def test_a_roster_that_was_read_before_is_read_anew(database: Database, galleries: list[Gallery]) -> None:
    ana, ben = add_subject(database), add_subject(database)
    enrol(galleries[0], add_subject(database), made_template(0))
    put_back = keep_copy(database)
    enrol(galleries[0], ana, made_template(1))
    before = [found(gallery, 1, within=[ana, ben]) for gallery in galleries]

    put_back()
    enrol(galleries[0], ben, made_template(1))

    assert before == [[ana], [ana]]
    assert [found(gallery, 1, within=[ana, ben]) for gallery in galleries] == [[ben], [ben]]


def test_a_face_that_came_afterwards_cannot_be_enrolled_for_somebody_else(
    database: Database, galleries: list[Gallery]
) -> None:
    enrol_people(galleries[0], database, KEPT)
    put_back = keep_copy(database)
    enrol_people(galleries[0], database, LOST)
    assert [len(gallery) for gallery in galleries if gallery.catch_up()] == [6, 6]
    put_back()
    enrol_people(galleries[0], database, range(200, 203))

    for gallery in galleries:
        with pytest.raises(DuplicateIdentity):
            enrol(gallery, add_subject(database), made_template(201))
        enrol(gallery, add_subject(database), made_template(101), force_reason="somebody may be twice")


def test_a_removal_that_was_lost_brings_its_template_back(
    database: Database, galleries: list[Gallery]
) -> None:
    ana = add_subject(database)
    enrolled = enrol(galleries[0], ana, made_template(1))
    put_back = keep_copy(database)
    galleries[0].remove(ana, enrolled.id, actor="test")
    assert [found(gallery, 1) for gallery in galleries] == [[], []]

    put_back()

    assert [found(gallery, 1) for gallery in galleries] == [[ana], [ana]]


def test_a_vector_counts_for_no_other_template_that_has_its_number(
    database: Database, galleries: list[Gallery]
) -> None:
    ana, ben = add_subject(database), add_subject(database)
    enrol(galleries[0], ana, made_template(1))
    assert [found(gallery, 1) for gallery in galleries] == [[ana], [ana]]

    with database.write() as db:
        db.execute(update(TemplateRow).values(id=uuid7(), subject_id=ben))

    for gallery in galleries:
        assert found(gallery, 1) == []
        assert found(gallery, 1, within=[ana, ben]) == []


def test_nothing_is_loaded_again_while_the_history_is_the_same(
    database: Database, galleries: list[Gallery]
) -> None:
    for person in range(20):
        enrol_people(galleries[person % 2], database, range(person, person + 1))
        assert all(found(gallery, person) for gallery in galleries)

    assert [gallery.loads for gallery in galleries] == [1, 1]
