"""What others commit between two statements of ours."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from made_templates import add_subject, enrol, made_template, open_gallery
from sqlalchemy import event

from index.database.database import Database


@pytest.fixture
def two(postgresql_url: str, open_database: Callable[[str], Database]) -> tuple[Database, Database]:
    """One PostgreSQL database as two processes see it: each statement sees what is committed by then."""
    return open_database(postgresql_url), open_database(postgresql_url)


def test_who_is_enrolled_while_another_process_loads_is_taken_up_once(two: tuple[Database, Database]) -> None:
    here, there = two
    gallery, late = open_gallery(here), add_subject(here)
    people: dict[int, UUID] = {1: add_subject(here), 2: late}
    enrol(gallery, people[1], made_template(1))
    loading = open_gallery(there)

    def enrol_between(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        if "FROM template" in statement and not gallery.templates_of(late):
            enrol(gallery, late, made_template(2))

    event.listen(there.engine, "before_cursor_execute", enrol_between)
    loading.catch_up()
    event.remove(there.engine, "before_cursor_execute", enrol_between)
    people[3] = add_subject(here)
    enrol(gallery, people[3], made_template(3))

    assert loading.loads == 1
    assert len(gallery.templates_of(late)) == 1
    for person, subject in people.items():
        assert [one.subject_id for one in loading.nearest(made_template(person), 3, max_d=0.1)] == [subject]
    assert len(loading) == 3


def test_who_joins_a_roster_that_was_searched_before_is_found_in_it(two: tuple[Database, Database]) -> None:
    here, there = two
    ana, ben = add_subject(here), add_subject(here)
    galleries = open_gallery(here), open_gallery(there)
    enrol(galleries[0], ana, made_template(1))
    before = [gallery.nearest(made_template(2), 1, max_d=0.1, within=[ana, ben]) for gallery in galleries]

    enrol(galleries[0], ben, made_template(2))

    assert before == [[], []]
    for gallery in galleries:
        found = gallery.nearest(made_template(2), 1, max_d=0.1, within=[ana, ben])
        assert [one.subject_id for one in found] == [ben]
