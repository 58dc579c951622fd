"""Whose a new template is: refused, warned of, or enrolled with a reason, on both databases."""

from collections.abc import Callable
from math import cos, radians, sin
from uuid import UUID

import pytest
from made_templates import MODEL, OTHER_MODEL, add_subject, open_gallery, template_at

from embedding.template import Template
from index.audit import list_events
from index.database.database import Database
from index.errors import DuplicateIdentity, NotTheSamePerson
from index.gallery.enrolment import EnrolledTemplate, EnrolmentLimits, EnrolmentWarning
from index.gallery.gallery import DuplicateProbe, Gallery
from index.subjects.subjects import Subjects
from index.twins import Twin, twins_of

# Between unit vectors θ apart, d = 2 − 2 cos θ: 20° is 0.12, 36° is 0.38, 52° is 0.77, 60° is exactly 1.
LIMITS = EnrolmentLimits(duplicate=0.2, near=0.5, own=1.0)


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """An empty one."""
    return open_gallery(database)


def turned(degrees: float, model_id: str = MODEL) -> Template:
    """A template so many degrees from the first axis."""
    return template_at(cos(radians(degrees)), sin(radians(degrees)), model_id=model_id)


def enrol(
    gallery: Gallery, subject_id: UUID, degrees: float, force_reason: str | None = None
) -> EnrolledTemplate:
    return gallery.enrol(
        subject_id,
        turned(degrees, gallery.model_id),
        quality={},
        duplicate_threshold=LIMITS.duplicate,
        near_threshold=LIMITS.near,
        own_threshold=LIMITS.own,
        actor="test",
        force_reason=force_reason,
    )


def known_twins(database: Database, *subjects: UUID) -> dict[UUID, list[Twin]]:
    with database.read() as db:
        return twins_of(db, subjects)


@pytest.mark.parametrize("degrees", [20, 59.9])
def test_a_template_near_one_of_the_subjects_own_is_enrolled(
    database: Database, gallery: Gallery, degrees: float
) -> None:
    subject = add_subject(database)
    enrol(gallery, subject, 0)

    assert enrol(gallery, subject, degrees).warnings == ()


def test_a_template_far_from_every_one_of_the_subjects_own_is_refused_with_their_ids(
    database: Database, gallery: Gallery
) -> None:
    subject = add_subject(database)
    own = [enrol(gallery, subject, degrees).id for degrees in (0, 10)]

    with pytest.raises(NotTheSamePerson) as refused:
        enrol(gallery, subject, 71)

    assert refused.value.template_ids == tuple(own)
    assert [one.id for one in gallery.templates_of(subject)] == own


def test_the_nearest_of_the_subjects_own_counts(database: Database, gallery: Gallery) -> None:
    subject = add_subject(database)
    enrol(gallery, subject, 0)
    enrol(gallery, subject, 50)

    assert enrol(gallery, subject, 100).warnings == ()


def test_a_reason_enrols_what_disagrees_and_goes_into_the_audit_chain(
    database: Database, gallery: Gallery
) -> None:
    subject = add_subject(database)
    first = enrol(gallery, subject, 0)

    enrolled = enrol(gallery, subject, 90, "after an operation")

    assert enrolled.warnings == (EnrolmentWarning("disagreement_not_refused"),)
    assert known_twins(database, subject) == {}
    with database.read() as db:
        details = list_events(db, limit=10, action="template.enrolled")[-1].details
    assert (details["forced"], details["reason"]) == (True, "after an operation")
    assert details["disagrees_with"] == [str(first.id)]


def test_templates_of_a_former_model_have_a_say_under_their_own_model(
    database: Database, gallery: Gallery
) -> None:
    subject, former = add_subject(database), open_gallery(database, OTHER_MODEL)
    first = enrol(former, subject, 0)

    def offer(former_degrees: float) -> EnrolledTemplate:
        probe = DuplicateProbe(former, turned(former_degrees, OTHER_MODEL), LIMITS, newer=(MODEL,))
        return gallery.enrol(
            subject,
            turned(0),
            quality={},
            duplicate_threshold=LIMITS.duplicate,
            own_threshold=LIMITS.own,
            actor="test",
            former=[probe],
        )

    with pytest.raises(NotTheSamePerson) as refused:
        offer(90)

    assert refused.value.template_ids == (first.id,)
    assert offer(10).model_id == MODEL


def test_who_is_near_but_no_duplicate_is_named_nearest_first(database: Database, gallery: Gallery) -> None:
    subjects = Subjects(database)
    near = subjects.add(external_id="near", actor="test").id
    nearer = subjects.add(external_id="nearer", actor="test").id
    far = subjects.add(external_id="far", actor="test").id
    for subject, degrees in ((near, -36), (nearer, 30), (far, 80)):
        enrol(gallery, subject, degrees, "made")

    enrolled = enrol(gallery, add_subject(database), 0)

    assert enrolled.warnings == (
        EnrolmentWarning("near_other_subject", nearer, "nearer"),
        EnrolmentWarning("near_other_subject", near, "near"),
    )


def test_a_duplicate_with_a_reason_makes_a_known_pair_of_twins(database: Database, gallery: Gallery) -> None:
    first = Subjects(database).add(external_id="s-1", actor="test").id
    second = Subjects(database).add(external_id="s-2", actor="test").id
    enrol(gallery, first, 0)

    with pytest.raises(DuplicateIdentity):
        enrol(gallery, second, 20)
    assert known_twins(database, first, second) == {}
    enrolled = enrol(gallery, second, 20, "twin sisters")
    enrol(gallery, second, 19, "twin sisters")

    assert enrolled.warnings == (EnrolmentWarning("duplicate_not_refused"),)
    assert known_twins(database, first, second) == {
        first: [Twin(second, "s-2", "twin sisters")],
        second: [Twin(first, "s-1", "twin sisters")],
    }


@pytest.mark.parametrize("undo", ["the template", "the other's last template", "the other subject"])
def test_a_pair_of_twins_is_forgotten_with_what_it_rests_on(
    database: Database, gallery: Gallery, undo: str
) -> None:
    first, second = add_subject(database), add_subject(database)
    own = enrol(gallery, first, 0)
    forced = enrol(gallery, second, 20, "twin sisters")
    undone: dict[str, Callable[[], object]] = {
        "the template": lambda: gallery.remove(second, forced.id, actor="test"),
        "the other's last template": lambda: gallery.remove(first, own.id, actor="test"),
        "the other subject": lambda: gallery.erase(first, actor="test"),
    }

    undone[undo]()

    assert known_twins(database, first, second) == {}
