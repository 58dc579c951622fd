"""Record templates that do not open in the audit chain: each once, by the first process that sees it."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from index import audit
from index.database.database import Database
from index.gallery.replay import LeftOut

UNREADABLE = "template.unreadable"
ACTOR = "alarm"


def note_left_out(database: Database, left_out: Iterable[LeftOut]) -> None:
    """Record in the audit chain which templates do not open, unless it is there already.

    Raises:
        DatabaseError: If it could not be written; nothing is then written.
    """
    with database.write() as db:
        for one in left_out:
            if not is_noted(db, one):
                details = {"template_id": str(one.template_id), "reason": one.why.reason}
                audit.record(db, action=UNREADABLE, actor=ACTOR, subject_id=one.subject_id, details=details)


def is_noted(db: Session, left_out: LeftOut) -> bool:
    """Whether an event already names the template."""
    known = audit.list_events_after(db, 0, action=UNREADABLE, subject_id=left_out.subject_id)
    return any(event.details["template_id"] == str(left_out.template_id) for event in known)
