"""What a person decides about an attempt.

Nothing is taken back. An attempt keeps its outcome for ever; an override is a new row that says what counts
from now on, and no row leads back from a settled case to an open one.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import delete, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.external_ids import build_external_key
from index.ids import uuid7
from index.tables import utc_now
from service.exams.audit import OVERRIDE_RECORDED, note_evidence
from service.exams.case_pictures import forget_case
from service.exams.checkin.rules import (
    admit,
    entry_named,
    let_back_in,
    require_not_in_another_room,
    seat_for,
)
from service.exams.context import Desk, name_in
from service.exams.errors import (
    AlreadyCheckedIn,
    AlreadyDecided,
    AttemptSuperseded,
    CandidateNeeded,
    DecidedMeanwhile,
    ReasonCodeUnknown,
)
from service.exams.exams import exam_row, live_exam_row
from service.exams.movement.reading import whereabouts_of
from service.exams.movement.recording import record_movement, require_move
from service.exams.schemas import Checkin, Override, Verdict
from service.exams.sessions import session_row
from service.exams.states import LET_IN, REPEAT, RETURN, Move
from service.exams.status import NEVER_CAME, newest_return, read_statuses, superseded_by
from service.exams.tables import AdmissionRow, CheckinRow, MovementRow, OverrideRow, RosterEntryRow
from service.exams.terms import Terms
from service.exams.views import checkin_documents, checkin_row, override_document
from service.fields import Label, Note

OPERATOR = "who decides, where a key does it; of an operator who is signed in, the own name counts"


class OverrideTerms(Terms):
    """A person's decision about an attempt."""

    outcome: Literal[Verdict.ADMITTED, Verdict.REFUSED]
    reason_code: Label
    note: Note | None = None
    operator: Label | None = Field(default=None, description=OPERATOR)
    candidate: Label | None = Field(
        default=None, description="external id; needed where the attempt names nobody"
    )
    seen_overrides: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="how many overrides of the attempt the decider has seen; refused where there are others",
    )


def override(
    desk: Desk, checkin_id: UUID, terms: OverrideTerms, origin: Origin, override_id: UUID | None = None
) -> tuple[Override, Checkin]:
    """Settle an attempt, or correct how it was settled; the same `override_id` again gives what was recorded.

    Raises:
        CheckinNotFound: If there is no such attempt.
        ReasonCodeUnknown: If the exam does not know the reason.
        AlreadyDecided: If the attempt has this outcome.
        DecidedMeanwhile: If somebody else has decided since the decider looked, or at the same time.
        AttemptSuperseded: If a newer attempt of the candidate counts.
        AlreadyCheckedIn: If the candidate is in through another attempt.
        CandidateNeeded: If somebody is to be admitted and nobody is named.
        NotOnRoster: If the named candidate is not expected in the session.
    """
    seen = terms.seen_overrides
    if seen is None:
        # Whoever does not say what was seen has seen what was there when the request came.
        with desk.database.read() as db:
            seen = number_of(newest_override(db, checkin_row(db, checkin_id)))
    with desk.database.write() as db:
        row = checkin_row(db, checkin_id)
        made = db.get(OverrideRow, override_id) if override_id else None
        if made is None:
            made = settle(db, row, terms, origin, override_id or uuid7(), seen)
        return override_document(made), checkin_documents(db, [row])[0]


def settle(
    db: OrmSession, row: CheckinRow, terms: OverrideTerms, origin: Origin, override_id: UUID, seen: int
) -> OverrideRow:
    """Check the override against what counts now, and write it with what follows from it."""
    live_exam_row(db, row.exam_id)
    require_reason(db, row, terms.reason_code)
    last = newest_override(db, row)
    previous = last.outcome if last else row.outcome
    if previous == terms.outcome:
        raise AlreadyDecided(previous)
    if last is not None and last.number != seen:
        raise decided_meanwhile(last)
    entry = entry_meant(db, row, last, terms)
    if entry is not None:
        require_newest(db, row, last, entry)
    made = OverrideRow(
        id=override_id,
        checkin_id=row.id,
        number=number_of(last) + 1,
        entry_id=entry.id if entry else None,
        outcome=str(terms.outcome),
        previous_outcome=previous,
        reason_code=terms.reason_code,
        note=terms.note,
        actor=origin.actor,
        operator=origin.operator or terms.operator,
        created_at=utc_now(),
        request_id=origin.request_id,
    )
    db.add(made)
    db.flush()
    if row.kind == RETURN and entry is not None:
        follow_return(db, row, entry, terms.outcome, origin)
    elif row.kind == REPEAT and entry is not None:
        follow_repeat(db, row, entry, terms.outcome)
    else:
        follow(db, row, entry, terms.outcome)
    forget_case(db, row.session_id, entry.id if entry else None, row.id)
    about = {"override_id": made.id, "reason_code": made.reason_code}
    note_evidence(db, OVERRIDE_RECORDED, origin, row, made, **about)
    return made


def require_reason(db: OrmSession, row: CheckinRow, reason_code: str) -> None:
    """Refuse a reason that the exam does not list.

    Raises:
        ReasonCodeUnknown: With those it does.
    """
    allowed = [one["code"] for one in exam_row(db, row.exam_id).reason_codes]
    if reason_code not in allowed:
        raise ReasonCodeUnknown(reason_code, allowed)


def newest_override(db: OrmSession, row: CheckinRow) -> OverrideRow | None:
    """The override that counts now; None where the attempt itself does."""
    return db.scalar(
        select(OverrideRow)
        .where(OverrideRow.checkin_id == row.id)
        .order_by(OverrideRow.number.desc())
        .limit(1)
    )


