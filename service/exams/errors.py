"""What the exam domain refuses.

    ExamError
    ├── ExamNotFound                     exam_not_found
    ├── CheckinNotFound                  checkin_not_found
    ├── ThumbnailNotFound                thumbnail_not_found
    ├── EnrolmentPictureNotFound         enrolment_picture_not_found
    ├── ExplanationImpossible            explanation_impossible      its pictures cannot be compared again
    ├── ExamInvalid                      validation_failed           a field makes no sense
    ├── RetentionRunning                 retention_running           the exam's rows are still owed
    ├── ExamOnHold                       on_hold                     somebody may need it as evidence
    ├── HoldNotFound                     hold_not_found
    ├── HoldLifted                       hold_lifted                 somebody has lifted it already
    ├── ComplaintNotFound                complaint_not_found
    ├── ComplaintAnswered                complaint_answered          its answer stands
    ├── ExamPurged                       exam_purged                 its rows have gone; it takes no new ones
    ├── ExamArchived                     exam_archived               it is read, and takes no change
    ├── TooManyForPaper                  too_many_for_paper          more people than are printed at once
    ├── ListLayoutNotFound               list_layout_not_found
    ├── ReasonRequired                   reason_required             a change that has to be explained
    ├── SessionOpen                      session_open                somebody may be at a door now
    ├── CandidateRequired                candidate_required          the exam searches for nobody
    ├── RosterError
    │   ├── RosterUnreadable             roster_unreadable           not a roster; says where
    │   ├── RosterRefused                roster_refused              a roster with findings that stop it
    │   └── RosterChanged                roster_changed              others would go than were looked at
    ├── CheckinRefused
    │   ├── SessionClosed                session_closed              outside the session's window
    │   ├── NotOnRoster                  not_on_roster               names the right room where there is one
    │   ├── AlreadyCheckedIn             already_checked_in          says when, and at which seat
    │   ├── CandidateRefused             candidate_refused           a person refused, a person corrects
    │   ├── AttemptsExhausted            attempts_exhausted
    │   ├── NothingToCompare             no_template                 nobody to compare the photograph with
    │   ├── TemplateDamaged              template_unreadable         the candidate's row does not open
    │   ├── EntryOver                    entry_over                  too late, by a rule of the session
    │   ├── ExitNotAllowed               exit_not_allowed            nobody goes out now; says until when
    │   ├── NotCheckedIn                 not_checked_in              who was not let in does not go out
    │   ├── MovementImpossible           movement_impossible         says where the candidate is
    │   ├── ReturnByDocument             return_by_document          as the candidate came in
    │   ├── FacesOff                     faces_off                   nobody's face is looked at in this exam
    │   └── ManualIdentificationAgreed   manual_identification_agreed  no face of this candidate is looked at
    ├── GroupsUnreadable                 groups_unreadable           no list of numbers and groups
    ├── PaperError
    │   ├── PaperUnreadable              paper_unreadable            a cell of a typed-in list
    │   ├── PaperIncomplete              paper_incomplete            an arrival is a time and a document
    │   ├── PaperRepeated                paper_repeated              a candidate is there twice
    │   ├── TimeNotPossible              time_not_possible           outside the session, or in the future
    │   └── PaperConflict                paper_conflict              recorded otherwise than paper says
    ├── MovementNotFound                 movement_not_found
    ├── MovementSuperseded               movement_superseded         only the newest is taken back
    ├── NumberInvalid                    number_invalid              no number of this site's candidates
    ├── CardTaken                        card_taken                  somebody else has the number
    ├── KioskNotFound                    kiosk_not_found             the session has no such kiosk
    ├── CodeUnknown                      code_unknown                no tablet shows this code now
    ├── PairingEnded                     pairing_ended               the tablet has to ask for another code
    ├── TooManyCodes                     rate_limited                as many tablets ask as may
    ├── QueueError
    │   ├── QueueUnreadable              queue_unreadable            changed, or sealed with another key
    │   ├── QueueOfAnotherSession        queue_of_another_session
    │   └── TakenAfterEnd                taken_after_end             the kiosk's key had ended
    ├── NotWaiting                       not_waiting                 nobody waits under this id
    ├── DecisionNeeded                   decision_needed             a candidate's attempt is open
    ├── SeatTaken                        seat_taken                  somebody else has the seat
    └── OverrideError
        ├── CandidateNeeded              candidate_needed            nobody is named
        ├── ReasonCodeUnknown            reason_code_unknown
        ├── AlreadyDecided               already_decided             the attempt has this outcome
        ├── DecidedMeanwhile             decided_meanwhile           by somebody else, since it was looked at
        └── AttemptSuperseded            attempt_superseded          a newer attempt counts; names it

An unknown session is `service.errors.SessionNotFound`. HTTP statuses are in `service/problems.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel


class ExamError(Exception):
    """Base of everything this package raises on purpose.

    `members` is what the error knows beyond its sentence, ready for JSON.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.members: Mapping[str, Any] = members


