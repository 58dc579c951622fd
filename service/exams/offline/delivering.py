"""What becomes of one item of a kiosk's queue: it is compared as if it had come in time, and recorded once.

Nobody is lost: whatever opens becomes an attempt, also of somebody who may not be compared, or is not on the
roster any more; a person decides. Nobody counts twice: an item makes one attempt, however often it comes.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from embedding.embedder import Embedding
from embedding.errors import FaceError, ImageError
from embedding.quality import Purpose
from index.audit import Origin
from index.ids import uuid7
from index.tables import utc_now
from service.access.keys import Deliverer
from service.exams.audit import CHECKIN_DECLINED, note
from service.exams.checkin.comparison import compare, model_for
from service.exams.checkin.photograph import (
    MAX_COMPARISONS,
    ComparedWithFormer,
    Look,
    decided,
    require_current,
    tell_shadow,
    undecided,
    understood,
)
from service.exams.checkin.rules import Arrival, Expected, begun, find_entry, has_no_basis, record
from service.exams.checkin.thumbnails import Probe
from service.exams.checkin.todays import keep_todays
from service.exams.context import Desk
from service.exams.errors import (
    AttemptsExhausted,
    CandidateRefused,
    CheckinRefused,
    ExamPurged,
    FacesOff,
    ManualIdentificationAgreed,
    NothingToCompare,
    NotOnRoster,
    QueueError,
    QueueUnreadable,
    TakenAfterEnd,
)
from service.exams.exams import has_faces_on, live_exam_row
from service.exams.movement.rules import find_entry_end
from service.exams.offline.sealing import Facts, Opened, open_item, private_key_of, require_session_of
from service.exams.reasons import LET_IN_TWICE, PILOT_REFERS
from service.exams.schemas import Verdict
from service.exams.sessions import attempts_of, session_row
from service.exams.states import LET_IN, REPEAT
from service.exams.status import NEVER_CAME, read_statuses
from service.exams.tables import CheckinRow, DeliveryRow, RosterEntryRow

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far beyond the server's clock a kiosk's reckoning may lie before it is doubted."""
OUTSIDE_WINDOW = "session_closed"
ENTRY_OVER = "entry_over"
KIOSK_REVOKED = "kiosk_revoked"


@dataclass(frozen=True)
class Delivered:
    """An item of a queue that is recorded."""

    item: str
    checkin_id: UUID
    outcome: str
    taken_at: datetime | None
    time_estimated: bool


@dataclass(frozen=True)
class Taken:
    """One attempt that was taken without network.

    Attributes:
        at: By the server's clock.
        is_estimated: Whether the kiosk's own clock had to be believed.
    """

    item: str
    arrival: Arrival
    facts: Facts
    picture: bytes
    at: datetime
    is_estimated: bool
    by: Deliverer


@dataclass(frozen=True)
class Case:
    """How a candidate stands when the queue comes.

    Attributes:
        obstacle: Why no comparison may be made, as a code; None where it may.
        doubts: What else speaks against letting the person in by a machine.
        recorded: The attempt itself, where it had come after all and only its answer was lost.
    """

    arrival: Arrival
    expected: Expected
    obstacle: str | None
    doubts: list[str]
    recorded: CheckinRow | None = None


def deliver(
    desk: Desk, session_id: UUID, item: str, sealed: bytes, by: Deliverer, origin: Origin
) -> Delivered:
    """Record one item of a queue; the same item again changes nothing.

    Raises:
        SessionNotFound: If there is no such session.
        ExamArchived, ExamPurged: If nothing is recorded there any more.
        QueueOfAnotherSession, QueueUnreadable, TakenAfterEnd: If it makes no attempt.
        TemplateUnreadable: If the key that seals the session's private key is not there.
        DatabaseError: If it could not be written; then nothing was.
    """
    require_session_of(sealed, session_id)
    try:
        with desk.database.read() as db:
            require_records(db, session_id)
            if (done := find_delivered(db, session_id, item, by)) is not None:
                return done
            opened = open_item(private_key_of(db, desk, session_id), session_id, item, sealed)
            taken = taken_of(db, desk, session_id, item, opened, by)
            case = read_case(db, taken, origin)
    except (QueueUnreadable, TakenAfterEnd) as error:
        note_refused(desk, session_id, item, error, origin)
        raise
    return compare_and_write(desk, taken, case, origin)


def compare_and_write(desk: Desk, taken: Taken, case: Case, origin: Origin) -> Delivered:
    """Compare and record; once more where the template was taken away between the two.

    Raises:
        DatabaseError: If it could not be written; then nothing was.
    """
    for _ in range(MAX_COMPARISONS):
        try:
            return write(desk, taken, case.obstacle or look_at(desk, case, taken.picture), origin)
        except ComparedWithFormer:
            with desk.database.read() as db:
                case = read_case(db, taken, origin)
    return write(desk, taken, NothingToCompare.code, origin)


