"""The audit chain: whatever is done to it afterwards shows."""

from contextlib import suppress
from typing import Any

import pytest
from made_templates import add_subject, enrol, made_template, open_gallery
from sqlalchemy import delete, select, update

from index import audit
from index.database.database import Database
from index.subjects.subjects import Subjects
from index.tables import AuditEventRow

EVENTS = 7


@pytest.fixture
def chain(database: Database) -> Database:
    """A database with a chain of `EVENTS` events."""
    for number in range(1, EVENTS + 1):
        with database.write() as db:
            details = {"number": number, "share": 0.1 * number, "tiny": 1e-7, "text": "ü ✓", "none": None}
            audit.record(db, action="test.done", actor="key 1", request_id=f"r{number}", details=details)
    return database


def report(database: Database, expected_head: tuple[int, str] | None = None) -> audit.ChainReport:
    with database.read() as db:
        return audit.verify_chain(db, expected_head=expected_head)


def change(database: Database, number: int, **values: Any) -> None:
    with database.write() as db:
        db.execute(update(AuditEventRow).where(AuditEventRow.seq == number).values(**values))


def test_an_untouched_chain_is_whole(chain: Database) -> None:
    found = report(chain)

    assert found.is_whole
    assert found.events == EVENTS


def test_an_empty_chain_is_whole(database: Database) -> None:
    assert report(database) == audit.ChainReport(0, audit.FIRST_DIGEST)


@pytest.mark.parametrize(
    "values",
    [
        {"action": "test.undone"},
        {"actor": "key 2"},
        {"request_id": None},
        {"details": {"number": 3}},
        {"digest": "0" * 64},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_changed_event_is_named(chain: Database, values: dict[str, Any]) -> None:
    change(chain, 3, **values)

    found = report(chain)

    assert (found.events, found.first_bad_seq, found.reason) == (2, 3, "changed")


def test_an_event_that_was_changed_together_with_its_digest_is_named(chain: Database) -> None:
    with chain.write() as db:
        event = db.get_one(AuditEventRow, 3)
        event.actor = "somebody else"
        event.digest = audit.digest_of(event)

    found = report(chain)

    assert (found.first_bad_seq, found.reason) == (3, "changed")


def test_a_missing_event_is_named(chain: Database) -> None:
    with chain.write() as db:
        db.execute(delete(AuditEventRow).where(AuditEventRow.seq == 4))

    found = report(chain)

    assert (found.events, found.first_bad_seq, found.reason) == (3, 4, "missing")


def test_events_that_changed_places_are_named(chain: Database) -> None:
    for old, new in ((4, 100), (5, 4), (100, 5)):
        change(chain, old, seq=new)

    found = report(chain)

    assert (found.first_bad_seq, found.reason) == (4, "reordered")


def test_a_chain_whose_end_was_cut_off_shows_against_a_note_of_its_head(chain: Database) -> None:
    noted = (EVENTS, report(chain).head)
    with chain.write() as db:
        db.execute(delete(AuditEventRow).where(AuditEventRow.seq == EVENTS))

    assert report(chain).is_whole
    found = report(chain, expected_head=noted)
    assert (found.first_bad_seq, found.reason) == (EVENTS, "cut off")


def test_a_chain_that_was_written_anew_shows_against_a_note_of_its_head(chain: Database) -> None:
    assert report(chain, expected_head=(3, "f" * 64)).first_bad_seq == 3


def test_what_is_rolled_back_was_never_recorded(chain: Database) -> None:
    with suppress(RuntimeError), chain.write() as db:
        audit.record(db, action="test.failed", actor="key 1")
        raise RuntimeError("the writer fails")

    with chain.write() as db:
        event = audit.record(db, action="test.done", actor="key 1")

    assert event.seq == EVENTS + 1
    assert report(chain).is_whole


def test_what_json_cannot_hold_is_refused(chain: Database) -> None:
    with pytest.raises(ValueError, match="JSON"), chain.write() as db:
        audit.record(db, action="test.done", actor="key 1", details={"d": float("nan")})


def test_events_are_listed_in_order_by_subject_and_action(chain: Database) -> None:
    with chain.read() as db:
        first = audit.list_events(db, limit=3)
        rest = audit.list_events(db, limit=100, after_seq=first[-1].seq)
        none = audit.list_events(db, limit=100, action="test.undone")

    assert [event.seq for event in [*first, *rest]] == list(range(1, EVENTS + 1))
    assert none == []


def test_an_erasure_leaves_the_chain_whole_and_no_name_in_it(database: Database) -> None:
    gallery = open_gallery(database)
    subjects = Subjects(database)
    ana = subjects.add(external_id="s-4711", display_name="Ana Lovelace", actor="test")
    enrol(gallery, ana.id, made_template(1))
    subjects.change(ana.id, display_name="Ana Byron", actor="test")
    enrol(gallery, add_subject(database), made_template(2))

    gallery.erase(ana.id, actor="test")

    assert report(database).is_whole
    with database.read() as db:
        rows = db.scalars(select(AuditEventRow)).all()
    written = " ".join(f"{row.actor} {row.action} {row.details}" for row in rows)
    assert not [word for word in ("s-4711", "Ana", "Lovelace", "Byron") if word in written]
