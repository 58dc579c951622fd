"""All rooms at once: how each open session stands, and who needs a person in any of them."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from service.exams.context import Desk
from service.exams.errors import ExamNotFound
from service.exams.exams import exam_row
from service.exams.guard import open_sessions
from service.exams.live.feed import FeedEvent, newest_link
from service.exams.live.waiting import Waiting, waiting_of
from service.exams.schemas import Counts, Session
from service.exams.sessions import session_document
from service.exams.status import counts_of
from service.exams.tables import SessionRow


class Room(BaseModel):
    """An open session and how it stands."""

    session: Session
    counts: Counts


class Rooms(BaseModel):
    """All open sessions, and all who need a person in them."""

    rooms: list[Room] = Field(
        description="the sessions that are open now, in the order of their exams and rooms"
    )
    waiting: list[Waiting] = Field(description="of all of them, oldest first")


@dataclass(frozen=True)
class Area:
    """Which rooms somebody looks at.

    Attributes:
        exam_id: Of this exam alone; None for all.
        visible: The only exams that are there for the caller; None for all.
    """

    exam_id: UUID | None = None
    visible: frozenset[UUID] | None = None


def rooms_in(desk: Desk, area: Area) -> Rooms:
    """The open rooms of an area as they stand.

    Raises:
        ExamNotFound: If the area's exam does not exist, or is another's.
    """
    with desk.database.read() as db:
        return read_rooms(desk, db, open_in(db, area))


def open_rooms(desk: Desk, area: Area) -> frozenset[UUID]:
    """The sessions of an area that are open now.

    Raises:
        ExamNotFound: As `rooms_in`.
    """
    with desk.database.read() as db:
        return open_in(db, area)


def rooms_event(desk: Desk, session_ids: Collection[UUID]) -> FeedEvent:
    """These sessions as they stand, as a message; events behind its number are news."""
    with desk.database.read() as db:
        seq, digest = newest_link(db)
        return FeedEvent.of(seq, "rooms", read_rooms(desk, db, session_ids), digest)


def open_in(db: OrmSession, area: Area) -> frozenset[UUID]:
    """As `open_rooms`."""
    only = []
    if area.exam_id is not None:
        if area.visible is not None and area.exam_id not in area.visible:
            raise ExamNotFound(area.exam_id)
        only.append(SessionRow.exam_id == exam_row(db, area.exam_id).id)
    if area.visible is not None:
        only.append(SessionRow.exam_id.in_(area.visible))
    return frozenset(open_sessions(db, *only))


def read_rooms(desk: Desk, db: OrmSession, session_ids: Collection[UUID]) -> Rooms:
    """These sessions as they stand; one that was deleted meanwhile is left out."""
    rows = db.scalars(select(SessionRow).where(SessionRow.id.in_(session_ids))).all()
    rooms = [
        Room(session=session_document(desk, db, row, exam_row(db, row.exam_id)), counts=counts_of(db, row))
        for row in rows
    ]
    waiting = [one for row in rows for one in waiting_of(db, row)]
    return Rooms(
        rooms=sorted(rooms, key=lambda one: (one.session.exam_name, one.session.room, one.session.id)),
        waiting=sorted(waiting, key=lambda one: (not one.held, one.since, one.id)),
    )
