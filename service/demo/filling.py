"""What happens in the demonstration before a newcomer looks: enrolments, an exam of today, a filled board."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from embedding.quality import Purpose
from index.audit import Origin
from index.errors import SubjectNotFound
from index.ids import uuid7
from index.subjects.subjects import ExternalId
from service.demo.cast import BY_AGREEMENT, EXTRA_TIME, TWINS, WITHOUT_TEMPLATE, Cast, Member
from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import check_in
from service.exams.checkin.rules import Arrival
from service.exams.exams import create_exam
from service.exams.roster.file import RosterCandidate, RosterDocument, rows_of_document
from service.exams.roster.importing import import_roster
from service.exams.schemas import Verdict
from service.exams.sessions import create_session, find_session
from service.exams.terms import ExamTerms, SessionTerms
from service.matching.enrolling import enrol_embedding
from service.parts import Parts

ACTOR = "invigil demo"
ORIGIN = Origin(ACTOR, is_admin=True)
DOOR = "Main door"
SPARE = 20
"""Captures before this one are for enrolments, later ones for the door."""


def fill(parts: Parts, cast: Cast) -> UUID:
    """Enrols everybody, makes an exam of today and fills its board; returns the open session."""
    for member in cast.members:
        enrol(parts, cast, member)
    return new_session(parts, cast)


def enrol(parts: Parts, cast: Cast, member: Member) -> None:
    """Adds a candidate with a template, where there is none yet."""
    try:
        parts.subjects.find(ExternalId(member.external_id))
        return
    except SubjectNotFound:
        subject = parts.subjects.add(external_id=member.external_id, display_name=member.name, actor=ACTOR)
    if member.place == WITHOUT_TEMPLATE:
        return
    picture = cast.usable(member, parts.embedder, Purpose.ENROL)
    enrol_embedding(
        parts,
        subject.id,
        parts.embedder.embed(picture, Purpose.ENROL),
        actor=ACTOR,
        source_digest=hashlib.sha256(picture).hexdigest(),
        force_reason="Made up to look alike." if member.place in TWINS else None,
    )


def is_open(parts: Parts, session_id: UUID) -> bool:
    """Whether a session of a former run is open still."""
    return find_session(parts.desk, session_id).state == "open"


def new_session(parts: Parts, cast: Cast) -> UUID:
    """An exam of today with its roster, and who has come so far."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    terms = ExamTerms(
        name="Demonstration: Linear Algebra",
        starts_at=now + timedelta(minutes=30),
        ends_at=now + timedelta(hours=8),
        keep_probe_thumbnails=True,
        identification=True,
    )
    exam = create_exam(parts.desk, terms, ORIGIN)
    window = SessionTerms(room="Hall 1", opens_at=now - timedelta(minutes=30), closes_at=terms.ends_at)
    session = create_session(parts.desk, exam.id, window, ORIGIN)
    roster = RosterDocument(candidates=[candidate(member) for member in cast.members])
    import_roster(parts.desk, session.id, rows_of_document(roster), ORIGIN)
    for member in cast.members:
        arrive(parts, cast, member, session.id)
    return session.id


def candidate(member: Member) -> RosterCandidate:
    """A line of the roster."""
    return RosterCandidate(
        external_id=member.external_id,
        display_name=member.name,
        seat=member.seat,
        manual_identification=member.place == BY_AGREEMENT,
        twin=member.place in TWINS,
        accommodation="25 % more time" if member.place == EXTRA_TIME else None,
    )


def arrive(parts: Parts, cast: Cast, member: Member, session_id: UUID) -> None:
    """What happens to a candidate at the door."""
    match member.fate:
        case "admitted":
            take_photograph(
                parts, session_id, member, cast.usable(member, parts.embedder, Purpose.CHECKIN, SPARE)
            )
        case "stranger":
            stranger = cast.members[member.place + 10]
            face = cast.usable(stranger, parts.embedder, Purpose.CHECKIN, SPARE)
            attempt = take_photograph(parts, session_id, member, face)
            if member.place == 25:
                terms = OverrideTerms(
                    outcome=Verdict.REFUSED,
                    reason_code="impersonation_suspected",
                    note="The photograph shows somebody else.",
                    operator="Demo invigilator",
                )
                override(parts.desk, attempt, terms, ORIGIN)
        case "blurred":
            # The lens is covered: nothing that could be compared, and no better picture comes.
            take_photograph(parts, session_id, member, cast.dark(member), is_final=True)
        case "document":
            terms_of_document = IdentificationTerms(
                candidate=member.external_id,
                document_type=DocumentType.PASSPORT,
                operator="Demo invigilator",
            )
            identify(parts.desk, session_id, terms_of_document, ORIGIN)
        case "expected":
            pass


def take_photograph(
    parts: Parts, session_id: UUID, member: Member, picture: bytes, *, is_final: bool = False
) -> UUID:
    """One attempt at the door; returns its id."""
    arrival = Arrival(session_id, member.external_id, kiosk=DOOR, final=is_final)
    return check_in(parts.desk, arrival, picture, ORIGIN, uuid7()).checkin.id
