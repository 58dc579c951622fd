"""Who may come in: the rules that every way of being checked in shares, and the one place that admits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session as OrmSession

from embedding.image import Pixels
from index.audit import Origin
from index.consent.legal_basis import find_ended
from index.external_ids import build_external_key
from index.subjects.subjects import choose_meant
from index.tables import utc_now
from service.errors import SessionNotFound
from service.exams.audit import CHECKIN_DECLINED, CHECKIN_RECORDED, note, note_evidence
from service.exams.case_pictures import forget_case
from service.exams.context import Desk
from service.exams.errors import (
    AlreadyCheckedIn,
    AttemptsExhausted,
    CandidateRefused,
    CandidateRequired,
    EntryOver,
    ExamArchived,
    FacesOff,
    ManualIdentificationAgreed,
    NotOnRoster,
    ReturnByDocument,
    SessionClosed,
)
from service.exams.exams import has_faces_on
from service.exams.movement.reading import whereabouts_of
from service.exams.movement.recording import count_movements, record_movement, require_move
from service.exams.movement.rules import find_entry_end
from service.exams.schemas import Verdict
from service.exams.sessions import attempts_of, session_row
from service.exams.states import ENTRY, LET_IN, PAPER, RETURN, Move
from service.exams.status import NEVER_CAME, read_statuses
from service.exams.tables import AdmissionRow, CheckinRow, ExamRow, OverrideRow, RosterEntryRow, SessionRow

MOST_UNDECIDED_SEARCHES = 10
"""Of one kiosk, without a claim and without a candidate found."""

EXPECTED = (
    select(SessionRow, ExamRow, RosterEntryRow)
    .join(ExamRow, ExamRow.id == SessionRow.exam_id)
    .outerjoin(
        RosterEntryRow,
        (RosterEntryRow.session_id == SessionRow.id)
        & (RosterEntryRow.external_key == bindparam("external_key")),
    )
    .where(SessionRow.id == bindparam("session_id"))
)


@dataclass(frozen=True)
class Arrival:
    """Somebody at the door.

    Attributes:
        external_id: Who they say they are; None lets the photograph tell.
        client_time: The kiosk's clock: recorded, never believed.
        since_claim_ms: How long ago the number was given, by the kiosk; for reports alone.
        final: The kiosk asks for no other picture: this one makes an attempt even where it cannot be used.
        kind: `entry`, `return` of somebody who has gone out, or `repeat` of somebody whose case is settled.
        frames: Of the moments before the photograph, all of one size.
    """

    session_id: UUID
    external_id: str | None = None
    seat: str | None = None
    kiosk: str | None = None
    client_time: datetime | None = None
    final: bool = False
    kind: str = ENTRY
    since_claim_ms: int | None = None
    frames: Sequence[Pixels] = ()


@dataclass(frozen=True)
class Expected:
    """What is known about an arrival before anything is compared."""

    session: SessionRow
    exam: ExamRow
    entry: RosterEntryRow | None


def expect(db: OrmSession, arrival: Arrival) -> Expected:
    """The session, which must be open by the server's clock, and the claimed candidate's entry.

    Raises:
        SessionNotFound: If there is no such session.
        ExamArchived: If its exam is in the archive.
        SessionClosed: If it is not open now.
        CandidateRequired: If nobody is claimed in an exam that does not identify people by their faces.
        NotOnRoster: If the claimed candidate is not expected.
        ExternalIdAmbiguous: If several candidates have an equal id.
    """
    claimed = arrival.external_id
    wanted = {"session_id": arrival.session_id, "external_key": claimed and build_external_key(claimed)}
    found = db.execute(EXPECTED, wanted).all()
    if not found:
        raise SessionNotFound(arrival.session_id)
    row, exam, _ = found[0]
    expected = Expected(row, exam, entry_meant_by(claimed, [entry for _, _, entry in found if entry]))
    if exam.archived_at is not None:
        raise ExamArchived(exam.archived_at)
    require_open(expected.session)
    searches = expected.exam.identification and has_faces_on(expected.exam) and arrival.kind == ENTRY
    if arrival.external_id is None and not searches:
        raise CandidateRequired
    if arrival.external_id is not None and expected.entry is None:
        raise NotOnRoster(arrival.external_id)
    return expected


def require_open(row: SessionRow) -> None:
    """Refuse what comes before or after the session's window.

    Raises:
        SessionClosed: With the window and the server's clock.
    """
    now = utc_now()
    if not row.opens_at <= now < row.closes_at:
        raise SessionClosed(row.opens_at, row.closes_at, now)


def entry_named(db: OrmSession, session_id: UUID, external_id: str) -> RosterEntryRow:
    """The candidate's roster entry.

    Raises:
        NotOnRoster: If there is none in this session.
        ExternalIdAmbiguous: If several candidates have an equal id.
    """
    entry = find_entry(db, session_id, external_id)
    if entry is None:
        raise NotOnRoster(external_id)
    return entry


def find_entry(db: OrmSession, session_id: UUID, external_id: str | None) -> RosterEntryRow | None:
    """The candidate's roster entry, however the id is spelled; None where there is none.

    Raises:
        ExternalIdAmbiguous: If several candidates have an equal id.
    """
    if external_id is None:
        return None
    same = RosterEntryRow.external_key == build_external_key(external_id)
    query = select(RosterEntryRow).where(RosterEntryRow.session_id == session_id, same)
    return entry_meant_by(external_id, db.scalars(query).all())


def entry_meant_by(external_id: str | None, found: Sequence[RosterEntryRow]) -> RosterEntryRow | None:
    """The one of several entries with an equal id that is meant.

    Raises:
        ExternalIdAmbiguous: If several candidates have an equal id, and none is spelled so.
    """
    if external_id is None:
        return None
    entry_id = choose_meant(external_id, [(entry.id, entry.external_id) for entry in found])
    return next((entry for entry in found if entry.id == entry_id), None)


def require_not_in(db: OrmSession, entry: RosterEntryRow) -> None:
    """Refuse whoever has been let in.

    Raises:
        AlreadyCheckedIn: With time and seat of the first time.
    """
    admission = db.get(AdmissionRow, entry.id)
    if admission is not None:
        raise AlreadyCheckedIn(admission.checkin_id, admission.at, admission.seat)


@dataclass(frozen=True)
class Elsewhere:
    """Where else a candidate has been let in."""

    admission: AdmissionRow
    entry: RosterEntryRow
    session: SessionRow


def admitted_elsewhere(
    db: OrmSession, session: SessionRow, exam: ExamRow, entry: RosterEntryRow
) -> Elsewhere | None:
    """The candidate's admission to this exam by another entry, or to another exam at the same time.

    An exam is sat once, whatever the windows of its rooms. Two exams are at the same time where they overlap
    and the windows of the two sessions do: doors of an afternoon's exam may open before the morning's has
    closed, and that is one after the other.
    """
    same_time = (
        SessionRow.opens_at < session.closes_at,
        SessionRow.closes_at > session.opens_at,
        ExamRow.starts_at < exam.ends_at,
        ExamRow.ends_at > exam.starts_at,
    )
    cannot_be_both = (RosterEntryRow.id != entry.id) & (or_(SessionRow.exam_id == exam.id, and_(*same_time)))
    # By number within these sessions and by subject over all: each has an index of its own.
    by_number = (
        select(RosterEntryRow.id)
        .join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
        .join(ExamRow, ExamRow.id == SessionRow.exam_id)
        .where(cannot_be_both, RosterEntryRow.external_key == entry.external_key)
    )
    by_subject = select(RosterEntryRow.id).where(RosterEntryRow.subject_id == entry.subject_id)
    found = db.execute(
        select(AdmissionRow, RosterEntryRow, SessionRow)
        .join(RosterEntryRow, RosterEntryRow.id == AdmissionRow.entry_id)
        .join(SessionRow, SessionRow.id == AdmissionRow.session_id)
        .join(ExamRow, ExamRow.id == SessionRow.exam_id)
        .where(cannot_be_both, AdmissionRow.entry_id.in_(by_number.union(by_subject)))
        .order_by(SessionRow.exam_id != exam.id, AdmissionRow.at)
        .limit(1)
    ).one_or_none()
    return Elsewhere(*found) if found else None


def require_not_in_another_room(
    db: OrmSession, session: SessionRow, exam: ExamRow, entry: RosterEntryRow
) -> None:
    """Refuse to let somebody into two rooms of one exam; whether two exams go together, a person knows.

    Raises:
        AlreadyCheckedIn: With time, room and seat of the first time.
    """
    elsewhere = admitted_elsewhere(db, session, exam, entry)
    if elsewhere is not None and elsewhere.session.exam_id == exam.id:
        first, where = elsewhere.admission, (elsewhere.session.id, elsewhere.session.room)
        raise AlreadyCheckedIn(first.checkin_id, first.at, first.seat, where)


def require_another_photograph(db: OrmSession, expected: Expected, entry: RosterEntryRow) -> None:
    """Refuse a photograph of a candidate whose case is settled, or of whom none is to be looked at.

    Raises:
        ManualIdentificationAgreed: If it was agreed to go without, the candidate is checked apart, or there
            is no legal basis to look: at the door nobody learns which.
        AlreadyCheckedIn: If the candidate is in.
        CandidateRefused: If an invigilator has refused the candidate.
        EntryOver: If nobody comes in any more.
        FacesOff: If no face is looked at in this exam.
        AttemptsExhausted: If as many were taken as are allowed.
    """
    # Who is checked apart is told the same: neither a queue nor a log learns which of them it is.
    if entry.private_check:
        raise ManualIdentificationAgreed
    # Where no photograph is taken of anybody, none was agreed upon with this candidate either.
    if has_faces_on(expected.exam) and (entry.manual_identification or has_no_basis(db, entry)):
        raise ManualIdentificationAgreed
    current = read_statuses(db, entry.session_id, [entry.id]).get(entry.id, NEVER_CAME)
    if current.status in LET_IN:
        require_not_in(db, entry)
    if current.status == Verdict.REFUSED and current.checkin_id is not None:
        raise CandidateRefused(current.checkin_id)
    require_entry_open(db, expected)
    if not has_faces_on(expected.exam):
        raise FacesOff
    allowed = attempts_of(expected.session, expected.exam, entry)
    if current.attempts >= allowed:
        raise AttemptsExhausted(current.attempts, allowed)


def require_photograph(db: OrmSession, expected: Expected, entry: RosterEntryRow, kind: str) -> None:
    """Refuse a photograph that is not to be looked at, of somebody who comes in or comes back."""
    if kind == RETURN:
        require_return_photograph(db, expected, entry)
    else:
        require_another_photograph(db, expected, entry)


def require_return_photograph(db: OrmSession, expected: Expected, entry: RosterEntryRow) -> None:
    """Refuse a photograph of somebody who is not out, or who comes back by a document.

    Raises:
        NotCheckedIn, MovementImpossible: If the candidate cannot come back.
        ReturnByDocument: If the candidate came in by one, or no face is to be looked at.
        AttemptsExhausted: If as many were taken since the exit as are allowed.
    """
    require_move(db, expected.session, entry, Move.RETURN)
    admission = db.get_one(AdmissionRow, entry.id)
    is_known_by_face = admission.outcome == Verdict.ADMITTED and has_faces_on(expected.exam)
    if not is_known_by_face or entry.is_for_a_person or has_no_basis(db, entry):
        raise ReturnByDocument
    allowed = attempts_of(expected.session, expected.exam, entry)
    made = return_attempts(db, entry)
    if made >= allowed:
        raise AttemptsExhausted(made, allowed)


def return_attempts(db: OrmSession, entry: RosterEntryRow) -> int:
    """How many photographs of a candidate were compared since the last exit."""
    absences = whereabouts_of(db, entry.session_id, entry.id).absences
    if not absences:
        return 0
    mine = CheckinRow.entry_id == entry.id, CheckinRow.kind == RETURN, CheckinRow.decision.is_not(None)
    since = CheckinRow.created_at >= absences[-1].since
    return db.scalar(select(func.count()).select_from(CheckinRow).where(*mine, since)) or 0


def require_entry_open(db: OrmSession, expected: Expected, reason: str | None = None) -> None:
    """Refuse whoever comes too late by the session's rules, unless a person lets in with a reason.

    Raises:
        EntryOver: With the rule, and since when it is so.
    """
    closed = find_entry_end(db, expected.session, expected.exam, utc_now())
    if closed is not None and (reason is None or expected.session.late_entry == "never"):
        raise EntryOver(closed.rule, closed.since)


def require_search_left(db: OrmSession, session_id: UUID, actor: str) -> None:
    """Refuse to look for another face where as many of this kiosk's were nobody's, and nobody has decided.

    A candidate has so many attempts; whoever claims nobody would have as many as there is time for.

    Raises:
        AttemptsExhausted: Until a person has decided on one of them.
    """
    nobodys = (CheckinRow.session_id == session_id) & CheckinRow.entry_id.is_(None)
    is_decided = select(OverrideRow.id).where(OverrideRow.checkin_id == CheckinRow.id).exists()
    count = select(func.count()).where(nobodys, CheckinRow.actor == actor, ~is_decided)
    made = db.scalar(count) or 0
    if made >= MOST_UNDECIDED_SEARCHES:
        raise AttemptsExhausted(made, MOST_UNDECIDED_SEARCHES)


def has_no_basis(db: OrmSession, entry: RosterEntryRow) -> bool:
    """Whether the candidate's legal basis has ended; it is read anew before each decision."""
    return entry.subject_id is not None and bool(find_ended(db, [entry.subject_id]))


