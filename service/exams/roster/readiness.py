"""The day before: who cannot be verified and why, and who looks like whom."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session as OrmSession

from index.consent.legal_basis import BasisState, has_ended, is_in_state
from index.database.batches import batches
from index.gallery.poor import find_poor_reasons
from index.tables import SubjectRow, TemplateRow, utc_now
from index.twins import Twin, twins_of
from service.decisions.decision import Thresholds
from service.decisions.scores import SCORE, Scored
from service.exams.context import Desk
from service.exams.exams import exam_row, has_faces_on
from service.exams.policies import exam_rates, policy_in_force
from service.exams.roster.report import LISTED
from service.exams.schemas import Person
from service.exams.sessions import session_row
from service.exams.tables import RosterEntryRow, SessionRow
from service.models.loaded import Serving

Obstacle = Literal[
    "no_template",
    "template_unreadable",
    "old_model",
    "poor_quality",
    "subject_erased",
    "manual_identification",
    "legal_basis_expired",
    "legal_basis_withdrawn",
    "twin",
]


class CannotVerify(Person):
    """A candidate for whom a photograph alone will not do, or may not."""

    reason: Obstacle
    detail: str | None = None


class LookAlikes(Scored):
    """Two candidates whose templates are nearer than the refer threshold."""

    a: Person
    b: Person
    d: float = Field(json_schema_extra=SCORE)
    fmr_at_d: float | None = Field(json_schema_extra=SCORE)
    grade: Literal["match", "refer"] = Field(
        description="`match`: a camera alone may take one for the other; `refer`: a person would be asked"
    )
    flagged_twins: bool = Field(
        description="both marked on the roster, or one enrolled in spite of the other"
    )


class ExpiringBasis(Person):
    """A candidate whose legal basis ends soon: unless it is renewed, then identified by a document."""

    expires_at: datetime
    ends_before_session: bool = Field(description="whether it ends before the session closes")


class Photograph(Person):
    """A candidate and the newest photograph that they are compared with."""

    enrolled_at: datetime


class Readiness(Scored):
    """What there is to do before a session opens."""

    session_id: UUID
    room: str
    candidates: int
    ready: int
    cannot_verify: list[CannotVerify]
    legal_basis_expiring: list[ExpiringBasis]
    look_alikes: list[LookAlikes]
    photographs: list[Photograph] = Field(
        description=f"the oldest first, the first {LISTED}: of the newest template of each candidate"
    )
    threshold: Thresholds = Field(json_schema_extra=SCORE)
    model_id: str
    computed_ms: float


class ExamReadiness(Scored):
    """What there is to do before an exam: room by room, and who looks alike in any of them."""

    exam_id: UUID
    candidates: int
    ready: int
    sessions: list[Readiness]
    look_alikes: list[LookAlikes]


def exam_readiness(desk: Desk, exam_id: UUID) -> ExamReadiness:
    """Every candidate of every session of an exam looked at, all pairs compared, between rooms too.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    with desk.database.read() as db:
        exam = exam_row(db, exam_id)
        query = select(SessionRow).where(SessionRow.exam_id == exam_id)
        rows = db.scalars(query.order_by(SessionRow.room, SessionRow.opens_at, SessionRow.id)).all()
        mine = RosterEntryRow.session_id.in_([row.id for row in rows])
        entries = db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id)).all()
        rates = exam_rates(desk, exam)
        compared = entries if has_faces_on(exam) else []
    sessions = [readiness(desk, row.id) for row in rows]
    return ExamReadiness(
        exam_id=exam_id,
        candidates=sum(one.candidates for one in sessions),
        ready=sum(one.ready for one in sessions),
        sessions=sessions,
        look_alikes=look_alikes(desk, compared, rates),
    )


