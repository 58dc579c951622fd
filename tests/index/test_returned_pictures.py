"""Pictures that came back with an older database are removed again, however many were ended before."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.subjects.portraits import Portraits, remove_returned_portraits
from index.subjects.proposals import remove_refused
from index.subjects.subjects import Subjects
from index.tables import PortraitRow, ProposalRow, utc_now

MORE_THAN_ONE_STATEMENT_TAKES = 70_000

Return = Callable[[Database], UUID]


def keep_portrait(database: Database) -> UUID:
    subject = Subjects(database).add(actor="test")
    return Portraits(database, TemplateCipher(bytes(32))).put(subject.id, b"picture", actor="test").id


def keep_proposal(database: Database) -> UUID:
    subject = Subjects(database).add(actor="test")
    row = ProposalRow(
        id=uuid4(),
        subject_id=subject.id,
        picture=b"sealed",
        key_id="key",
        consent={},
        created_at=utc_now(),
        expires_at=utc_now(),
    )
    with database.write() as db:
        db.add(row)
        return row.id


@pytest.mark.parametrize(
    ("keep", "remove", "table"),
    [(keep_portrait, remove_returned_portraits, PortraitRow), (keep_proposal, remove_refused, ProposalRow)],
)
def test_a_picture_that_came_back_is_removed_again_among_any_number_of_others(
    database: Database, keep: Return, remove: Callable[..., int], table: type[PortraitRow]
) -> None:
    back, stays = keep(database), keep(database)
    ended = [*(uuid4() for _ in range(MORE_THAN_ONE_STATEMENT_TAKES)), back]

    assert remove(database, ended, actor="test") == 1

    with database.read() as db:
        assert db.scalars(select(table.id)).all() == [stays]
    assert remove(database, ended, actor="test") == 0