def seat_for(db: OrmSession, row: SessionRow, entry: RosterEntryRow | None, asked: str | None) -> str | None:
    """The roster's seat; where it gives none, the one asked for; None where somebody else has it.

    Even the roster's may be in use: a new roster can give away the seat of somebody who is in already.
    """
    own = entry.seat if entry is not None else None
    seat = own or asked
    if not seat:
        return None
    of_others = RosterEntryRow.session_id == row.id, RosterEntryRow.seat == seat
    in_use = AdmissionRow.session_id == row.id, AdmissionRow.seat == seat
    reserved = own is None and db.scalar(select(RosterEntryRow.id).where(*of_others))
    taken = db.scalar(select(AdmissionRow.entry_id).where(*in_use))
    return None if reserved or taken else seat


def seat_of(db: OrmSession, expected: Expected, entry: RosterEntryRow | None, arrival: Arrival) -> str | None:
    """The seat that an arrival leads to; who comes back has one."""
    admission = db.get(AdmissionRow, entry.id) if entry is not None and arrival.kind != ENTRY else None
    if admission is not None:
        return admission.seat
    return seat_for(db, expected.session, entry, arrival.seat)


def next_attempt(db: OrmSession, entry: RosterEntryRow | None) -> int | None:
    """The number of the candidate's next attempt in this session, photographs and documents together."""
    if entry is None:
        return None
    count = select(func.count()).select_from(CheckinRow).where(CheckinRow.entry_id == entry.id)
    return (db.scalar(count) or 0) + 1


