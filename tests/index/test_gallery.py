"""The gallery: what is enrolled is found, what is removed is not, whoever asks."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from uuid import UUID

import pytest
from made_templates import (
    DIM,
    MODEL,
    OTHER_MODEL,
    add_subject,
    enrol,
    made_template,
    open_gallery,
    template_at,
)

from embedding.errors import ModelMismatch
from embedding.template import distance
from index import audit
from index.database.database import Database
from index.errors import (
    DuplicateIdentity,
    ModelNotFound,
    NoTemplate,
    SubjectNotFound,
    TemplateNotFound,
)
from index.gallery.gallery import Gallery
from index.ids import uuid7
from index.subjects.subjects import Subjects


@pytest.fixture
def gallery(database: Database) -> Gallery:
    return open_gallery(database)


@pytest.fixture
def other_process(database: Database, database_url: str, open_database: Callable[[str], Database]) -> Gallery:
    """The same gallery seen through connections and vectors of its own, as another process sees it."""
    return open_gallery(open_database(database_url))


def test_an_enrolled_template_is_found_with_its_exact_distance(database: Database, gallery: Gallery) -> None:
    ana = add_subject(database)
    enrolled = enrol(gallery, ana, template_at(3, 4))

    found = gallery.nearest(template_at(1), 5, max_d=2.0)

    assert [(one.subject_id, one.template_id) for one in found] == [(ana, enrolled.id)]
    assert found[0].d == pytest.approx(2 - 2 * 0.6, abs=1e-6)
    assert found[0] == gallery.distance_to(ana, template_at(1))


def test_of_several_templates_the_nearest_speaks_for_the_subject(
    database: Database, gallery: Gallery
) -> None:
    ana = add_subject(database)
    enrol(gallery, ana, template_at(0, 1))
    near = enrol(gallery, ana, template_at(4, 3))
    enrol(gallery, ana, template_at(3, 4))

    verified = gallery.distance_to(ana, template_at(1))
    found = gallery.nearest(template_at(1), 3, max_d=4.0)

    assert verified.template_id == near.id
    assert verified.d == pytest.approx(2 - 2 * 0.8, abs=1e-6)
    assert found == [verified]


def test_k_counts_people_however_many_templates_the_nearest_has(database: Database, gallery: Gallery) -> None:
    ana, ben = add_subject(database), add_subject(database)
    for sample in range(1, 41):
        enrol(gallery, ana, made_template(1, sample))
    enrol(gallery, ben, made_template(2))

    found = gallery.nearest(made_template(1), 2, max_d=4.0)

    assert [one.subject_id for one in found] == [ana, ben]


def test_nobody_is_found_when_nobody_is_near_enough(database: Database, gallery: Gallery) -> None:
    enrol(gallery, add_subject(database), template_at(3, 4))

    assert gallery.nearest(template_at(1), 5, max_d=0.79) == []
    assert gallery.nearest(template_at(1), 5, max_d=0.81) != []


def test_an_empty_gallery_finds_nobody(gallery: Gallery) -> None:
    assert gallery.nearest(made_template(1), 5, max_d=4.0) == []
    assert gallery.catch_up() == 0


def test_a_removed_template_is_never_found_again(
    database: Database, gallery: Gallery, other_process: Gallery
) -> None:
    ana = add_subject(database)
    enrolled = enrol(gallery, ana, made_template(1))
    assert other_process.nearest(made_template(1), 1, max_d=1.0)

    gallery.remove(ana, enrolled.id, actor="test")

    for one in (gallery, other_process):
        assert one.nearest(made_template(1), 1, max_d=1.0) == []
        assert one.nearest(made_template(1), 1, max_d=1.0, within={ana}) == []
        assert len(one) == 0
        with pytest.raises(NoTemplate):
            one.distance_to(ana, made_template(1))
    with pytest.raises(TemplateNotFound):
        gallery.remove(ana, enrolled.id, actor="test")


def test_what_one_process_enrols_the_other_finds_at_once(
    database: Database, gallery: Gallery, other_process: Gallery
) -> None:
    other_process.catch_up()
    ana = add_subject(database)

    enrol(gallery, ana, made_template(1))

    assert other_process.nearest(made_template(1), 1, max_d=1.0)[0].subject_id == ana


def test_a_gallery_that_starts_late_reads_all_rows(database: Database, gallery: Gallery) -> None:
    people = {person: add_subject(database) for person in range(20)}
    for person, subject_id in people.items():
        enrol(gallery, subject_id, made_template(person))
    gallery.erase(people.pop(7), actor="test")

    late = open_gallery(database)
    late.catch_up()

    assert len(late) == 19
    assert {late.nearest(made_template(p), 1, max_d=0.1)[0].subject_id for p in people} == set(
        people.values()
    )


def test_a_template_of_another_model_is_refused_everywhere(database: Database, gallery: Gallery) -> None:
    ana = add_subject(database)
    foreign = made_template(1, model_id=OTHER_MODEL)

    for attempt in (
        lambda: enrol(gallery, ana, foreign),
        lambda: gallery.nearest(foreign, 1, max_d=4.0),
        lambda: gallery.distance_to(ana, foreign),
    ):
        with pytest.raises(ModelMismatch) as refused:
            attempt()
        assert (refused.value.expected, refused.value.actual) == (MODEL, OTHER_MODEL)
    assert gallery.templates_of(ana) == []


def test_two_models_live_side_by_side_and_are_never_compared(database: Database, gallery: Gallery) -> None:
    other = open_gallery(database, OTHER_MODEL)
    ana, ben = add_subject(database), add_subject(database)
    enrol(gallery, ana, made_template(1))
    enrol(other, ben, made_template(1, model_id=OTHER_MODEL))

    assert [one.subject_id for one in gallery.nearest(made_template(1), 5, max_d=4.0)] == [ana]
    assert [
        one.subject_id for one in other.nearest(made_template(1, model_id=OTHER_MODEL), 5, max_d=4.0)
    ] == [ben]
    with pytest.raises(ModelMismatch):
        gallery.distance_to(ben, made_template(1))


def test_a_model_that_was_never_registered_takes_no_templates(database: Database) -> None:
    gallery = Gallery(database, model_id=MODEL, dim=DIM)

    with pytest.raises(ModelNotFound):
        enrol(gallery, add_subject(database), made_template(1))


def test_nobody_can_be_enrolled_or_verified_who_is_not_known(gallery: Gallery) -> None:
    stranger = uuid7()

    with pytest.raises(SubjectNotFound):
        enrol(gallery, stranger, made_template(1))
    with pytest.raises(SubjectNotFound):
        gallery.distance_to(stranger, made_template(1))
    with pytest.raises(SubjectNotFound):
        gallery.erase(stranger, actor="test")


def test_a_subject_without_templates_has_no_distance(database: Database, gallery: Gallery) -> None:
    with pytest.raises(NoTemplate):
        gallery.distance_to(add_subject(database), made_template(1))


def test_the_same_face_under_another_subject_is_refused_and_named(
    database: Database, gallery: Gallery, other_process: Gallery
) -> None:
    ana = Subjects(database).add(external_id="ana", actor="test").id
    ben = add_subject(database)
    enrol(gallery, ana, made_template(1))

    with pytest.raises(DuplicateIdentity) as refused:
        enrol(other_process, ben, made_template(1, sample=1))

    assert (refused.value.subject_id, refused.value.external_id) == (ana, "ana")
    assert refused.value.d == distance(made_template(1), made_template(1, sample=1))
    assert gallery.templates_of(ben) == []
    assert enrol(gallery, ana, made_template(1, sample=2))


def test_a_twin_may_be_enrolled_for_a_reason_that_is_kept(database: Database, gallery: Gallery) -> None:
    ana, ben = add_subject(database), add_subject(database)
    enrol(gallery, ana, made_template(1))

    enrol(gallery, ben, made_template(1, sample=1), force_reason="identical twins, papers seen")

    with database.read() as db:
        last = audit.list_events(db, limit=100, subject_id=ben, action="template.enrolled")[-1]
    assert last.details["reason"] == "identical twins, papers seen"
    assert last.details["duplicate_of"] == str(ana)


def test_the_same_template_id_is_enrolled_once(database: Database, gallery: Gallery) -> None:
    ana, template_id = add_subject(database), uuid7()

    first = enrol(gallery, ana, made_template(1), template_id=template_id)
    again = enrol(gallery, ana, made_template(1), template_id=template_id)

    assert first == again
    assert gallery.templates_of(ana) == [first]
    with pytest.raises(ValueError, match="another subject"):
        enrol(gallery, add_subject(database), made_template(2), template_id=template_id)


def test_a_search_within_a_roster_sees_nobody_else(database: Database, gallery: Gallery) -> None:
    people = [add_subject(database) for _ in range(12)]
    for person, subject_id in enumerate(people):
        enrol(gallery, subject_id, made_template(person))
    roster = people[3:9]

    found = gallery.nearest(made_template(0), 3, max_d=4.0, within=roster)

    expected = sorted((distance(made_template(0), made_template(p)), people[p]) for p in range(3, 9))[:3]
    assert [one.subject_id for one in found] == [subject_id for _, subject_id in expected]
    assert [one.d for one in found] == pytest.approx([d for d, _ in expected])
    assert gallery.nearest(made_template(0), 3, max_d=4.0, within=[]) == []


def test_look_alikes_inside_a_roster_are_named_once_with_their_smallest_distance(
    database: Database, gallery: Gallery
) -> None:
    samples = {add_subject(database): [(p % 5, p + 1), (p % 5, p + 101)] for p in range(11)}
    for subject_id, made in samples.items():
        for person, sample in made:
            enrol(gallery, subject_id, made_template(person, sample), force_reason="made twins")
    roster = list(samples)[:-1]

    pairs = gallery.find_close_pairs(roster, max_d=0.3)

    expected: dict[tuple[UUID, UUID], float] = {}
    for a, b in combinations(sorted(roster), 2):
        smallest = min(distance(made_template(*x), made_template(*y)) for x in samples[a] for y in samples[b])
        if smallest <= 0.3:
            expected[a, b] = smallest
    assert len(expected) == 5
    assert {(a, b): pytest.approx(d) for a, b, d in pairs} == expected
    assert [d for _, _, d in pairs] == sorted(d for _, _, d in pairs)


def test_no_byte_of_an_erased_template_is_left_in_the_files(
    sqlite_url: str, open_database: Callable[[str], Database], tmp_path: Path
) -> None:
    database = open_database(sqlite_url)
    gallery = open_gallery(database)
    ana = Subjects(database).add(display_name="Ana Lovelace", actor="test").id
    enrol(gallery, ana, made_template(1))
    traces = (made_template(1).vector.tobytes()[:32], b"Ana Lovelace")

    def found() -> list[bool]:
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        return [trace in files for trace in traces]

    before = found()
    gallery.erase(ana, actor="test")

    assert before == [True, True]
    assert found() == [False, False]


def test_an_erased_subject_is_gone_with_everything(
    database: Database, gallery: Gallery, other_process: Gallery
) -> None:
    ana = Subjects(database).add(external_id="ana", display_name="Ana", actor="test").id
    enrol(gallery, ana, made_template(1))
    enrol(gallery, ana, made_template(1, sample=1))
    other_process.catch_up()

    receipt = gallery.erase(ana, actor="test")

    assert (receipt.subject_id, receipt.templates) == (ana, 2)
    assert (len(gallery), gallery.templates_of(ana)) == (0, [])
    assert other_process.nearest(made_template(1), 1, max_d=4.0) == []
    with pytest.raises(SubjectNotFound):
        Subjects(database).find(ana)
    with database.read() as db:
        assert audit.verify_chain(db).is_whole
