"""Exams: the rules under which people are checked in."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.ids import uuid7
from index.tables import utc_now
from service.exams.audit import EXAM_CHANGED, note
from service.exams.context import Desk
from service.exams.errors import ExamArchived, ExamInvalid, ExamNotFound
from service.exams.guard import By, changed_values, guard_exam, refuse_higher_rates
from service.exams.policies import exam_rates, require_rates
from service.exams.schemas import Exam, ExamDefaults, ReasonCode
from service.exams.tables import ExamRow
from service.exams.terms import ExamChanges, ExamTerms, columns_of, merged


def create_exam(desk: Desk, terms: ExamTerms, origin: Origin, exam_id: UUID | None = None) -> Exam:
    """Make an exam; the same `exam_id` again gives the exam that was made.

    Raises:
        ExamInvalid: If times or rates make no sense, or pictures are to be kept with no key to encrypt them.
    """
    check_exam(desk, terms)
    installed = (desk.policy.match_fmr, desk.policy.refer_fmr)
    refuse_higher_rates(installed, exam_rates(desk, terms), origin)
    with desk.database.write() as db:
        row = db.get(ExamRow, exam_id) if exam_id else None
        if row is None:
            row = ExamRow(id=exam_id or uuid7(), created_at=utc_now(), **columns_of(terms))
            db.add(row)
            note(db, "exam.created", origin, exam_id=row.id)
        return exam_document(desk, row)


def change_exam(desk: Desk, exam_id: UUID, changes: ExamChanges, origin: Origin) -> Exam:
    """Change what was given and leave the rest.

    Raises:
        ExamNotFound: If there is no such exam.
        ExamInvalid: As `create_exam`.
        ExamArchived: If it is in the archive and is not taken out of it.
        Forbidden, ReasonRequired: If it takes an administrator, or a reason.
    """
    by = By(origin=origin, reason=changes.reason)
    with desk.database.write() as db:
        row = exam_row(db, exam_id)
        former = {"archived_at": row.archived_at}
        if row.archived_at is not None and changes.archived is False:
            by.require_admin(["taking an exam out of the archive"])
            row.archived_at = None
        row = live_exam_row(db, exam_id)
        terms = merged(ExamTerms, row, changes)
        check_exam(desk, terms)
        rates = (exam_rates(desk, row), exam_rates(desk, terms))
        guard_exam(db, row, terms, rates, by)
        values = columns_of(terms)
        changed = changed_values({name: getattr(row, name) for name in values}, values)
        changed |= changed_values(former, {"archived_at": row.archived_at})
        for name, value in values.items():
            setattr(row, name, value)
        note(
            db,
            EXAM_CHANGED,
            origin,
            exam_id=row.id,
            fields=sorted(changes.model_fields_set - {"reason"}),
            changes=changed,
            reason=changes.reason,
        )
        return exam_document(desk, row)


def find_exam(desk: Desk, exam_id: UUID) -> Exam:
    """One exam.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    with desk.database.read() as db:
        return exam_document(desk, exam_row(db, exam_id))


def exam_defaults(desk: Desk) -> ExamDefaults:
    """What holds for an exam that sets nothing itself."""
    given = {
        name: ExamTerms.model_fields[name].get_default()
        for name in ExamDefaults.model_fields
        if name in ExamTerms.model_fields
    }
    rates = {"match_fmr": desk.policy.match_fmr, "refer_fmr": desk.policy.refer_fmr}
    return ExamDefaults(**{**given, **rates}, can_keep_pictures=desk.cipher is not None)