def begun(
    db: OrmSession,
    expected: Expected,
    entry: RosterEntryRow | None,
    arrival: Arrival,
    origin: Origin,
    **columns: Any,
) -> CheckinRow:
    """An attempt's row of evidence: who, where, when and in whose name; `columns` say how it went."""
    return CheckinRow(
        exam_id=expected.exam.id,
        session_id=expected.session.id,
        entry_id=entry.id if entry else None,
        subject_id=entry.subject_id if entry else None,
        external_id=entry.external_id if entry else None,
        kind=arrival.kind,
        seat=seat_of(db, expected, entry, arrival),
        attempt=next_attempt(db, entry),
        actor=origin.actor,
        kiosk=arrival.kiosk,
        client_time=arrival.client_time,
        since_claim_ms=arrival.since_claim_ms,
        created_at=utc_now(),
        request_id=origin.request_id,
        **columns,
    )


def record(
    db: OrmSession,
    row: CheckinRow,
    origin: Origin,
    others: Sequence[Any] = (),
    movement_id: UUID | None = None,
) -> None:
    """Write an attempt, the admission or return it may bring, and its event: together or not at all."""
    db.add(row)
    db.flush()
    if row.outcome in LET_IN:
        if row.kind == RETURN:
            let_back_in(db, row, origin, movement_id)
        else:
            admit(db, row, row.outcome, row.seat, at=row.taken_at)
        forget_case(db, row.session_id, row.entry_id, row.id)
    db.add_all(others)
    typed = {"source": row.source} if row.source == PAPER else {}
    note_evidence(db, CHECKIN_RECORDED, origin, row, row, mode=row.mode, decision=row.decision, **typed)