class ExamNotFound(ExamError):
    """There is no such exam."""

    code = "exam_not_found"

    def __init__(self, exam_id: UUID) -> None:
        super().__init__(f"There is no exam {exam_id}.")


class CheckinNotFound(ExamError):
    """There is no such check-in."""

    code = "checkin_not_found"

    def __init__(self, checkin_id: UUID) -> None:
        super().__init__(f"There is no check-in {checkin_id}.")


class ThumbnailNotFound(ExamError):
    """No picture was kept of this check-in, or no longer."""

    code = "thumbnail_not_found"

    def __init__(self, checkin_id: UUID) -> None:
        super().__init__(f"No picture is kept of check-in {checkin_id}.")


class EnrolmentPictureNotFound(ExamError):
    """No picture of the enrolment is kept, or none that may be looked at."""

    code = "enrolment_picture_not_found"

    def __init__(self, checkin_id: UUID) -> None:
        super().__init__(f"No picture is kept of the enrolment behind check-in {checkin_id}.")


class ExplanationImpossible(ExamError):
    """The pictures of a check-in are kept and cannot be compared again."""

    code = "explanation_impossible"

    def __init__(self, checkin_id: UUID, why: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(f"Check-in {checkin_id} cannot be explained: {why}.", reasons=list(reasons))


class ExamInvalid(ExamError):
    """A field of an exam, a session or an override makes no sense."""

    code = "validation_failed"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}.")
        self.field = field


class RetentionRunning(ExamError):
    """The exam's rows must not go yet."""

    code = "retention_running"

    def __init__(self, due_at: datetime | None) -> None:
        until = (
            f"until {due_at:%Y-%m-%d %H:%M} UTC" if due_at else "for as long as nobody sets retention_days"
        )
        super().__init__(f"The exam is kept {until}.", due_at=due_at.isoformat() if due_at else None)


class ExamOnHold(ExamError):
    """The exam, or one of its candidates, is on hold: nothing of it goes before somebody lifts that."""

    code = "on_hold"

    def __init__(self, exam_id: UUID) -> None:
        super().__init__(f"Exam {exam_id}, or one of its candidates, is on hold: lift the hold first.")


class HoldNotFound(ExamError):
    """There is no such hold."""

    code = "hold_not_found"

    def __init__(self, hold_id: UUID) -> None:
        super().__init__(f"There is no hold {hold_id}.")


class HoldLifted(ExamError):
    """The hold is over; what is to be kept again needs a new one."""

    code = "hold_lifted"

    def __init__(self, lifted_at: datetime) -> None:
        super().__init__(
            f"The hold was lifted at {lifted_at:%Y-%m-%d %H:%M} UTC.", lifted_at=lifted_at.isoformat()
        )


class ComplaintNotFound(ExamError):
    """There is no such complaint."""

    code = "complaint_not_found"

    def __init__(self, complaint_id: UUID) -> None:
        super().__init__(f"There is no complaint {complaint_id}.")


