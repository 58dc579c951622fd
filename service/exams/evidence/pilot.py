"""What a pilot would have done: faces were compared and recorded, and people decided on everybody."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select

from service.exams.context import Desk
from service.exams.reasons import PILOT_ADMITS, PILOT_REFERS
from service.exams.sessions import session_row
from service.exams.states import LET_IN
from service.exams.status import NEVER_CAME, read_statuses
from service.exams.tables import CheckinRow


class PilotCounts(BaseModel):
    """Candidates by what the machine would have done, with the best of their attempts."""

    would_admit: int = 0
    would_refer: int = 0


class PilotReport(BaseModel):
    """A session's attempts of a pilot, beside what people decided."""

    session_id: UUID
    attempts: int
    not_compared: int = Field(description="attempts whose picture could not be used")
    unknown: int = Field(description="attempts of nobody on the roster")
    let_in: PilotCounts = Field(description="candidates whom a person let in")
    not_let_in: PilotCounts = Field(description="candidates who were refused, or still wait")


def pilot_report(desk: Desk, session_id: UUID) -> PilotReport:
    """What would have become of a session's candidates if the machine had decided.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        session_row(db, session_id)
        rows = db.scalars(select(CheckinRow).where(CheckinRow.session_id == session_id)).all()
        tried = [row for row in rows if {PILOT_ADMITS, PILOT_REFERS} & set(row.reasons)]
        statuses = read_statuses(db, session_id)
    by_candidate: dict[UUID, list[CheckinRow]] = defaultdict(list)
    for row in tried:
        if row.entry_id is not None:
            by_candidate[row.entry_id].append(row)
    let_in, not_let_in = PilotCounts(), PilotCounts()
    for entry_id, attempts in by_candidate.items():
        is_in = statuses.get(entry_id, NEVER_CAME).status in LET_IN
        add(let_in if is_in else not_let_in, attempts)
    return PilotReport(
        session_id=session_id,
        attempts=len(tried),
        not_compared=sum(row.decision is None for row in tried),
        unknown=sum(row.entry_id is None for row in tried),
        let_in=let_in,
        not_let_in=not_let_in,
    )


def add(counts: PilotCounts, attempts: Sequence[CheckinRow]) -> None:
    """Count one candidate by the best of the attempts."""
    if any(PILOT_ADMITS in row.reasons for row in attempts):
        counts.would_admit += 1
    else:
        counts.would_refer += 1