def exams_page(
    desk: Desk,
    limit: int,
    before: UUID | None = None,
    *,
    archived: bool = False,
    only: Collection[UUID] | None = None,
    within: tuple[datetime | None, datetime | None] = (None, None),
) -> list[Exam]:
    """Up to `limit` exams, newest first, from the one made before `before`: in the archive, or the others.

    Args:
        only: Of these alone; None for all.
        within: Those that end at the first moment or later, and start before the second.
    """
    in_archive = ExamRow.archived_at.is_not(None) if archived else ExamRow.archived_at.is_(None)
    query = select(ExamRow).where(in_archive).order_by(ExamRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ExamRow.id < before)
    since, until = within
    if since is not None:
        query = query.where(ExamRow.ends_at >= since)
    if until is not None:
        query = query.where(ExamRow.starts_at < until)
    if only is not None:
        query = query.where(ExamRow.id.in_(list(only)))
    with desk.database.read() as db:
        return [exam_document(desk, row) for row in db.scalars(query)]


def exam_row(db: OrmSession, exam_id: UUID) -> ExamRow:
    """The exam's row.

    Raises:
        ExamNotFound: If there is none.
    """
    row = db.get(ExamRow, exam_id)
    if row is None:
        raise ExamNotFound(exam_id)
    return row


def live_exam_row(db: OrmSession, exam_id: UUID) -> ExamRow:
    """The row of an exam that may still change.

    Raises:
        ExamNotFound: If there is none.
        ExamArchived: If it is in the archive.
    """
    row = exam_row(db, exam_id)
    if row.archived_at is not None:
        raise ExamArchived(row.archived_at)
    return row


def check_exam(desk: Desk, terms: ExamTerms) -> None:
    """Refuse an exam that could not be held.

    Raises:
        ExamInvalid: Naming the field.
    """
    check_window("ends_at", terms.starts_at, terms.ends_at)
    require_rates(desk, exam_rates(desk, terms))
    if terms.appeal_ends_at is not None and terms.appeal_ends_at < terms.ends_at:
        raise ExamInvalid("appeal_ends_at", "appeals cannot end before the exam")
    codes = [reason.code for reason in terms.reason_codes]
    if len(set(codes)) < len(codes):
        raise ExamInvalid("reason_codes", "a code is there twice")
    asked = {
        "keep_probe_thumbnails": terms.keep_probe_thumbnails,
        "keep_admission_template": terms.keep_admission_template,
    }
    # The default asks for nothing: without a key no picture is kept, and cases are decided without.
    asked |= {"case_pictures": terms.case_pictures == "appeals"}
    for field, is_asked in asked.items():
        if is_asked and desk.cipher is None:
            raise ExamInvalid(field, "no template key is set, so it could not be encrypted")


def check_window(field: str, start: datetime, end: datetime) -> None:
    """Refuse a window that ends before it begins.

    Raises:
        ExamInvalid: Naming the field of its end.
    """
    if end <= start:
        raise ExamInvalid(field, "must be after the beginning")


def exam_document(desk: Desk, row: ExamRow) -> Exam:
    """The exam with the rates in force."""
    match_fmr, refer_fmr = exam_rates(desk, row)
    return Exam(
        id=row.id,
        name=row.name,
        reference=row.reference,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        match_fmr=match_fmr,
        refer_fmr=refer_fmr,
        own_match_fmr=row.match_fmr,
        own_refer_fmr=row.refer_fmr,
        attempts_allowed=row.attempts_allowed,
        reason_codes=[ReasonCode(**one) for one in row.reason_codes],
        keep_probe_thumbnails=row.keep_probe_thumbnails,
        keep_admission_template=row.keep_admission_template,
        thumbnail_retention_days=row.thumbnail_retention_days,
        case_pictures=row.case_pictures,  # type: ignore[arg-type]
        appeal_ends_at=row.appeal_ends_at or row.ends_at,
        retention_days=row.retention_days,
        identification=row.identification,
        faces=row.faces,  # type: ignore[arg-type]
        offline=row.offline,  # type: ignore[arg-type]
        motion=row.motion,  # type: ignore[arg-type]
        created_at=row.created_at,
        purged_at=row.purged_at,
        archived_at=row.archived_at,
    )


def is_pilot(exam: ExamRow) -> bool:
    """Whether photographs are compared and decide nothing."""
    return exam.faces == "pilot"


def has_faces_on(exam: ExamRow) -> bool:
    """Whether photographs are compared in this exam."""
    return exam.faces != "off"
