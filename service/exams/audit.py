"""The exam domain's entries in the audit chain, and the digests of evidence that they hold."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session as OrmSession

from index import audit
from index.audit import Origin
from index.canonical import digest_json
from index.tables import AuditEventRow
from service.exams.tables import CheckinRow, MovementRow, OverrideRow

CHECKIN_RECORDED = "checkin.recorded"
CHECKIN_DECLINED = "checkin.declined"
OVERRIDE_RECORDED = "override.recorded"
MOVEMENT_RECORDED = "movement.recorded"
ATTENDED = "checkin.attended"
CANDIDATE_CHANGED = "candidate.changed"
EVIDENCE_EXPORTED = "evidence.exported"
PERSON_EXPORTED = "person.exported"
GROUPS_REPORTED = "groups.reported"
ROSTER_IMPORTED = "roster.imported"
LAYOUT_CHANGED = "list_layout.changed"
LAYOUT_REMOVED = "list_layout.removed"
SESSION_CHANGED = "session.changed"
EXAM_CHANGED = "exam.changed"


def note(
    db: OrmSession, action: str, origin: Origin, *, subject_id: UUID | None = None, **details: Any
) -> AuditEventRow:
    """Add an event in the writer's transaction.

    Details hold ids, codes and counts: never a candidate's name or number, since the chain outlives both.
    """
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in details.items()}
    return audit.record(
        db,
        action=action,
        actor=origin.actor,
        subject_id=subject_id,
        request_id=origin.request_id,
        details=plain,
    )


def note_evidence(
    db: OrmSession,
    action: str,
    origin: Origin,
    checkin: CheckinRow,
    written: CheckinRow | OverrideRow,
    **details: Any,
) -> None:
    """Add the event of a row of evidence: the attempt itself or an override of it, with its digest."""
    note(
        db,
        action,
        origin,
        subject_id=checkin.subject_id,
        exam_id=checkin.exam_id,
        session_id=checkin.session_id,
        entry_id=written.entry_id,
        checkin_id=checkin.id,
        outcome=written.outcome,
        evidence=evidence_digest(written),
        **details,
    )


EvidenceRow = CheckinRow | OverrideRow | MovementRow
ADDED_LATER: dict[str, dict[str, Any]] = {
    "checkin": {
        "kind": "entry",
        "contact_at": None,
        "since_contact_ms": None,
        "since_claim_ms": None,
        "taken_at": None,
        "time_estimated": False,
        "provisional": None,
        "source": "live",
        "motion": None,
    },
    "movement": {"source": "live", "taken_at": None},
}
"""Columns that evidence of before did not have, with what they say of it: digests leave that out."""


def evidence_digest(row: EvidenceRow) -> str:
    """Hex SHA-256 of everything in a row of evidence, in canonical JSON.

    The chain holds it, so that `invigil audit verify` finds a row that was changed past the triggers.
    """
    return digest_json(evidence_content(row))


def evidence_content(row: EvidenceRow) -> dict[str, Any]:
    """Everything in a row of evidence that its digest covers."""
    content = {column.key: plain_value(getattr(row, column.key)) for column in row.__table__.columns}
    of_before = ADDED_LATER.get(row.__tablename__, {})
    return {name: value for name, value in content.items() if (name, value) not in of_before.items()}


def plain_value(value: Any) -> Any:
    """A column's value as canonical JSON spells it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
