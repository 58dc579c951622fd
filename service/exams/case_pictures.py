"""Until when the pictures of a case are there for whoever decides on it."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as OrmSession

from service.exams.holds import held_checkins
from service.exams.tables import CheckinRow, SessionRow, ThumbnailRow

KEPT_AFTER_CLOSING = timedelta(hours=72)
"""How long the picture of an undecided case stays after its session has closed."""


def longest_kept(session: SessionRow) -> datetime:
    """When the pictures of a session's cases go, decided or not."""
    return session.closes_at + KEPT_AFTER_CLOSING


def forget_case(db: OrmSession, session_id: UUID, entry_id: UUID | None, checkin_id: UUID) -> None:
    """Remove the pictures that were kept for a decision which has been made; those on hold go later.

    Args:
        db: The decision's transaction.
        session_id: Where.
        entry_id: The candidate whom it concerns, with all attempts.
        checkin_id: The attempt that was decided on.
    """
    mine = CheckinRow.id == checkin_id
    if entry_id is not None:
        mine |= (CheckinRow.session_id == session_id) & (CheckinRow.entry_id == entry_id)
    gone = delete(ThumbnailRow).where(
        ThumbnailRow.until_settled,
        ThumbnailRow.checkin_id.in_(select(CheckinRow.id).where(mine)),
        ThumbnailRow.checkin_id.not_in(held_checkins()),
    )
    db.execute(gone.execution_options(synchronize_session=False))


def follow_closing(db: OrmSession, session: SessionRow) -> None:
    """Let the pictures of a session's cases go by its new end."""
    cases = select(CheckinRow.id).where(CheckinRow.session_id == session.id)
    moved = update(ThumbnailRow).where(ThumbnailRow.until_settled, ThumbnailRow.checkin_id.in_(cases))
    db.execute(moved.values(expires_at=longest_kept(session)).execution_options(synchronize_session=False))