def let_back_in(db: OrmSession, row: CheckinRow, origin: Origin, movement_id: UUID | None = None) -> None:
    """Record the return that a check-in brings.

    Raises:
        NotCheckedIn, MovementImpossible: If the candidate is not out.
    """
    record_movement(
        db,
        session_row(db, row.session_id),
        db.get_one(RosterEntryRow, row.entry_id),
        Move.RETURN,
        origin,
        movement_id=movement_id,
        checkin_id=row.id,
        reason=row.note,
        operator=row.operator,
        kiosk=row.kiosk,
        client_time=row.client_time,
    )


def admit(
    db: OrmSession,
    row: CheckinRow,
    outcome: str,
    seat: str | None,
    entry_id: UUID | None = None,
    at: datetime | None = None,
) -> None:
    """Let the candidate in, now or at an earlier moment; the table's primary key lets it happen once."""
    db.add(
        AdmissionRow(
            entry_id=entry_id or row.entry_id,
            session_id=row.session_id,
            checkin_id=row.id,
            seat=seat,
            outcome=outcome,
            at=at or utc_now(),
            movements_before=count_movements(db, entry_id or row.entry_id),
        )
    )
    db.flush()


def decline(desk: Desk, arrival: Arrival, code: str, origin: Origin) -> None:
    """Say in the audit chain, and so on the live board, that somebody was turned away without an attempt."""
    with desk.database.write() as db:
        row = session_row(db, arrival.session_id)
        entry = find_entry(db, row.id, arrival.external_id)
        note(
            db,
            CHECKIN_DECLINED,
            origin,
            subject_id=entry.subject_id if entry else None,
            exam_id=row.exam_id,
            session_id=row.id,
            entry_id=entry.id if entry else None,
            code=code,
            kiosk=arrival.kiosk,
        )