class ComplaintAnswered(ExamError):
    """The complaint has an answer, which stands; whoever is not content complains anew."""

    code = "complaint_answered"

    def __init__(self, answered_at: datetime) -> None:
        super().__init__(f"The complaint was answered at {answered_at:%Y-%m-%d %H:%M} UTC.")


class ExamPurged(ExamError):
    """The exam's rows have gone: new ones would be kept for ever, for an exam is purged once."""

    code = "exam_purged"

    def __init__(self, purged_at: datetime) -> None:
        super().__init__(
            f"The exam was purged at {purged_at:%Y-%m-%d %H:%M} UTC; make a new one.",
            purged_at=purged_at.isoformat(),
        )


class ExamArchived(ExamError):
    """The exam is in the archive: it is read, and nobody checks in or changes anything."""

    code = "exam_archived"

    def __init__(self, archived_at: datetime) -> None:
        super().__init__(
            f"The exam was archived at {archived_at:%Y-%m-%d %H:%M} UTC and takes no change.",
            archived_at=archived_at.isoformat(),
        )


class TooManyForPaper(ExamError):
    """More people than are printed at once."""

    code = "too_many_for_paper"

    def __init__(self, people: int, limit: int) -> None:
        super().__init__(
            f"{people:,} people are too many for paper; {limit:,} are printed at once.", limit=limit
        )


class ListLayoutNotFound(ExamError):
    """No list layout of this name is kept."""

    code = "list_layout_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no list layout {name[:100]!r}.")


class ReasonRequired(ExamError):
    """A change that may be made, but not without saying why."""

    code = "reason_required"

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__(f"Give a reason, which goes into the audit trail, for {', '.join(changes)}.")


class SessionOpen(ExamError):
    """A session is open: what is asked for would change how people are decided on meanwhile."""

    code = "session_open"

    def __init__(self, what: str, sessions: Sequence[UUID]) -> None:
        super().__init__(
            f"{what} has to wait: {len(sessions)} session(s) are open. To do it now, force it with a reason.",
            sessions=[str(one) for one in sessions],
        )


class CandidateRequired(ExamError):
    """Nobody was claimed, and the exam does not look for a face among all its candidates."""

    code = "candidate_required"

    def __init__(self) -> None:
        super().__init__("Say which candidate it is: this exam identifies nobody by the face alone.")


class RosterError(ExamError):
    """A roster cannot be imported; nothing of it was."""


class RosterUnreadable(RosterError):
    """The file is not a roster. `row` counts lines of candidates from 1; the header is row 0."""

    code = "roster_unreadable"

    def __init__(
        self,
        reason: str,
        *,
        row: int | None = None,
        column: str | None = None,
        why: str | None = None,
        **members: Any,
    ) -> None:
        place = ", ".join(
            part for part in (f"row {row}" if row else "", f"column {column}" if column else "") if part
        )
        text = f"{place}: {reason}" if place else reason
        super().__init__(text, row=row, column=column, why=why, **members)

    def among(
        self, findings: Sequence[Mapping[str, object]], total: int, more_rows: int
    ) -> "RosterUnreadable":
        """This error as the first of several; the findings have row, line, column, why and detail each."""
        line = findings[0].get("line")
        text = str(self) + (f" (line {line})" if line else "")
        error = RosterUnreadable(f"{text}; {more_rows:,} more rows cannot be read" if more_rows else text)
        error.members = {**self.members, "findings": list(findings), "total": total}
        return error

    def beside(self, report: BaseModel) -> "RosterUnreadable":
        """This error with what is to be said of the rows that can be read."""
        error = RosterUnreadable(str(self))
        error.members = {**self.members, "report": report.model_dump(mode="json")}
        return error


class RosterChanged(RosterError):
    """The roster is another one than when the import was looked at."""

    code = "roster_changed"

    def __init__(self, removed: int, expected: int) -> None:
        super().__init__(
            f"The import would remove {removed} candidates now, not {expected}: look at it again.",
            removed=removed,
        )


