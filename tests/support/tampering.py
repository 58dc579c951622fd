"""What somebody does who can write into the database: past the triggers, and past the chain."""

from sqlalchemy import delete, select, text

from index import audit
from index.database.database import Database
from index.tables import AuditEventRow


def cut_tail(database: Database, count: int) -> None:
    """Remove the newest events."""
    with database.write() as db:
        newest = audit.find_newest_head(db)[0]
        db.execute(delete(AuditEventRow).where(AuditEventRow.seq > newest - count))


def remove_all_events(database: Database) -> None:
    """Leave no event."""
    with database.write() as db:
        db.execute(delete(AuditEventRow))


def write_chain_anew(database: Database, *, without: str) -> None:
    """Reckon a whole chain again, without the events of one action."""
    with database.write() as db:
        rows = db.scalars(select(AuditEventRow).order_by(AuditEventRow.seq)).all()
        kept = [row for row in rows if row.action != without]
        assert len(kept) < len(rows)
        facts = [
            {name: getattr(row, name) for name in ("at", "action", "actor", "subject_id", "details")}
            for row in kept
        ]
        db.execute(delete(AuditEventRow))
        db.expunge_all()
        previous = audit.FIRST_DIGEST
        for seq, one in enumerate(facts, 1):
            event = AuditEventRow(seq=seq, request_id=None, previous_digest=previous, **one)
            event.digest = previous = audit.digest_of(event)
            db.add(event)
        db.flush()


def drop_triggers(database: Database) -> None:
    """Take the guards of evidence away."""
    with database.write() as db:
        if database.is_sqlite:
            names = db.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
            for name in names:
                db.execute(text(f"DROP TRIGGER {name}"))
        else:
            db.execute(text("SET session_replication_role = replica"))
