"""Check-in with a photograph: refuse what needs no look, compare, judge, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session as OrmSession

from embedding.embedder import Embedding
from embedding.errors import FaceError, ImageError, QualityRefused
from embedding.motion import Motion
from embedding.quality import Purpose
from index.audit import Origin
from index.external_ids import build_external_key
from index.tables import TemplateRow
from service.decisions.compared import Compared
from service.decisions.decision import CalibrationFacts, Outcome, Quality, StageTimes
from service.exams.checkin.claim import meant
from service.exams.checkin.comparison import Comparison, compare, is_of_the_day, may_be_looked_for, model_for
from service.exams.checkin.rules import (
    Arrival,
    Expected,
    admitted_elsewhere,
    begun,
    decline,
    expect,
    record,
    require_photograph,
    require_search_left,
    return_attempts,
)
from service.exams.checkin.thumbnails import Probe
from service.exams.checkin.todays import keep_todays, with_todays
from service.exams.checkin.verdict import (
    ADMITTED_ELSEWHERE,
    AMBIGUOUS_SEARCH,
    NOT_AS_ADMITTED,
    SEAT_DIFFERS,
    SEAT_TAKEN,
    TODAYS_ADMISSION,
    Rival,
    judge,
)
from service.exams.context import Desk
from service.exams.errors import CheckinRefused, NothingToCompare, NotOnRoster, NumberInvalid
from service.exams.exams import exam_row, is_pilot
from service.exams.reasons import NO_CANDIDATE_FOUND, PILOT_ADMITS, PILOT_REFERS
from service.exams.schemas import Checkin, Verdict
from service.exams.sessions import attempts_of, session_row
from service.exams.states import ENTRY, RETURN
from service.exams.status import read_statuses, twin_entries
from service.exams.tables import AdmissionRow, CheckinRow, RosterEntryRow, SessionRow
from service.exams.views import checkin_documents, checkin_row


@dataclass(frozen=True)
class Result:
    """An attempt that was recorded, and how many the candidate has made of those allowed."""

    checkin: Checkin
    attempts_made: int
    attempts_allowed: int


@dataclass(frozen=True)
class Look:
    """What one photograph brought: its template and what it was compared with."""

    arrival: Arrival
    probe: Embedding
    comparison: Comparison
    motion: Motion | None = None


Unusable = ImageError | FaceError
"""Why no template could be made of a photograph."""

MAX_COMPARISONS = 3
"""How often an attempt is compared whose template is taken away or given to somebody else meanwhile."""


class ComparedWithFormer(Exception):
    """The template that was compared with is not the candidate's any more."""


def check_in(desk: Desk, arrival: Arrival, picture: bytes, origin: Origin, checkin_id: UUID) -> Result:
    """Check somebody in by a photograph; the same `checkin_id` again gives the attempt that was recorded.

    Raises:
        SessionNotFound: If there is no such session.
        CandidateRequired: If nobody is claimed in an exam that does not identify people by their faces.
        CheckinRefused: If there can be no attempt; that somebody was turned away is recorded.
        ImageError, FaceError: If no template can be made of a photograph that is not the final one; that is
            no attempt, but it is recorded that somebody is trying.
        DatabaseError: If it could not be written; then nothing was decided.
    """
    try:
        with desk.database.read() as db:
            if db.get(CheckinRow, checkin_id) is not None:
                return result_of(db, checkin_id)
            arrival = understood(db, desk, arrival)
            expected = expect(db, arrival)
            # Before the photograph is looked at: nobody is measured whose case is settled.
            require_look(db, expected, expected.entry, arrival, origin)
        return attempt(desk, expected, arrival, picture, origin, checkin_id)
    except (CheckinRefused, ImageError, FaceError) as error:
        decline(desk, arrival, error.code, origin)
        raise


def understood(db: OrmSession, desk: Desk, arrival: Arrival) -> Arrival:
    """The arrival by the number that its text means; a kiosk whose claim got no answer sends a card's text.

    A text that is nobody's number stays as it is: nobody on the roster has it.
    """
    try:
        return meant(db, desk, arrival)
    except NumberInvalid:
        return arrival


def require_look(
    db: OrmSession, expected: Expected, entry: RosterEntryRow | None, arrival: Arrival, origin: Origin
) -> None:
    """Refuse a photograph that is not to be looked at: of this candidate, or one more that claims nobody.

    Raises:
        CheckinRefused: As `require_photograph` and `require_search_left`.
    """
    if entry is not None:
        require_photograph(db, expected, entry, arrival.kind)
    elif arrival.external_id is None:
        require_search_left(db, arrival.session_id, origin.actor)