def readiness(desk: Desk, session_id: UUID) -> Readiness:
    """Every candidate of a session looked at, all pairs compared in one batch.

    Raises:
        SessionNotFound: If there is no such session.
    """
    started = time.perf_counter()
    with desk.database.read() as db:
        row = session_row(db, session_id)
        exam = exam_row(db, row.exam_id)
        policy = policy_in_force(desk, row, exam)
        mine = RosterEntryRow.session_id == session_id
        entries = db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id)).all()
        # Without faces nobody has to be verified by one, and nobody looks like anybody.
        compared = entries if has_faces_on(exam) else []
        obstacles = list(obstacles_of(db, compared, desk.serving))
        expiring = list(expiring_of(db, compared, row, desk.warned_before))
        enrolled = newest_templates(db, [entry.subject_id for entry in compared if entry.subject_id])
        room = row.room
    return Readiness(
        session_id=session_id,
        room=room,
        candidates=len(entries),
        ready=len(entries) - len(obstacles),
        cannot_verify=obstacles,
        legal_basis_expiring=expiring,
        look_alikes=look_alikes(desk, compared, (policy.match_fmr, policy.refer_fmr)),
        photographs=photographs_of(compared, enrolled)[:LISTED],
        threshold=Thresholds(match=policy.match, refer=policy.refer),
        model_id=desk.gallery.model_id,
        computed_ms=round((time.perf_counter() - started) * 1000, 1),
    )


def newest_templates(db: OrmSession, subject_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When the newest template of each subject was enrolled."""
    found: dict[UUID, datetime] = {}
    for batch in batches(subject_ids):
        newest = func.max(TemplateRow.created_at)
        query = select(TemplateRow.subject_id, newest).where(TemplateRow.subject_id.in_(batch))
        found |= {row[0]: row[1] for row in db.execute(query.group_by(TemplateRow.subject_id))}
    return found


def photographs_of(entries: Iterable[RosterEntryRow], enrolled: Mapping[UUID, datetime]) -> list[Photograph]:
    """Those who have a template, the oldest first."""
    found = []
    for entry in entries:
        at = enrolled.get(entry.subject_id or entry.id)
        if at is not None:
            found.append(Photograph(**vars(person(entry)), enrolled_at=at))
    return sorted(found, key=lambda one: one.enrolled_at)


def subjects_without_template(desk: Desk, session_id: UUID) -> list[UUID]:
    """Who of a roster has no template and may be enrolled, in the order of their external ids.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        session_row(db, session_id)
        mine = RosterEntryRow.session_id == session_id
        entries = db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id)).all()
        lacking = {
            one.external_id
            for one in obstacles_of(db, entries, desk.serving)
            if one.reason in ("no_template", "old_model")
        }
        return [one.subject_id for one in entries if one.subject_id and one.external_id in lacking]


def obstacles_of(
    db: OrmSession, entries: Sequence[RosterEntryRow], serving: Serving
) -> Iterator[CannotVerify]:
    """Who cannot be verified by a photograph; each for the first reason that applies."""
    subject_ids = [entry.subject_id for entry in entries if entry.subject_id]
    damaged = serving.find_unreadable(subject_ids)
    templates, twins = templates_of(db, subject_ids), twins_of(db, subject_ids)
    ended = bases_of(db, subject_ids, has_ended())
    for entry in entries:
        key = entry.subject_id or entry.id
        reason, detail = obstacle(entry, templates.get(key, []), serving.ids)
        if key in damaged and reason in (None, "poor_quality"):
            reason, detail = "template_unreadable", "remove it and enrol again"
        if key in ended and reason != "manual_identification":
            reason, detail = basis_obstacle(ended[key])
        if reason is None and (entry.twin or key in twins):
            reason, detail = "twin", twin_detail(twins.get(key, []))
        if reason is not None:
            yield CannotVerify(**vars(person(entry)), reason=reason, detail=detail)


def bases_of(
    db: OrmSession, subject_ids: Sequence[UUID], condition: ColumnElement[bool]
) -> dict[UUID, SubjectRow]:
    """Those of the subjects whose legal basis is such."""
    return {
        row.id: row
        for batch in batches(subject_ids)
        for row in db.scalars(select(SubjectRow).where(SubjectRow.id.in_(batch), condition))
    }


def basis_obstacle(subject: SubjectRow) -> tuple[Obstacle, str]:
    """What has become of a basis that has ended."""
    if subject.withdrawn_at is not None:
        return "legal_basis_withdrawn", f"withdrawn on {subject.withdrawn_at:%Y-%m-%d}"
    return "legal_basis_expired", f"ended on {subject.basis_expires_at:%Y-%m-%d}"


