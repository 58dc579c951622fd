"""Subjects: who is known, under which ids, and what remains after erasure: nothing."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any
from uuid import uuid4

import pytest
from made_templates import enrol, made_template, open_gallery
from sqlalchemy import select

from embedding.quality import Measures
from index.database.database import Database
from index.errors import ExternalIdExists, SubjectInvalid, SubjectNotFound
from index.gallery.poor import find_poor_reasons
from index.ids import uuid7
from index.subjects.listing import Mark, Order, Wanted, build_mark
from index.subjects.subjects import ExternalId, Subject, Subjects
from index.tables import ApiKeyRow, IdempotencyRecordRow, TemplateRow

GOOD = dict.fromkeys((one.name for one in fields(Measures)), 0.0) | {
    "inter_eye_distance": 60.0,
    "sharpness": 0.3,
    "luminance_mean": 0.5,
    "dynamic_range": 7.0,
    "face_inside": 1.0,
    "feature_contrast": 1.0,
    "uprightness": 1.0,
    "flattest_feature": 1.0,
}
VALUES = (-90.0, 0.05, 0.5, 0.95, 28.0, 90.0)


@pytest.fixture
def subjects(database: Database) -> Subjects:
    return Subjects(database)


def test_a_subject_is_found_by_its_id_and_by_its_external_id(subjects: Subjects) -> None:
    ana = subjects.add(
        external_id="s-1",
        display_name="Ana",
        metadata={"year": 2, "ratio": 0.1},
        legal_basis={"basis": "consent", "reference": "form 7", "expires_at": "2027-01-01T00:00:00Z"},
        actor="test",
    )

    assert subjects.find(ana.id) == ana
    assert subjects.find(ExternalId("s-1")) == ana
    assert ana.metadata == {"year": 2, "ratio": 0.1}
    assert ana.created_at.tzinfo is not None


@pytest.mark.parametrize("reference", [uuid4(), ExternalId("nobody"), ExternalId("")])
def test_an_unknown_subject_is_named(subjects: Subjects, reference: Any) -> None:
    with pytest.raises(SubjectNotFound, match=str(reference)):
        subjects.find(reference)


@pytest.mark.parametrize(
    "external_id", ["with space", "a/b/../c", "%2F", "🎓-42", "学生", "' OR 1=1 --", "x" * 255, "é" * 255]
)
def test_an_external_id_may_be_any_text_of_up_to_255_characters(subjects: Subjects, external_id: str) -> None:
    added = subjects.add(external_id=external_id, actor="test")

    assert subjects.find(ExternalId(external_id)).id == added.id


@pytest.mark.parametrize(
    "external_id",
    [
        "",
        "x" * 256,
        "x" * 10_000,
        "nul\0",
        "line\nbreak",
        "\x1b[31m",
        "\ud800",
        " ",
        "a\u200bb",
        "a\u202eb",
        "\ue000",
        "\u0378",
        "x\u2028x",
        "\u3164",
        "🧑\u200d🎓",
    ],
)
def test_an_external_id_that_no_system_could_carry_is_refused(subjects: Subjects, external_id: str) -> None:
    with pytest.raises(SubjectInvalid) as refused:
        subjects.add(external_id=external_id, actor="test")

    assert refused.value.field == "external_id"
    assert subjects.page() == []


@pytest.mark.parametrize(
    "metadata", [{"text": "x" * 16_384}, {"d": float("nan")}, {"set": {1, 2}}], ids=["long", "nan", "set"]
)
def test_metadata_must_be_json_of_at_most_16_kilobytes(subjects: Subjects, metadata: dict[str, Any]) -> None:
    with pytest.raises(SubjectInvalid) as refused:
        subjects.add(metadata=metadata, actor="test")

    assert refused.value.field == "metadata"


def test_an_external_id_belongs_to_one_subject(subjects: Subjects) -> None:
    ana = subjects.add(external_id="s-1", actor="test")
    ben = subjects.add(external_id="s-2", actor="test")

    attempts: list[Callable[[], object]] = [
        lambda: subjects.add(external_id="s-1", actor="test"),
        lambda: subjects.change(ben.id, external_id="s-1", actor="test"),
    ]
    for attempt in attempts:
        with pytest.raises(ExternalIdExists) as refused:
            attempt()
        assert refused.value.subject_id == ana.id
    assert subjects.change(ana.id, external_id="s-1", actor="test").external_id == "s-1"


def test_many_subjects_may_have_no_external_id(subjects: Subjects) -> None:
    assert subjects.add(actor="test").id != subjects.add(actor="test").id


def test_a_repeated_call_under_the_same_id_adds_nobody_twice(subjects: Subjects) -> None:
    subject_id = uuid7()

    first = subjects.add(external_id="s-1", actor="test", subject_id=subject_id)
    again = subjects.add(external_id="s-1", actor="test", subject_id=subject_id)

    assert first == again
    assert len(subjects.page()) == 1


def test_a_change_touches_only_what_is_given(subjects: Subjects) -> None:
    ana = subjects.add(external_id="s-1", display_name="Ana", metadata={"a": 1}, actor="test")

    changed = subjects.change(ana.id, display_name="Ana B.", metadata=None, actor="test")

    assert (changed.external_id, changed.display_name, changed.metadata) == ("s-1", "Ana B.", None)
    assert changed.changed_at > ana.changed_at
    assert subjects.find(ana.id) == changed


def test_the_list_shows_everybody_once_in_the_order_they_came(subjects: Subjects) -> None:
    added = [subjects.add(display_name=f"person {n}", actor="test").id for n in range(11)]

    seen: list[Subject] = []
    while page := subjects.page(limit=4, after=Mark("", seen[-1].id) if seen else None):
        assert len(page) <= 4
        seen += page

    assert [subject.id for subject in seen] == added


def test_the_list_is_narrowed_by_text_and_by_templates(database: Database, subjects: Subjects) -> None:
    ana = subjects.add(external_id="s_100%", display_name="Ana", actor="test")
    ben = subjects.add(external_id="s-200", display_name="Ben", actor="test")
    enrol(open_gallery(database), ana.id, made_template(1))

    def found(**filters: Any) -> list[Any]:
        return [subject.id for subject in subjects.page(Wanted(**filters))]

    assert found(contains="aN") == [ana.id]
    assert found(contains="_100%") == [ana.id]
    assert found(contains="%") == [ana.id]
    assert found(external_id="s-200") == [ben.id]
    assert found(has_template=True) == [ana.id]
    assert found(has_template=False) == [ben.id]
    assert subjects.find(ana.id).templates == 1


@pytest.mark.parametrize(("text", "finds"), [("éVA", "Éva"), ("STRASSE", "Straße"), ("ŁUKASZ", "Łukasz")])
def test_a_name_is_found_however_its_letters_are_written(subjects: Subjects, text: str, finds: str) -> None:
    ids = {name: subjects.add(display_name=name, actor="test").id for name in ("Éva", "Straße", "Łukasz")}

    assert [one.id for one in subjects.page(Wanted(contains=text))] == [ids[finds]]
    subjects.change(ids[finds], display_name="Somebody", actor="test")
    assert subjects.page(Wanted(contains=text)) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.ADDED, ["s-3", "S-1", None, "s-2", "s-4"]),
        (Order.NEWEST, ["s-4", "s-2", None, "S-1", "s-3"]),
        (Order.EXTERNAL_ID, [None, "S-1", "s-2", "s-3", "s-4"]),
        (Order.NAME, ["s-2", "S-1", "s-3", "s-4", None]),
    ],
)
def test_every_order_shows_everybody_once_page_after_page(
    subjects: Subjects, order: Order, expected: list[str | None]
) -> None:
    people = [("s-3", "ben"), ("S-1", "Ana"), (None, "Zoë"), ("s-2", None), ("s-4", "Ben")]
    for number, name in people:
        subjects.add(external_id=number, display_name=name, actor="test")

    seen: list[Subject] = []
    while page := subjects.page(limit=2, order=order, after=mark_behind(order, seen)):
        seen += page

    assert [one.external_id for one in seen] == expected


def mark_behind(order: Order, seen: list[Subject]) -> Mark | None:
    if not seen:
        return None
    return build_mark(order, seen[-1].id, seen[-1].external_id, seen[-1].display_name)


def test_the_database_and_the_reasons_agree_on_which_templates_are_poor(
    database: Database, subjects: Subjects
) -> None:
    gallery = open_gallery(database)
    qualities = [GOOD, *(GOOD | {name: value} for name in GOOD for value in VALUES)]
    expected = set()
    for n, quality in enumerate(qualities):
        subject = subjects.add(external_id=f"s-{n}", actor="test")
        enrol(gallery, subject.id, made_template(n), quality=quality)
        if find_poor_reasons(quality):
            expected.add(subject.id)

    listed = {one.id for one in subjects.page(Wanted(is_poor=True), limit=500)}

    assert listed == expected
    assert {one.id for one in subjects.page(limit=500) if one.is_poor} == expected
    assert 25 < len(expected) < len(qualities) - 25


def test_templates_are_poor_only_where_all_of_them_are_and_their_measures_are_known(
    database: Database, subjects: Subjects
) -> None:
    gallery = open_gallery(database)
    poor = GOOD | {"sharpness": 0.01}
    given = {"poor": [poor, poor], "one good": [poor, GOOD], "unknown": [{"sharpness": 0.01}], "none": []}
    for n, (number, qualities) in enumerate(given.items()):
        subject = subjects.add(external_id=number, actor="test")
        for m, quality in enumerate(qualities):
            enrol(gallery, subject.id, made_template(10 * n + m), quality=quality)

    assert [one.external_id for one in subjects.page(Wanted(is_poor=True))] == ["poor"]
    assert len(subjects.page(Wanted(is_poor=False))) == 3
    assert (subjects.find(ExternalId("poor")).is_poor, subjects.find(ExternalId("poor")).templates) == (
        True,
        2,
    )


def test_after_an_erasure_nothing_of_the_person_is_left(database: Database, subjects: Subjects) -> None:
    gallery = open_gallery(database)
    ana = subjects.add(external_id="s-1", display_name="Ana", actor="test")
    ben = subjects.add(external_id="s-2", display_name="Ben", actor="test")
    template = enrol(gallery, ana.id, made_template(1))
    enrol(gallery, ben.id, made_template(2))
    key = ApiKeyRow(prefix="p", secret_hash="h", name="n", scopes=[])
    with database.write() as db:
        db.add(key)
        db.flush()
        for name, values in {
            "added": {"resource_id": ana.id},
            "enrolled": {"resource_id": template.id},
            "verified": {"subject_id": ana.id},
            "others": {"subject_id": ben.id},
        }.items():
            db.add(
                IdempotencyRecordRow(
                    caller_id=key.id,
                    key=name,
                    method="POST",
                    path="/",
                    body_digest="d",
                    state="done",
                    status=200,
                    body=b"about a person",
                    **values,
                )
            )

    receipt = gallery.erase(ana.id, actor="test")

    assert (receipt.subject_id, receipt.templates, receipt.responses) == (ana.id, 1, 3)
    with pytest.raises(SubjectNotFound):
        subjects.find(ana.id)
    with database.read() as db:
        assert db.scalars(select(TemplateRow.subject_id)).all() == [ben.id]
        kept = {
            record.key: (record.state, record.body) for record in db.scalars(select(IdempotencyRecordRow))
        }
    assert kept == {
        "added": ("erased", None),
        "enrolled": ("erased", None),
        "verified": ("erased", None),
        "others": ("done", b"about a person"),
    }
    assert subjects.add(external_id="s-1", actor="test").id != ana.id


def test_nobody_is_erased_twice(subjects: Subjects, database: Database) -> None:
    ana, gallery = subjects.add(actor="test"), open_gallery(database)
    gallery.erase(ana.id, actor="test")

    with pytest.raises(SubjectNotFound):
        gallery.erase(ana.id, actor="test")