class RosterRefused(RosterError):
    """The roster was read, and findings in it stop the import. `report` lists them."""

    code = "roster_refused"

    def __init__(self, problems: int, report: BaseModel) -> None:
        super().__init__(f"The roster was not imported: {problems} findings have to be settled first.")
        self.report = report


class CheckinRefused(ExamError):
    """The check-in cannot take place; a person has to look at it."""


class SessionClosed(CheckinRefused):
    """The server's clock is outside the session's window."""

    code = "session_closed"

    def __init__(self, opens_at: datetime, closes_at: datetime, now: datetime) -> None:
        state = "has not opened yet" if now < opens_at else "has closed"
        super().__init__(
            f"The session {state}.",
            opens_at=opens_at.isoformat(),
            closes_at=closes_at.isoformat(),
            server_time=now.isoformat(),
        )


class NotOnRoster(CheckinRefused):
    """The candidate is not expected in this session."""

    code = "not_on_roster"

    def __init__(self, external_id: str, room: str | None = None) -> None:
        elsewhere = f" Expected in {room}." if room else ""
        super().__init__(f"{external_id[:100]} is not on the roster of this session.{elsewhere}", room=room)


class AlreadyCheckedIn(CheckinRefused):
    """The candidate has been let in before."""

    code = "already_checked_in"

    def __init__(
        self,
        checkin_id: UUID,
        at: datetime,
        seat: str | None,
        elsewhere: tuple[UUID, str] | None = None,
    ) -> None:
        """Say where; `elsewhere` is another session's id and room."""
        session_id, room = elsewhere or (None, None)
        where = f", room {room}" if room else ""
        where += f", seat {seat}" if seat else ""
        members: dict[str, Any] = {
            "checkin_id": str(checkin_id),
            "checked_in_at": at.isoformat(),
            "seat": seat,
        }
        if session_id is not None:
            members |= {"session_id": str(session_id), "room": room}
        super().__init__(f"The candidate was checked in at {at:%Y-%m-%d %H:%M:%S} UTC{where}.", **members)


class CandidateRefused(CheckinRefused):
    """An invigilator has refused the candidate; that does not reverse by another photograph."""

    code = "candidate_refused"

    def __init__(self, checkin_id: UUID) -> None:
        super().__init__("An invigilator has refused this candidate.", checkin_id=str(checkin_id))


class AttemptsExhausted(CheckinRefused):
    """As many photographs were taken as are allowed."""

    code = "attempts_exhausted"

    def __init__(self, made: int, allowed: int) -> None:
        super().__init__(f"{made} of {allowed} attempts are used.", made=made, allowed=allowed)


class NothingToCompare(CheckinRefused):
    """No template that the present model can read: of the candidate, or of anybody on the roster."""

    code = "no_template"

    def __init__(self, whose: str) -> None:
        super().__init__(f"{whose} has no template to compare with; identify by a document.")


class TemplateDamaged(CheckinRefused):
    """A stored template of the candidate does not open: somebody may have changed it."""

    code = "template_unreadable"

    def __init__(self) -> None:
        super().__init__("The candidate's stored template cannot be opened; identify by a document.")


class EntryOver(CheckinRefused):
    """Nobody comes in any more by the session's rules."""

    code = "entry_over"

    def __init__(self, rule: str, since: datetime) -> None:
        """Say which rule it is, and since when."""
        super().__init__(
            f"Nobody comes in since {since:%Y-%m-%d %H:%M:%S} UTC ({rule}).",
            rule=rule,
            since=since.isoformat(),
        )


class ExitNotAllowed(CheckinRefused):
    """Nobody goes out in the first and the last minutes."""

    code = "exit_not_allowed"

    def __init__(self, until: datetime) -> None:
        super().__init__(f"Nobody goes out before {until:%Y-%m-%d %H:%M:%S} UTC.", until=until.isoformat())


class NotCheckedIn(CheckinRefused):
    """Who was not let in neither goes out nor comes back."""

    code = "not_checked_in"

    def __init__(self) -> None:
        super().__init__("The candidate was not checked in.")


