"""External ids that clash, of subjects and on rosters; all of them are of before ids were compared."""

from itertools import groupby

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session as OrmSession

from index.database.database import Database
from index.subjects.id_clashes import Clash, find_subject_clashes
from service.exams.tables import RosterEntryRow


def find_clashes(database: Database) -> list[Clash]:
    """Every pair that clashes."""
    with database.read() as db:
        return find_subject_clashes(db) + roster_clashes(db)


def roster_clashes(db: OrmSession) -> list[Clash]:
    """Candidates of one roster whose ids are equal."""
    same = RosterEntryRow.session_id, RosterEntryRow.external_key
    several = select(*same).group_by(*same).having(func.count() > 1)
    rows = db.scalars(
        select(RosterEntryRow).where(tuple_(*same).in_(several)).order_by(*same, RosterEntryRow.id)
    ).all()
    found = []
    for (session_id, _), entries in groupby(rows, key=lambda row: (row.session_id, row.external_key)):
        first, *others = entries
        found += [
            Clash("equal", first.external_id, str(first.id), one.external_id, str(one.id), str(session_id))
            for one in others
        ]
    return found