def attempt(
    desk: Desk, expected: Expected, arrival: Arrival, picture: bytes, origin: Origin, checkin_id: UUID
) -> Result:
    """Compare and decide; once more where the template was taken away between the two.

    Raises:
        NothingToCompare: If it was taken away each time.
    """
    for _ in range(MAX_COMPARISONS):
        try:
            return attempt_once(desk, expected, arrival, picture, origin, checkin_id)
        except ComparedWithFormer:
            with desk.database.read() as db:
                expected = expect(db, arrival)
    raise NothingToCompare("The candidate")


def attempt_once(
    desk: Desk, expected: Expected, arrival: Arrival, picture: bytes, origin: Origin, checkin_id: UUID
) -> Result:
    """Compare outside the transaction, decide inside: it is short, and sees what every other door did.

    Raises:
        ComparedWithFormer: If the decision would rest on a template that is not the candidate's now.
    """
    try:
        probe = model_for(desk, expected.entry).embedder.embed(picture, Purpose.CHECKIN)
    except (ImageError, FaceError) as error:
        if not arrival.final:
            raise
        look: Look | Unusable = error
    else:
        comparison = compare(desk, expected, probe)
        if arrival.kind == RETURN:
            comparison = with_todays(desk, expected, comparison, probe)
        look = Look(arrival, probe, comparison, tell_motion(desk, expected, arrival))
    # What could not be decoded cannot be kept either.
    kept = Probe(desk, expected.exam, checkin_id, None if isinstance(look, ImageError) else picture)
    kept.prepare(is_case=not isinstance(look, Look) or look.comparison.decision is not Outcome.MATCH)
    with desk.database.write() as db:
        now = expect(db, arrival)
        entry = still_expected(db, look.comparison.entry if isinstance(look, Look) else expected.entry)
        require_look(db, now, entry, arrival, origin)
        if isinstance(look, Look):
            require_current(db, entry, look.comparison)
            row = decided(db, now, entry, look, origin, checkin_id)
        else:
            row = undecided(db, now, entry, arrival, look, origin, checkin_id)
        record(db, row, origin, kept.rows(now.session, row.outcome))
        if isinstance(look, Look):
            keep_todays(db, desk, now, row, look.comparison, look.probe)
        result = result_of(db, checkin_id)
    if isinstance(look, Look):
        tell_shadow(desk, look, checkin_id)
    return result


def tell_motion(desk: Desk, expected: Expected, arrival: Arrival) -> Motion | None:
    """What the frames show, a head or something flat; None where there are none, or the exam wants none."""
    if not arrival.frames or expected.exam.motion == "off":
        return None
    return model_for(desk, expected.entry).embedder.measure_movement(arrival.frames).tells


def tell_shadow(desk: Desk, look: Look, checkin_id: UUID) -> None:
    """Let a candidate in the shadow look at a claim that was decided and is stored under this id."""
    entry, policy = look.comparison.entry, look.comparison.policy
    if look.arrival.external_id is None or entry is None or entry.subject_id is None:
        return
    if look.comparison.is_by_todays:
        # Another model has no template of today to compare with.
        return
    desk.compared(
        Compared(
            checkin_id=checkin_id,
            session_id=look.arrival.session_id,
            subject_id=entry.subject_id,
            crop=look.probe.crop,
            model_id=look.comparison.model.id,
            decision=str(look.comparison.decision),
            match_fmr=policy.match_fmr,
            refer_fmr=policy.refer_fmr,
        )
    )


def still_expected(db: OrmSession, entry: RosterEntryRow | None) -> RosterEntryRow | None:
    """The entry as it is now; between the look and the decision the roster may have been replaced.

    Raises:
        NotOnRoster: If the candidate was taken off it.
    """
    if entry is None:
        return None
    now = db.get(RosterEntryRow, entry.id)
    if now is None:
        raise NotOnRoster(entry.external_id)
    return now


def require_current(db: OrmSession, entry: RosterEntryRow | None, comparison: Comparison) -> None:
    """Refuse a comparison with a template that was removed, or with whom the entry does not name any more.

    Raises:
        ComparedWithFormer: If so.
    """
    if entry is None:
        return
    owner = select(TemplateRow.subject_id).where(TemplateRow.id == comparison.nearest.template_id)
    if entry.subject_id is None or db.scalar(owner) != entry.subject_id:
        raise ComparedWithFormer