class MovementImpossible(CheckinRefused):
    """Nobody comes back who is not out, or goes out twice."""

    code = "movement_impossible"

    def __init__(self, presence: str, since: datetime | None) -> None:
        super().__init__(
            f"The candidate is {presence}.", presence=presence, since=since.isoformat() if since else None
        )


class ReturnByDocument(CheckinRefused):
    """Who came in by a document comes back by one; nobody's face is looked at who was not known by it."""

    code = "return_by_document"

    def __init__(self) -> None:
        super().__init__("The candidate came in by a document, and comes back by one.")


class GroupsUnreadable(ExamError):
    """The file is no list of numbers and groups; `line` counts from 1. Its content is not repeated."""

    code = "groups_unreadable"

    def __init__(self, reason: str, line: int | None = None) -> None:
        place = f"line {line}: " if line else ""
        super().__init__(f"{place}{reason}.", line=line)


class PaperError(ExamError):
    """A line of a room sheet that cannot be typed in; the others are none the worse."""


class PaperUnreadable(PaperError):
    """A cell that cannot be read."""

    code = "paper_unreadable"

    def __init__(self, column: str, text: str) -> None:
        super().__init__(f"{column}: {text[:40]!r} cannot be read.", column=column)


class PaperIncomplete(PaperError):
    """Something is missing: an arrival is a time and a document."""

    code = "paper_incomplete"

    def __init__(self, missing: str) -> None:
        super().__init__(f"The line lacks {missing}.", missing=missing)


class PaperRepeated(PaperError):
    """The candidate is in the list twice."""

    code = "paper_repeated"

    def __init__(self) -> None:
        super().__init__("The candidate has two lines; only the first counts.")


class TimeNotPossible(PaperError):
    """A time before the session or the arrival, after its end, or in the future."""

    code = "time_not_possible"

    def __init__(self, field: str, since: datetime, until: datetime) -> None:
        super().__init__(
            f"{field} has to lie between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC.",
            field=field,
            since=since.isoformat(),
            until=until.isoformat(),
        )


class PaperConflict(PaperError):
    """The candidate is in already, or has left, otherwise than paper says: one admission counts."""

    code = "paper_conflict"

    def __init__(self, source: str, at: datetime | None) -> None:
        when = f" at {at:%Y-%m-%d %H:%M} UTC" if at else ""
        super().__init__(
            f"Recorded otherwise already ({source}){when}.", source=source, at=at.isoformat() if at else None
        )


class MovementNotFound(ExamError):
    """There is no such movement."""

    code = "movement_not_found"

    def __init__(self, movement_id: UUID) -> None:
        super().__init__(f"There is no movement {movement_id}.")


class MovementSuperseded(ExamError):
    """The candidate has moved since, or it was taken back: only the newest movement is."""

    code = "movement_superseded"

    def __init__(self) -> None:
        super().__init__("Only a candidate's newest movement can be taken back, and once.")


class FacesOff(CheckinRefused):
    """Nobody's face is looked at in this exam: candidates show a document."""

    code = "faces_off"

    def __init__(self) -> None:
        super().__init__("In this exam everybody is identified by a document; no photograph is used.")


class ManualIdentificationAgreed(CheckinRefused):
    """It was agreed to identify this candidate by a document; the photograph is not looked at."""

    code = "manual_identification_agreed"

    def __init__(self) -> None:
        super().__init__("It was agreed to identify this candidate by a document. No photograph is used.")


class QueueError(ExamError):
    """One item of a kiosk's queue makes no attempt; the others are none the worse."""


class QueueUnreadable(QueueError):
    """It does not open, or what is in it is no attempt."""

    code = "queue_unreadable"

    def __init__(self) -> None:
        super().__init__("The item was changed, or sealed with another key, or is no attempt.")


class QueueOfAnotherSession(QueueError):
    """It was taken at another door."""

    code = "queue_of_another_session"

    def __init__(self) -> None:
        super().__init__("The item was taken in another session.")


