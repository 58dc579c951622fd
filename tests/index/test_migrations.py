"""What migrations make of rows that were there before."""

import json
from uuid import UUID

import sqlalchemy as sa
from fixtures_database import OpenDatabase
from former_tables import insert, upgrade_to

from index.ids import uuid7
from index.tables import AuditEventRow, ModelRow, SubjectRow, TemplateRow, utc_now
from index.twins import Twin, twins_of


def test_faces_that_were_enrolled_twice_with_a_reason_become_known_twins(
    empty_url: str, open_database: OpenDatabase
) -> None:
    database = open_database(empty_url)
    upgrade_to(database, "20261127_identification")
    first, second, erased = people = sorted(uuid7() for _ in range(3))
    template_ids = {person: uuid7() for person in people}
    now = utc_now()
    with database.engine.begin() as connection:
        insert(connection, ModelRow, id="m", name="m", dim=2, state="active", facts={}, registered_at=now)
        for person in people[:2]:
            insert(connection, SubjectRow, id=person, external_id=str(person), created_at=now, changed_at=now)
            template = {"id": template_ids[person], "subject_id": person, "model_id": "m"}
            insert(connection, TemplateRow, **template, vector=b"", quality={}, created_at=now)
        for seq, (person, other) in enumerate([(first, None), (second, first), (first, erased)], start=1):
            enrolled(connection, seq, person, template_ids[person], other)

    database.upgrade()

    with database.read() as db:
        assert twins_of(db, people) == {
            first: [Twin(second, str(second), "sisters")],
            second: [Twin(first, str(first), "sisters")],
        }


def enrolled(
    connection: sa.Connection, seq: int, person: UUID, template_id: UUID, other: UUID | None
) -> None:
    """The event of an enrolment, in spite of another person's face where one is named."""
    details = {"template_id": str(template_id)}
    if other is not None:
        details |= {"duplicate_of": str(other), "reason": "sisters"}
    insert(
        connection,
        AuditEventRow,
        seq=seq,
        at=utc_now(),
        action="template.enrolled",
        actor="test",
        subject_id=person,
        details=json.loads(json.dumps(details)),
        previous_digest="",
        digest="",
    )
