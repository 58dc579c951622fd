"""External ids: a person has one, however it is spelled, and no two people have ids that look the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fixtures_database import OpenDatabase
from former_tables import insert, upgrade_to
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from index.database.database import Database
from index.errors import ExternalIdAmbiguous, ExternalIdExists
from index.external_ids import build_external_key, build_forms, look_alike, normalise_external_id, skeleton
from index.ids import uuid7
from index.subjects.id_clashes import find_subject_clashes
from index.subjects.listing import Wanted
from index.subjects.subjects import ExternalId, Subjects
from index.tables import SubjectRow, utc_now

SPELLINGS = [
    ("José-7", "Jose\u0301-7"),
    ("s-1", "S-1"),
    ("s-1", "ｓ－１"),
    ("s-1", "  s-1\u00a0"),
    ("Straße 5", "STRASSE 5"),
    ("ﬁ-1", "FI-1"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("①", "1"),
    ("한-1", "한-1"),
    ("s-1", "s\ufe0f-1"),
]
LOOK_ALIKES = [
    ("s-1", "ѕ-1"),  # Cyrillic
    ("s-1", "Ѕ-1"),
    ("h-1", "Η-1"),  # Greek
    ("paypal", "РАУРАL"),
    ("A-10", "A-1O"),
    ("A-I", "A-l"),
    ("rn-5", "m-5"),
    ("a\u2010b", "a-b"),
    ("o'neill", "o\u2019neill"),
]


@pytest.fixture
def subjects(database: Database) -> Subjects:
    return Subjects(database)


@pytest.mark.parametrize(("first", "again"), SPELLINGS)
def test_an_id_is_one_however_it_is_spelled(subjects: Subjects, first: str, again: str) -> None:
    ana = subjects.add(external_id=first, actor="test")

    with pytest.raises(ExternalIdExists) as refused:
        subjects.add(external_id=again, actor="test")

    assert (refused.value.subject_id, refused.value.external_id) == (ana.id, first)
    assert refused.value.is_equal
    assert subjects.find(ExternalId(again)) == ana
    assert subjects.id_of(ExternalId(again)) == ana.id
    assert [one.id for one in subjects.page(Wanted(external_id=again))] == [ana.id]
    assert [one.id for one in subjects.page(Wanted(contains=again))] == [ana.id]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("pair", LOOK_ALIKES)
def test_an_id_that_can_be_taken_for_another_is_refused(
    subjects: Subjects, pair: tuple[str, str], turned: bool
) -> None:
    first, second = reversed(pair) if turned else pair
    ana = subjects.add(external_id=first, actor="test")
    ben = subjects.add(external_id="z", actor="test")

    attempts: list[Callable[[], object]] = [
        lambda: subjects.add(external_id=second, actor="test"),
        lambda: subjects.change(ben.id, external_id=second, actor="test"),
    ]
    for attempt in attempts:
        with pytest.raises(ExternalIdExists) as refused:
            attempt()
        assert refused.value.subject_id == ana.id
        assert not refused.value.is_equal


@pytest.mark.parametrize(("first", "second"), [("s-1001", "s-1002"), ("I-1001", "L-1001"), ("é-1", "e-1")])
def test_ids_that_nobody_confuses_are_both_taken(subjects: Subjects, first: str, second: str) -> None:
    subjects.add(external_id=first, actor="test")

    assert subjects.add(external_id=second, actor="test").external_id == second


def test_an_id_is_stored_composed_and_without_blanks_around_it(subjects: Subjects) -> None:
    assert subjects.add(external_id=" Jose\u0301\u3000", actor="test").external_id == "José"


def test_a_subject_may_have_its_own_id_spelled_anew(subjects: Subjects) -> None:
    ana = subjects.add(external_id="s-1", actor="test")

    assert subjects.change(ana.id, external_id="S-1", actor="test").external_id == "S-1"
    assert subjects.find(ExternalId("s-1")).id == ana.id


def test_an_id_that_was_given_up_is_free_in_every_spelling(subjects: Subjects) -> None:
    ana = subjects.add(external_id="s-1", actor="test")
    subjects.change(ana.id, external_id=None, actor="test")

    assert subjects.add(external_id="S-1", actor="test").id != ana.id


def test_of_two_spellings_at_once_one_wins(database: Database) -> None:
    subjects, start = Subjects(database), Barrier(8)
    spellings = ["José-7", "Jose\u0301-7", "JOSÉ-7", "josé-7", "ＪＯＳÉ-７", "Јosé-7", "jоsé-7", "José-７"]

    def add(external_id: str) -> bool:
        start.wait()
        try:
            subjects.add(external_id=external_id, actor="test")
        except ExternalIdExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(add, spellings))

    assert won.count(True) == 1
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(SubjectRow)) == 1


@given(st.text(min_size=1, max_size=40))
def test_the_key_of_a_key_is_itself_and_neither_composition_nor_case_matters(text: str) -> None:
    import unicodedata

    key = build_external_key(text)

    assert build_external_key(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert build_external_key(unicodedata.normalize(form, text)) == key
    assert build_external_key(text.casefold()) == key


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60))
def test_a_stored_id_is_stored_again_as_it_is(text: str) -> None:
    try:
        plain = normalise_external_id(text)
    except ValueError:
        return

    assert normalise_external_id(plain) == plain
    assert build_external_key(plain) == build_external_key(text)
    assert look_alike(build_forms(plain), build_forms(text))


@pytest.mark.parametrize(
    ("text", "same"),
    [("раураl", "paypal"), ("1l|I", "llll"), ("O0", "OO"), ("ʍ", "ʍ"), ("ﬀ", "ff"), ("a\u200db", "ab")],
)
def test_skeletons_are_those_of_the_unicode_standard(text: str, same: str) -> None:
    assert skeleton(text) == skeleton(same)


def test_ids_of_before_that_clash_stay_and_are_listed(empty_url: str, open_database: OpenDatabase) -> None:
    database = open_database(empty_url)
    upgrade_to(database, "20261127_with_owners")
    ids = {name: uuid7() for name in ("José", "Jose\u0301", "ѕ-1", "s-1", "alone")}
    with database.engine.begin() as connection:
        for external_id, subject_id in ids.items():
            values: dict[str, Any] = {"created_at": utc_now(), "changed_at": utc_now()}
            insert(connection, SubjectRow, id=subject_id, external_id=external_id, **values)

    database.upgrade()

    subjects = Subjects(database)
    with database.read() as db:
        found = {(one.how, one.first, one.second) for one in find_subject_clashes(db)}
    assert found == {("equal", "José", "Jose\u0301"), ("looks_alike", "ѕ-1", "s-1")}
    for external_id, subject_id in ids.items():
        assert subjects.find(ExternalId(external_id)).id == subject_id
    with pytest.raises(ExternalIdAmbiguous):
        subjects.find(ExternalId("JOSÉ"))
    for taken in ("JOSÉ", "S-1"):
        with pytest.raises(ExternalIdExists):
            subjects.add(external_id=taken, actor="test")
    changed = subjects.change(ids["José"], display_name="J", external_id="José", actor="test")
    assert changed.display_name == "J"


def test_rows_written_past_the_program_are_compared_too(database: Database) -> None:
    with database.write() as db:
        db.add(SubjectRow(id=uuid7(), external_id="Ana"))

    assert Subjects(database).find(ExternalId("ANA")).external_id == "Ana"
    with database.write() as db:
        db.execute(update(SubjectRow).values(display_name="x"))
    assert Subjects(database).find(ExternalId("ana")).display_name == "x"