def decided(
    db: OrmSession,
    expected: Expected,
    entry: RosterEntryRow | None,
    look: Look,
    origin: Origin,
    checkin_id: UUID,
) -> CheckinRow:
    """The row of evidence: the verdict and all that it rests on."""
    comparison, arrival = look.comparison, look.arrival
    conflicts, rivals = conflicts_of(db, expected, comparison)
    is_twin = entry is not None and entry.id in twin_entries(db, [entry])
    d, same_face = comparison.nearest.d, comparison.same_face
    verdict, reasons = judge(
        comparison.decision,
        d,
        rivals,
        same_face,
        is_twin=is_twin,
        is_same_photograph=comparison.is_same_photograph,
        is_flat=look.motion is Motion.FLAT and expected.exam.motion == "refer",
    )
    if arrival.external_id is None:
        verdict, reasons = judge_search(comparison, rivals, verdict, reasons)
    verdict, reasons = judge_todays(comparison, verdict, reasons)
    comes_in = entry if arrival.kind == ENTRY else None
    elsewhere = admitted_elsewhere(db, expected.session, expected.exam, comes_in) if comes_in else None
    if elsewhere is not None:
        verdict, reasons = Verdict.REFERRED, [*reasons, ADMITTED_ELSEWHERE]
        conflicts = [conflict(elsewhere.entry, d, elsewhere.admission.at), *conflicts]
    if is_pilot(expected.exam):
        reasons = [*reasons, PILOT_ADMITS if verdict is Verdict.ADMITTED else PILOT_REFERS]
        verdict = Verdict.REFERRED
    row = begun(
        db,
        expected,
        entry,
        arrival,
        origin,
        id=checkin_id,
        mode=mode_of(arrival),
        outcome=str(verdict),
        decision=str(comparison.decision),
        conflicts=conflicts,
        template_id=comparison.nearest.template_id if entry and not comparison.is_by_todays else None,
        **measured(look),
    )
    row.reasons = reasons + seat_reasons(row.seat, arrival.seat or (entry.seat if entry else None))
    return row


def undecided(
    db: OrmSession,
    expected: Expected,
    entry: RosterEntryRow | None,
    arrival: Arrival,
    why: Unusable,
    origin: Origin,
    checkin_id: UUID,
) -> CheckinRow:
    """The row of evidence of a photograph that nothing could be compared with: a person decides."""
    assessment = why.assessment if isinstance(why, QualityRefused) else None
    row = begun(
        db,
        expected,
        entry,
        arrival,
        origin,
        id=checkin_id,
        mode=mode_of(arrival),
        outcome=str(Verdict.REFERRED),
        conflicts=[],
        probe_quality=Quality.of(assessment).model_dump(mode="json") if assessment else None,
    )
    reasons = list(assessment.reasons) if assessment else [why.code]
    reasons += [PILOT_REFERS] if is_pilot(expected.exam) else []
    row.reasons = reasons + seat_reasons(row.seat, arrival.seat or (entry.seat if entry else None))
    return row


def mode_of(arrival: Arrival) -> str:
    """Whether somebody was claimed, or the roster searched."""
    return "search" if arrival.external_id is None else "claimed"


def measured(look: Look) -> dict[str, Any]:
    """The columns that say what was measured, and against which limits."""
    d, policy, probe = look.comparison.nearest.d, look.comparison.policy, look.probe
    return {
        "d": d,
        "match_d": policy.match,
        "refer_d": policy.refer,
        "match_fmr": policy.match_fmr,
        "refer_fmr": policy.refer_fmr,
        "fmr_at_d": policy.calibration.fmr_at(d),
        "model_id": look.comparison.model.id,
        "calibration": CalibrationFacts.of(policy.calibration).model_dump(mode="json"),
        "probe_quality": Quality.of(probe.quality).model_dump(mode="json"),
        "motion": str(look.motion) if look.motion else None,
        "timings_ms": StageTimes.of(probe.timings, look.comparison.search_ms).model_dump(mode="json"),
    }