def decided_meanwhile(newest: OverrideRow) -> DecidedMeanwhile:
    """The refusal that says what somebody else decided, and who it was."""
    who = newest.operator or name_in(newest.actor)
    return DecidedMeanwhile(newest.outcome, newest.created_at, who)


def number_of(override: OverrideRow | None) -> int:
    """How many overrides there are up to this one."""
    return override.number if override else 0


def newest_decision(db: OrmSession, session_id: UUID, external_id: str) -> OverrideRow | None:
    """The newest override that concerns a candidate of a session."""
    return db.scalar(
        select(OverrideRow)
        .join(RosterEntryRow, RosterEntryRow.id == OverrideRow.entry_id)
        .where(RosterEntryRow.session_id == session_id)
        .where(RosterEntryRow.external_key == build_external_key(external_id))
        .order_by(OverrideRow.created_at.desc(), OverrideRow.number.desc())
        .limit(1)
    )


def require_undecided_since(
    db: OrmSession, session_id: UUID, external_id: str, seen: OverrideRow | None
) -> None:
    """Refuse to decide on a candidate on whom somebody else has decided since.

    Raises:
        DecidedMeanwhile: With what was decided.
    """
    newest = newest_decision(db, session_id, external_id)
    if newest is not None and (seen is None or newest.id != seen.id):
        raise decided_meanwhile(newest)


def require_newest(db: OrmSession, row: CheckinRow, last: OverrideRow | None, entry: RosterEntryRow) -> None:
    """Refuse to decide on an attempt when a newer one of the candidate counts.

    Raises:
        AlreadyCheckedIn: If the candidate is in through another attempt.
        AttemptSuperseded: Naming the newer attempt.
    """
    if row.kind == RETURN:
        require_newest_return(db, row, entry)
        return
    if row.kind == REPEAT:
        return
    admission = db.get(AdmissionRow, entry.id)
    if admission is not None and admission.checkin_id != row.id:
        raise AlreadyCheckedIn(admission.checkin_id, admission.at, admission.seat)
    current = read_statuses(db, row.session_id, [entry.id]).get(entry.id, NEVER_CAME)
    newer = superseded_by(row, last, current)
    if newer is not None:
        raise AttemptSuperseded(newer)


def require_newest_return(db: OrmSession, row: CheckinRow, entry: RosterEntryRow) -> None:
    """Refuse to decide on a return when a newer one counts, or when the candidate is not out through it.

    Raises:
        AttemptSuperseded: Naming the newer attempt.
        NotCheckedIn, MovementImpossible: If the candidate is in, or has left.
    """
    newest = newest_return(db, [entry.id]).get(entry.id, row.id)
    if newest != row.id:
        raise AttemptSuperseded(newest)
    if movement_of(db, row, entry) is None:
        require_move(db, session_row(db, row.session_id), entry, Move.RETURN)


def movement_of(db: OrmSession, row: CheckinRow, entry: RosterEntryRow) -> UUID | None:
    """The return that a check-in brought, where it is the candidate's newest movement."""
    newest = whereabouts_of(db, row.session_id, entry.id).newest
    movement = db.get(MovementRow, newest) if newest else None
    return movement.id if movement is not None and movement.checkin_id == row.id else None


def follow_return(
    db: OrmSession, row: CheckinRow, entry: RosterEntryRow, outcome: Verdict, origin: Origin
) -> None:
    """Let back in whom a person has found to be the candidate, or take the return back: it was not them."""
    movement_id = movement_of(db, row, entry)
    if outcome in LET_IN and movement_id is None:
        let_back_in(db, row, origin)
    elif outcome not in LET_IN and movement_id is not None:
        record_movement(db, session_row(db, row.session_id), entry, Move.UNDO, origin, undoes=movement_id)


def follow_repeat(db: OrmSession, row: CheckinRow, entry: RosterEntryRow, outcome: Verdict) -> None:
    """Let in whom a person has found to be the candidate; who is in by another attempt stays in by that."""
    if outcome in LET_IN and db.get(AdmissionRow, entry.id) is None:
        follow(db, row, entry, outcome)


def entry_meant(
    db: OrmSession, row: CheckinRow, last: OverrideRow | None, terms: OverrideTerms
) -> RosterEntryRow | None:
    """The candidate whom the override concerns: the attempt's, the one it names, or the last override's.

    Raises:
        CandidateNeeded: If somebody is to be admitted and nobody was named.
        NotOnRoster: If the named candidate is not expected in the session.
    """
    is_admission = terms.outcome is Verdict.ADMITTED
    decided = last.entry_id if last else None
    # Whoever was let in by the attempt is the one whom a correction puts out, whomever it names.
    if row.entry_id is None and terms.candidate is not None and (decided is None or is_admission):
        return entry_named(db, row.session_id, terms.candidate)
    entry_id = row.entry_id or decided
    if entry_id is None and is_admission:
        raise CandidateNeeded
    return db.get(RosterEntryRow, entry_id) if entry_id else None


def follow(db: OrmSession, row: CheckinRow, entry: RosterEntryRow | None, outcome: Verdict) -> None:
    """Give or take the admission that the override is about.

    Raises:
        AlreadyCheckedIn: If the candidate is in another room of the exam.
    """
    if entry is None:
        return
    admission = db.get(AdmissionRow, entry.id)
    if admission is not None and outcome in LET_IN:
        # Let in by a document, and now said to be who they claimed: the admission stays theirs.
        admission.outcome = str(outcome)
    elif outcome in LET_IN:
        room = session_row(db, row.session_id)
        require_not_in_another_room(db, room, exam_row(db, row.exam_id), entry)
        seat = seat_for(db, room, entry, row.seat)
        admit(db, row, outcome, seat, entry.id)
    elif admission is not None:
        db.execute(delete(AdmissionRow).where(AdmissionRow.entry_id == entry.id))