class TakenAfterEnd(QueueError):
    """It was taken when the kiosk was no kiosk any more."""

    code = "taken_after_end"

    def __init__(self, ended_at: datetime) -> None:
        super().__init__(
            f"The kiosk's key ended at {ended_at:%H:%M:%S} UTC, before this was taken.",
            ended_at=ended_at.isoformat(),
        )


class NotWaiting(ExamError):
    """Nobody waits under this id: somebody else has seen to them, or never did."""

    code = "not_waiting"

    def __init__(self, waiting_id: str) -> None:
        super().__init__(f"Nobody waits under {waiting_id[:64]} any more.")


class DecisionNeeded(ExamError):
    """A candidate's attempt is open: that takes a decision with a reason."""

    code = "decision_needed"

    def __init__(self) -> None:
        super().__init__("An attempt of this candidate is open: decide on it.")


class SeatTaken(ExamError):
    """Somebody else of the session has the seat."""

    code = "seat_taken"

    def __init__(self, seat: str) -> None:
        super().__init__(f"Seat {seat} is taken.")


class OverrideError(ExamError):
    """The override cannot be recorded."""


class CandidateNeeded(OverrideError):
    """Somebody is to be admitted, and neither the attempt nor the override says who."""

    code = "candidate_needed"

    def __init__(self) -> None:
        super().__init__("The attempt names no candidate; the override has to.")


class ReasonCodeUnknown(OverrideError):
    """The exam does not know this reason."""

    code = "reason_code_unknown"

    def __init__(self, reason_code: str, allowed: Sequence[str]) -> None:
        super().__init__(f"The exam has no reason code {reason_code[:100]!r}.", allowed=list(allowed))


class AlreadyDecided(OverrideError):
    """The attempt has this outcome already; a second row would say nothing."""

    code = "already_decided"

    def __init__(self, outcome: str) -> None:
        super().__init__(f"The outcome is {outcome} already.", outcome=outcome)


class DecidedMeanwhile(OverrideError):
    """Somebody else has decided since the case was looked at; whoever decides now has to see that first."""

    code = "decided_meanwhile"

    def __init__(self, outcome: str, at: datetime, operator: str | None) -> None:
        by = f" by {operator}" if operator else ""
        super().__init__(
            f"Meanwhile it was decided{by}: {outcome}. Look at the case again.",
            outcome=outcome,
            decided_at=at.isoformat(),
            operator=operator,
        )


class AttemptSuperseded(OverrideError):
    """A newer attempt of the candidate counts; the older one is no open case."""

    code = "attempt_superseded"

    def __init__(self, checkin_id: UUID) -> None:
        super().__init__(
            f"A newer attempt of this candidate counts: {checkin_id}.", checkin_id=str(checkin_id)
        )


class KioskNotFound(ExamError):
    """The session has no such kiosk."""

    code = "kiosk_not_found"

    def __init__(self, kiosk_id: UUID) -> None:
        super().__init__(f"The session has no kiosk {kiosk_id}.")


class CodeUnknown(ExamError):
    """No tablet shows this code now."""

    code = "code_unknown"

    def __init__(self) -> None:
        super().__init__("No kiosk shows this code: it was confirmed already, has ended, or was misread.")


class PairingEnded(ExamError):
    """The code has ended, or the kiosk was let in by it."""

    code = "pairing_ended"

    def __init__(self) -> None:
        super().__init__("The code has ended: ask for another one.")


class TooManyCodes(ExamError):
    """As many tablets ask to be paired as may."""

    code = "rate_limited"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too many kiosks ask to be paired at once.")
        self.retry_after_seconds = retry_after_seconds


class NumberInvalid(ExamError):
    """A card or a text that is no candidate's number by the site's rule."""

    code = "number_invalid"

    def __init__(self) -> None:
        super().__init__("This is not a candidate's number.")


class CardTaken(ExamError):
    """Somebody else has the number."""

    code = "card_taken"

    def __init__(self, number: str) -> None:
        super().__init__(f"Somebody else has the number {number[:100]}.", number=number)