def expiring_of(
    db: OrmSession, entries: Sequence[RosterEntryRow], row: SessionRow, warned_before: timedelta
) -> Iterator[ExpiringBasis]:
    """Candidates whose basis ends soon, or before the session does."""
    now = utc_now()
    until = max(row.closes_at - now, warned_before)
    subject_ids = [entry.subject_id for entry in entries if entry.subject_id]
    found = bases_of(db, subject_ids, is_in_state(BasisState.EXPIRING, now, until))
    for entry in entries:
        subject = found.get(entry.subject_id or entry.id)
        if subject is not None and subject.basis_expires_at is not None and not entry.is_for_a_person:
            yield ExpiringBasis(
                **vars(person(entry)),
                expires_at=subject.basis_expires_at,
                ends_before_session=subject.basis_expires_at < row.closes_at,
            )


def twin_detail(twins: Sequence[Twin]) -> str | None:
    """Whom a candidate was enrolled in spite of, and why; None where the roster alone says it."""
    return "; ".join(f"{one.external_id or one.subject_id}: {one.reason}" for one in twins) or None


def templates_of(db: OrmSession, subject_ids: Sequence[UUID]) -> dict[UUID, list[TemplateRow]]:
    """The subjects' templates of every model, without their vectors."""
    found: dict[UUID, list[TemplateRow]] = {}
    for batch in batches(subject_ids):
        query = select(TemplateRow.subject_id, TemplateRow.model_id, TemplateRow.quality)
        for one in db.execute(query.where(TemplateRow.subject_id.in_(batch))):
            found.setdefault(one.subject_id, []).append(one)  # type: ignore[arg-type]
    return found


def obstacle(
    entry: RosterEntryRow, templates: Sequence[TemplateRow], model_ids: Sequence[str]
) -> tuple[Obstacle | None, str | None]:
    """Why this candidate cannot be verified, if so."""
    if entry.manual_identification:
        return "manual_identification", "agreed: identified by a document"
    if entry.private_check:
        return "manual_identification", "agreed: checked apart, by a document"
    if entry.subject_id is None:
        return "subject_erased", None
    if not templates:
        return "no_template", None
    newest = next((one for one in model_ids if any(one == each.model_id for each in templates)), None)
    own = [one for one in templates if one.model_id == newest]
    if not own:
        return "old_model", f"enrolled with {len(templates)} templates of another model"
    poor = [", ".join(find_poor_reasons(one.quality)) for one in own]
    return ("poor_quality", poor[0]) if all(poor) else (None, None)


def look_alikes(
    desk: Desk, entries: Iterable[RosterEntryRow], rates: tuple[float, float]
) -> list[LookAlikes]:
    """Pairs of candidates within the refer threshold, nearest first; only one model's can be compared.

    Args:
        desk: With the galleries.
        entries: The candidates.
        rates: Match and refer rate.
    """
    by_subject = {entry.subject_id: entry for entry in entries if entry.subject_id}
    known = desk.serving.models_of(list(by_subject))
    with desk.database.read() as db:
        enrolled = twins_of(db, list(by_subject))
    pairs = {(one, twin.subject_id) for one, twins in enrolled.items() for twin in twins}
    return [
        LookAlikes(
            a=person(by_subject[a]),
            b=person(by_subject[b]),
            d=d,
            fmr_at_d=model.calibration.fmr_at(d),
            grade="match" if d <= policy.match else "refer",
            flagged_twins=(by_subject[a].twin and by_subject[b].twin) or (a, b) in pairs,
        )
        for model in desk.serving.models
        for policy in [model.supported_policy(*rates)]
        for a, b, d in model.gallery.find_close_pairs(
            [one for one in by_subject if known.get(one) is model], policy.refer
        )
    ]


def person(entry: RosterEntryRow) -> Person:
    """A candidate in few words."""
    return Person(external_id=entry.external_id, display_name=entry.display_name, seat=entry.seat)
