"""What a template was used for at the door."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from index.database.database import Database
from service.exams.tables import CheckinRow


@dataclass(frozen=True)
class Uses:
    """How many attempts one template has decided, and when the last one was."""

    count: int = 0
    last_at: datetime | None = None


def uses_of(database: Database, subject_id: UUID) -> dict[UUID, Uses]:
    """The kept attempts of a subject, by the template that decided them."""
    columns = (CheckinRow.template_id, func.count(), func.max(CheckinRow.created_at))
    query = select(*columns).where(CheckinRow.subject_id == subject_id).group_by(CheckinRow.template_id)
    with database.read() as db:
        return {
            template_id: Uses(count, last_at)
            for template_id, count, last_at in db.execute(query)
            if template_id is not None
        }