def conflicts_of(
    db: OrmSession, expected: Expected, comparison: Comparison
) -> tuple[list[dict[str, Any]], list[Rival]]:
    """Others of the exam and of the day with this face, as evidence and as rivals, nearest first."""
    near = {one.subject_id: one for one in comparison.rivals}
    query = (
        select(RosterEntryRow, AdmissionRow.at)
        .join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
        .outerjoin(AdmissionRow, AdmissionRow.entry_id == RosterEntryRow.id)
        .where(is_of_the_day(expected.exam.id), RosterEntryRow.subject_id.in_(near), may_be_looked_for())
    )
    found = [(near[entry.subject_id], entry, at) for entry, at in db.execute(query) if entry.subject_id]
    found.sort(key=lambda one: (one[0].comparable_d, one[1].id))
    conflicts = [conflict(entry, one.d, at) for one, entry, at in found]
    return conflicts, [Rival(entry.id, one.comparable_d, at is not None) for one, entry, at in found]


def conflict(entry: RosterEntryRow, d: float, admitted_at: datetime | None) -> dict[str, Any]:
    """Somebody who is to be compared with the person at the door, as evidence keeps it."""
    return {
        "entry_id": str(entry.id),
        "external_id": entry.external_id,
        "session_id": str(entry.session_id),
        "d": d,
        "checked_in_at": admitted_at.isoformat() if admitted_at else None,
    }


def judge_todays(comparison: Comparison, verdict: Verdict, reasons: list[str]) -> tuple[Verdict, list[str]]:
    """What today's admission says of a return beside the enrolment."""
    if comparison.differs_from_todays:
        return Verdict.REFERRED, [*reasons, NOT_AS_ADMITTED]
    return verdict, [*reasons, TODAYS_ADMISSION] if comparison.is_by_todays else reasons


def judge_search(
    comparison: Comparison, rivals: Sequence[Rival], verdict: Verdict, reasons: list[str]
) -> tuple[Verdict, list[str]]:
    """A search admits only if nobody else of the exam would have matched as well."""
    if comparison.decision is Outcome.NO_MATCH:
        return Verdict.REFERRED, [*reasons, NO_CANDIDATE_FOUND]
    if any(rival.d <= comparison.policy.match for rival in rivals):
        return Verdict.REFERRED, [*reasons, AMBIGUOUS_SEARCH]
    return verdict, reasons


def seat_reasons(seat: str | None, wanted: str | None) -> list[str]:
    """What the invigilator should know about the seat; it never stands in anybody's way."""
    if wanted is None or wanted == seat:
        return []
    return [SEAT_TAKEN if seat is None else SEAT_DIFFERS]


def result_of(db: OrmSession, checkin_id: UUID) -> Result:
    """A recorded attempt as it is answered."""
    row = checkin_row(db, checkin_id)
    made = 0
    if row.kind == RETURN and row.entry_id is not None:
        made = return_attempts(db, db.get_one(RosterEntryRow, row.entry_id))
    elif row.entry_id is not None:
        made = read_statuses(db, row.session_id, [row.entry_id])[row.entry_id].attempts
    entry = db.get(RosterEntryRow, row.entry_id) if row.entry_id else None
    allowed = attempts_of(session_row(db, row.session_id), exam_row(db, row.exam_id), entry)
    return Result(checkin_documents(db, [row])[0], made, allowed)


def find_checkin(desk: Desk, checkin_id: UUID) -> Checkin:
    """One attempt.

    Raises:
        CheckinNotFound: If there is no such attempt.
    """
    with desk.database.read() as db:
        return checkin_documents(db, [checkin_row(db, checkin_id)])[0]


def checkins_page(
    desk: Desk,
    session_id: UUID,
    limit: int,
    before: UUID | None = None,
    outcome: Verdict | None = None,
    external_id: str | None = None,
) -> list[Checkin]:
    """Up to `limit` attempts of a session, newest first, from the one made before `before`.

    Raises:
        SessionNotFound: If there is no such session.
    """
    query = select(CheckinRow).where(CheckinRow.session_id == session_id)
    query = query.order_by(CheckinRow.id.desc()).limit(limit)
    if outcome is not None:
        query = query.where(CheckinRow.outcome == str(outcome))
    if external_id is not None:
        query = query.where(of_candidate(session_id, external_id))
    if before is not None:
        query = query.where(CheckinRow.id < before)
    with desk.database.read() as db:
        session_row(db, session_id)
        return checkin_documents(db, db.scalars(query).all())


def of_candidate(session_id: UUID, external_id: str) -> ColumnElement[bool]:
    """Attempts of a candidate, however the id is spelled."""
    same = RosterEntryRow.external_key == build_external_key(external_id)
    entries = select(RosterEntryRow.id).where(RosterEntryRow.session_id == session_id, same)
    return CheckinRow.entry_id.in_(entries)
