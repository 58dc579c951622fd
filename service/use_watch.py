"""The alarm of a model whose rates in use have drifted: in the log, the audit trail and the metrics."""

from collections.abc import Sequence
from typing import Any

from index import audit
from index.database.database import Database
from index.tables import AuditEventRow
from service.exams.use.drift import Alarm
from service.exams.use.reading import read_alarms
from service.logs import log
from service.models.loaded import Serving

USE_ALARM = "model.use_alarm"
ACTOR = "use"


class UseWatch:
    """What one process knows of the alarms of the active model."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._alarms: list[Alarm] = []

    def count(self) -> int:
        """How many alarms there were at the last look."""
        return len(self._alarms)

    def look(self, serving: Serving) -> list[Alarm]:
        """The alarms now; one that the audit trail does not tell of yet is written there.

        Raises:
            DatabaseError: If the database cannot be reached.
        """
        active = serving.active
        self._alarms = read_alarms(self._database, active.id, active.policy)
        self._note(active.id, sorted({f"{one.rate} above {one.above}" for one in self._alarms}))
        return self._alarms

    def _note(self, model_id: str, found: list[str]) -> None:
        """Write down what is raised or has ended since it was last written down."""
        details = {"model_id": model_id, "alarms": found}
        with self._database.read() as db:
            if is_noted(audit.list_events(db, limit=1, action=USE_ALARM, newest_first=True), details):
                return
        with self._database.write() as db:
            if not is_noted(audit.list_events(db, limit=1, action=USE_ALARM, newest_first=True), details):
                audit.record(db, action=USE_ALARM, actor=ACTOR, details=details)
        log.warning("model_use_alarm", **details)


def is_noted(newest: Sequence[AuditEventRow], details: dict[str, Any]) -> bool:
    """Whether the newest event says the same; without one, no alarm was ever raised."""
    return newest[0].details == details if newest else not details["alarms"]
