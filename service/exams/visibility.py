"""Which exams are there for somebody who is held to some: what belongs to others is as if it were not."""

from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from sqlalchemy.orm import Session as OrmSession

from index.database.database import Database
from service.errors import SessionNotFound
from service.exams.errors import CheckinNotFound, ExamNotFound
from service.exams.exams import exam_row
from service.exams.sessions import session_row
from service.exams.views import checkin_row

EXAM_OF: Mapping[str, Callable[[OrmSession, UUID], UUID]] = {
    "exam_id": lambda db, exam_id: exam_row(db, exam_id).id,
    "session_id": lambda db, session_id: session_row(db, session_id).exam_id,
    "checkin_id": lambda db, checkin_id: checkin_row(db, checkin_id).exam_id,
}
"""How an id in a path leads to an exam."""

NOT_FOUND: Mapping[str, Callable[[UUID], Exception]] = {
    "exam_id": ExamNotFound,
    "session_id": SessionNotFound,
    "checkin_id": CheckinNotFound,
}


def require_visible(database: Database, exam_ids: Collection[UUID], kind: str, wanted: UUID) -> None:
    """Refuse what belongs to another exam.

    Args:
        database: Where the exams are.
        exam_ids: Those that are there for the caller.
        kind: Of the id: a key of `EXAM_OF`.
        wanted: The id.

    Raises:
        ExamNotFound, SessionNotFound, CheckinNotFound: If there is none, or it is another exam's.
    """
    with database.read() as db:
        exam_id = EXAM_OF[kind](db, wanted)
    if exam_id not in exam_ids:
        raise NOT_FOUND[kind](wanted)
