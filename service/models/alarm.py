"""The alarm where a template does not open: in the log of each process, and once in the audit trail."""

from collections.abc import Sequence
from uuid import UUID

from index.database.database import Database
from index.gallery.alarm import note_left_out
from index.gallery.replay import LeftOut
from service.logs import log


class Alarm:
    """What one process has said of templates that no search sees."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._logged: set[UUID] = set()
        self._noted: set[UUID] = set()

    def tell(self, left_out: Sequence[LeftOut]) -> None:
        """Say what is new.

        Args:
            left_out: All templates that are left out now; one that opens again is forgotten.

        Raises:
            DatabaseError: If it cannot be noted in the audit trail; the next call tries again.
        """
        by_id = {one.template_id: one for one in left_out}
        for template_id in by_id.keys() - self._logged:
            one = by_id[template_id]
            row, subject = str(template_id), str(one.subject_id)
            log.error("template_left_out", row_id=row, subject_id=subject, reason=one.why.reason)
        self._logged = set(by_id)
        if new := by_id.keys() - self._noted:
            note_left_out(self._database, [by_id[one] for one in new])
        self._noted = set(by_id)