def require_records(db: OrmSession, session_id: UUID) -> None:
    """Refuse what would be recorded for ever, or where nothing is recorded; raises as `deliver`."""
    exam = live_exam_row(db, session_row(db, session_id).exam_id)
    if exam.purged_at is not None:
        raise ExamPurged(exam.purged_at)


def find_delivered(db: OrmSession, session_id: UUID, item: str, by: Deliverer) -> Delivered | None:
    """What became of an item that came before; None of a new one.

    Raises:
        QueueUnreadable, TakenAfterEnd: As it was refused then.
    """
    row = db.get(DeliveryRow, (session_id, item))
    if row is None:
        return None
    if row.checkin_id is None:
        raise QueueUnreadable if row.code == QueueUnreadable.code else TakenAfterEnd(by.ended_at or row.at)
    return delivered(item, db.get_one(CheckinRow, row.checkin_id))


def delivered(item: str, row: CheckinRow) -> Delivered:
    """An item and its attempt."""
    return Delivered(item, row.id, row.outcome, row.taken_at, row.time_estimated)


def taken_of(db: OrmSession, desk: Desk, session_id: UUID, item: str, opened: Opened, by: Deliverer) -> Taken:
    """The attempt in an item, with the time that the server gives it.

    Raises:
        TakenAfterEnd: If the kiosk's key had ended.
    """
    facts = opened.facts
    at, is_doubtful = reckon(facts, utc_now())
    if by.ended_at is not None and at >= by.ended_at:
        raise TakenAfterEnd(by.ended_at)
    arrival = Arrival(
        session_id, facts.candidate, kiosk=facts.kiosk, client_time=facts.client_time, final=True
    )
    arrival = understood(db, desk, arrival)
    return Taken(item, arrival, facts, opened.picture, at, is_doubtful or facts.time_estimated, by)


def reckon(facts: Facts, now: datetime) -> tuple[datetime, bool]:
    """When a picture was taken by the server's clock, and whether that is in doubt.

    The kiosk's wall clock plays no part: the server's time at the last contact does, and how long ago that
    was by a clock that nobody sets. Nothing is later than now.
    """
    at = facts.contact_at + timedelta(milliseconds=facts.since_contact_ms)
    return min(at, now), at > now + CLOCK_TOLERANCE


def read_case(db: OrmSession, taken: Taken, origin: Origin) -> Case:
    """How the candidate stands now."""
    arrival = taken.arrival
    session = session_row(db, arrival.session_id)
    exam = live_exam_row(db, session.exam_id)
    entry = find_entry(db, session.id, arrival.external_id)
    expected = Expected(session, exam, entry)
    doubts = [KIOSK_REVOKED] if taken.by.is_revoked else []
    if not session.opens_at <= taken.at < session.closes_at:
        doubts.append(OUTSIDE_WINDOW)
    elif find_entry_end(db, session, exam, taken.at) is not None:
        doubts.append(ENTRY_OVER)
    if entry is None:
        return Case(arrival, expected, NotOnRoster.code, doubts)
    recorded = find_recorded(db, entry, arrival, origin)
    current = read_statuses(db, session.id, [entry.id]).get(entry.id, NEVER_CAME)
    is_settled = current.status in LET_IN or current.status == Verdict.REFUSED
    if current.status in LET_IN:
        doubts.append(LET_IN_TWICE)
    obstacle = None
    if not has_faces_on(exam):
        obstacle = FacesOff.code
    elif entry.is_for_a_person or has_no_basis(db, entry):
        obstacle = ManualIdentificationAgreed.code
    elif current.status == Verdict.REFUSED:
        obstacle = CandidateRefused.code
    elif not is_settled and current.attempts >= attempts_of(session, exam, entry):
        obstacle = AttemptsExhausted.code
    arrival = replace(arrival, kind=REPEAT) if is_settled else arrival
    return Case(arrival, expected, obstacle, doubts, recorded)


def find_recorded(
    db: OrmSession, entry: RosterEntryRow, arrival: Arrival, origin: Origin
) -> CheckinRow | None:
    """The attempt of this very moment: it had come, and its answer was lost on the way to the kiosk."""
    same = (
        CheckinRow.entry_id == entry.id,
        CheckinRow.client_time == arrival.client_time,
        CheckinRow.actor == origin.actor,
        CheckinRow.taken_at.is_(None),
    )
    return db.scalars(select(CheckinRow).where(*same).limit(1)).first()


