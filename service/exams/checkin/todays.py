"""The sealed template of today's admission, against which a return is verified as well.

Off unless an exam turns it on. It goes when the session closes, and with the admission, the enrolment that
it was compared with (and so with an erasure or a withdrawal), and the exam.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session as OrmSession

from embedding.embedder import Embedding
from embedding.template import Template, distance
from index.database.database import Database
from index.errors import TemplateUnreadable
from index.resealing import SealedTable
from index.sealing.cipher import build_binding
from index.tables import utc_now
from service.decisions.decision import Outcome, decide
from service.exams.checkin.comparison import Comparison
from service.exams.checkin.rules import Expected
from service.exams.context import Desk
from service.exams.schemas import Verdict
from service.exams.states import ENTRY
from service.exams.tables import AdmissionTemplateRow, CheckinRow, ExamRow, RosterEntryRow, SessionRow

ADMISSION_TEMPLATES = SealedTable(
    "admission_templates",
    AdmissionTemplateRow.entry_id,
    AdmissionTemplateRow.entry_id,
    AdmissionTemplateRow.sealed,
    AdmissionTemplateRow.key_id,
    lambda _, row: todays_binding(row.entry_id, row.session_id),
)


def todays_binding(entry_id: UUID, session_id: UUID) -> bytes:
    """What a template of today belongs to."""
    return build_binding("admission_template", entry_id, session_id)


def keep_todays(
    db: OrmSession, desk: Desk, expected: Expected, row: CheckinRow, comparison: Comparison, probe: Embedding
) -> None:
    """Keep the template of a photograph by which the machine let somebody in, where the exam keeps it."""
    is_admission = row.outcome == Verdict.ADMITTED and row.kind == ENTRY
    if not (is_admission and expected.exam.keep_admission_template) or desk.cipher is None:
        return
    if row.entry_id is None:
        return
    vector = probe.template.vector.astype(np.float32).tobytes()
    sealed, key_id = desk.cipher.seal(todays_binding(row.entry_id, row.session_id), vector)
    db.add(
        AdmissionTemplateRow(
            entry_id=row.entry_id,
            session_id=row.session_id,
            template_id=comparison.nearest.template_id,
            model_id=probe.template.model_id,
            sealed=sealed,
            key_id=key_id,
        )
    )


def with_todays(desk: Desk, expected: Expected, comparison: Comparison, probe: Embedding) -> Comparison:
    """The comparison of a return, with today's template beside the enrolment: the nearer one counts.

    Where the enrolment matches and today's does not at all, the two disagree: whoever was let in is somebody
    else than who comes back, and a person decides.
    """
    entry = expected.entry
    today = distance_to_todays(desk, expected, entry, probe.template) if entry else None
    if today is None:
        return comparison
    by_today = decide(today, comparison.policy)
    if comparison.decision is Outcome.MATCH and by_today is Outcome.NO_MATCH:
        return replace(comparison, differs_from_todays=True)
    if today >= comparison.nearest.d:
        return comparison
    return replace(
        comparison, nearest=replace(comparison.nearest, d=today), decision=by_today, is_by_todays=True
    )


def distance_to_todays(
    desk: Desk, expected: Expected, entry: RosterEntryRow, probe: Template
) -> float | None:
    """d between a probe and today's template; None where none is kept, or none of this model that opens."""
    if not expected.exam.keep_admission_template or desk.cipher is None:
        return None
    with desk.database.read() as db:
        kept = db.get(AdmissionTemplateRow, entry.id)
    if kept is None or kept.model_id != probe.model_id:
        return None
    binding = todays_binding(kept.entry_id, kept.session_id)
    try:
        plain = desk.cipher.open(kept.entry_id, binding, kept.sealed, kept.key_id)
    except TemplateUnreadable:
        # The enrolment alone decides, as where nothing is kept; `invigil db check` names the row.
        return None
    return distance(Template(np.frombuffer(plain, np.float32), kept.model_id), probe)


def purge_todays(database: Database) -> int:
    """Remove the templates of sessions that have closed, and of exams that keep none any more.

    Returns:
        How many were removed.
    """
    over = (
        select(SessionRow.id)
        .join(ExamRow, ExamRow.id == SessionRow.exam_id)
        .where(or_(SessionRow.closes_at <= utc_now(), ExamRow.keep_admission_template.is_(False)))
    )
    with database.write(ordered=False) as db:
        removed = delete(AdmissionTemplateRow).where(AdmissionTemplateRow.session_id.in_(over))
        gone = len(db.scalars(removed.returning(AdmissionTemplateRow.entry_id)).all())
    if gone:
        database.settle()
    return gone


def next_closing(database: Database) -> datetime | None:
    """When the next session closes of which templates are kept."""
    query = select(func.min(SessionRow.closes_at)).where(
        SessionRow.id.in_(select(AdmissionTemplateRow.session_id))
    )
    with database.read() as db:
        return db.scalar(query)
