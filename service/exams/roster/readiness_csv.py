"""Readiness as a plain list, one line for each candidate: to sort, to work off, to write letters from."""

import io
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from service.exams.context import Desk
from service.exams.roster.readiness import LookAlikes, Readiness, newest_templates
from service.exams.tables import RosterEntryRow
from service.sheets.spreadsheet import BYTE_ORDER_MARK, SheetWriter

COLUMNS = (
    "room",
    "external_id",
    "display_name",
    "seat",
    "ready",
    "reason",
    "detail",
    "photograph_enrolled_on",
    "legal_basis_ends_on",
    "looks_like",
)


def readiness_csv(
    desk: Desk, sessions: Sequence[Readiness], pairs: Sequence[LookAlikes], zone: ZoneInfo, delimiter: str
) -> str:
    """The list.

    Args:
        desk: With the database.
        sessions: Whose candidates.
        pairs: Who looks like whom among them.
        zone: Whose days are meant.
        delimiter: Between cells.
    """
    target = io.StringIO()
    target.write(BYTE_ORDER_MARK)
    writer = SheetWriter(target, COLUMNS, delimiter)
    alike = names_of(pairs)
    for found in sessions:
        obstacles = {one.external_id: one for one in found.cannot_verify}
        ends = {one.external_id: one.expires_at for one in found.legal_basis_expiring}
        for entry, enrolled_at in enrolled_of(desk, found.session_id):
            number = entry.external_id
            obstacle = obstacles.get(number)
            writer.write(
                (
                    found.room,
                    number,
                    entry.display_name,
                    entry.seat,
                    "no" if obstacle else "yes",
                    obstacle.reason if obstacle else None,
                    obstacle.detail if obstacle else None,
                    day(enrolled_at, zone),
                    day(ends.get(number), zone),
                    "; ".join(alike.get(number, ())),
                )
            )
    return target.getvalue()


def names_of(pairs: Sequence[LookAlikes]) -> dict[str, list[str]]:
    """Whom each looks like, with the grade."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            found.setdefault(one.external_id, []).append(f"{other.external_id} ({pair.grade})")
    return found


def enrolled_of(desk: Desk, session_id: UUID) -> list[tuple[RosterEntryRow, datetime | None]]:
    """The candidates of a session, and when the newest template of each was enrolled."""
    mine = RosterEntryRow.session_id == session_id
    with desk.database.read() as db:
        entries = db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id)).all()
        newest = newest_templates(db, [entry.subject_id for entry in entries if entry.subject_id])
        return [(entry, newest.get(entry.subject_id or entry.id)) for entry in entries]


def day(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """The day of a moment in a zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d}" if moment else None