def look_at(desk: Desk, case: Case, picture: bytes) -> Look | ImageError | FaceError | str:
    """The comparison; or why there is none, as the picture's fault or as a code."""
    if case.recorded is not None:
        return ""
    try:
        probe: Embedding = model_for(desk, case.expected.entry).embedder.embed(picture, Purpose.CHECKIN)
        return Look(case.arrival, probe, compare(desk, case.expected, probe))
    except (ImageError, FaceError) as error:
        return error
    except CheckinRefused as error:
        return error.code


def write(desk: Desk, taken: Taken, look: Look | ImageError | FaceError | str, origin: Origin) -> Delivered:
    """Record the attempt: under the conditions of this moment, and once.

    Raises:
        ComparedWithFormer: If the decision would rest on a template that is not the candidate's now.
    """
    checkin_id = uuid7()
    decided_by: Look | None = None
    with desk.database.write() as db:
        if (done := find_delivered(db, taken.arrival.session_id, taken.item, taken.by)) is not None:
            return done
        require_records(db, taken.arrival.session_id)
        case = read_case(db, taken, origin)
        row = case.recorded
        if row is None:
            row = row_of(db, case, look, origin, checkin_id)
            stamp(row, taken, case)
            kept = Probe(desk, case.expected.exam, checkin_id, picture_kept(case, look, taken))
            record(db, row, origin, kept.rows(case.expected.session, row.outcome))
            if isinstance(look, Look):
                keep_todays(db, desk, case.expected, row, look.comparison, look.probe)
                decided_by = look if row.decision is not None else None
        db.add(DeliveryRow(session_id=row.session_id, item=taken.item, checkin_id=row.id, at=utc_now()))
        done = delivered(taken.item, row)
    if decided_by is not None:
        tell_shadow(desk, decided_by, checkin_id)
    return done


def picture_kept(case: Case, look: object, taken: Taken) -> bytes | None:
    """The picture, where it may be kept for whoever decides: not of whom none is to be looked at."""
    return None if case.obstacle or isinstance(look, (ImageError, str)) else taken.picture


def row_of(
    db: OrmSession,
    case: Case,
    look: Look | ImageError | FaceError | str,
    origin: Origin,
    checkin_id: UUID,
) -> CheckinRow:
    """The row of evidence, of a comparison or of why there was none; raises as `write`."""
    entry = case.expected.entry
    if case.obstacle is None and isinstance(look, Look) and is_of(look, entry):
        require_current(db, entry, look.comparison)
        # Whoever was let in meanwhile is compared all the same; the row says that it is a repeat.
        return decided(db, case.expected, entry, replace(look, arrival=case.arrival), origin, checkin_id)
    if case.obstacle is None and isinstance(look, ImageError | FaceError):
        return undecided(db, case.expected, entry, case.arrival, look, origin, checkin_id)
    code = case.obstacle or (look if isinstance(look, str) and look else NotOnRoster.code)
    columns: dict[str, Any] = {"id": checkin_id, "mode": "claimed", "outcome": str(Verdict.REFERRED)}
    row = begun(db, case.expected, entry, case.arrival, origin, conflicts=[], **columns)
    row.external_id = entry.external_id if entry else case.arrival.external_id
    row.reasons = [code] + ([PILOT_REFERS] if case.expected.exam.faces == "pilot" else [])
    return row


def is_of(look: Look, entry: RosterEntryRow | None) -> bool:
    """Whether a comparison was with this candidate: the roster may have been replaced since."""
    return entry is not None and look.comparison.entry is not None and look.comparison.entry.id == entry.id


def stamp(row: CheckinRow, taken: Taken, case: Case) -> None:
    """Both clocks, what the kiosk did, and what speaks against it."""
    row.contact_at, row.since_contact_ms = taken.facts.contact_at, taken.facts.since_contact_ms
    row.taken_at, row.time_estimated = taken.at, taken.is_estimated
    row.provisional = taken.facts.provisional
    if case.doubts:
        row.outcome = str(Verdict.REFERRED)
        row.reasons = [*case.doubts, *row.reasons]


def note_refused(desk: Desk, session_id: UUID, item: str, error: QueueError, origin: Origin) -> None:
    """Say once, in the audit chain and so on the board, that an item made no attempt: somebody may be in."""
    with desk.database.write() as db:
        if db.get(DeliveryRow, (session_id, item)) is not None:
            return
        session = session_row(db, session_id)
        db.add(DeliveryRow(session_id=session_id, item=item, code=error.code, at=utc_now()))
        note(
            db,
            CHECKIN_DECLINED,
            origin,
            exam_id=session.exam_id,
            session_id=session_id,
            entry_id=None,
            code=error.code,
            kiosk=None,
        )
