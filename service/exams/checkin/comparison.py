"""A probe against the claimed candidate, or against the roster; and against the rest of the exam."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session as OrmSession

from embedding.embedder import Embedding
from embedding.errors import ModelMismatch
from index.consent.legal_basis import has_ended
from index.database.database import Database
from index.errors import LegalBasisExpired, NoTemplate, SubjectNotFound, TemplateUnreadable
from index.gallery.neighbours import Nearest
from index.same_photograph import is_of_subject
from index.tables import SubjectRow, utc_now
from service.decisions.decision import Outcome, Policy, decide
from service.exams.checkin.rules import Expected
from service.exams.checkin.verdict import same_face_d
from service.exams.context import Desk
from service.exams.errors import ManualIdentificationAgreed, NothingToCompare, TemplateDamaged
from service.exams.policies import policy_among, policy_in_force
from service.exams.sessions import session_row
from service.exams.tables import AdmissionRow, RosterEntryRow, SessionRow
from service.models.loaded import Found, LoadedModel, same_rate_d

SAME_DAY = timedelta(hours=24)
"""For so long after a session has closed, its candidates are known by face in every other exam."""

RIVALS = 8
LARGEST_D = 4.0

SEARCHED_ALONE = 2_000
"""Up to so many people, an exam is searched by itself; beyond, the gallery is, and the exam picked out."""
GALLERY_RIVALS = 64


def may_be_looked_for() -> ColumnElement[bool]:
    """The condition for candidates who may be looked for by their face.

    They are known, a person does not identify them by agreement, and their legal basis is in force.
    """
    ended = select(SubjectRow.id).where(SubjectRow.id == RosterEntryRow.subject_id, has_ended())
    known = RosterEntryRow.subject_id.is_not(None) & ~RosterEntryRow.is_for_a_person
    return known & ~ended.correlate(RosterEntryRow).exists()


@dataclass(frozen=True)
class Near:
    """Somebody else who is near to the probe.

    Attributes:
        d: Under the model that knows them.
        comparable_d: The distance of the same false match rate under the model of the decision.
    """

    subject_id: UUID
    d: float
    comparable_d: float


@dataclass(frozen=True)
class Comparison:
    """What the probe was found to be near to.

    Attributes:
        model: The one that knows the candidate, or whoever was nearest.
        entry: The candidate that the decision is about; None where a search found nobody.
        nearest: The template compared with; in a fruitless search the nearest one, which is not named.
        policy: The thresholds that apply: a search among n people has stricter ones.
        rivals: Other people within the session's match threshold, nearest first; beside a large exam's,
            also people who are not of the exam.
        same_face: As `verdict.same_face_d`.
        is_by_todays: Whether today's admission was nearer than any template of the enrolment.
        differs_from_todays: Whether the enrolment matches, and today's admission does not.
        is_same_photograph: Whether the camera saw the very photograph that the candidate is enrolled by.
    """

    model: LoadedModel
    entry: RosterEntryRow | None
    nearest: Nearest
    policy: Policy
    decision: Outcome
    rivals: Sequence[Near]
    same_face: float
    is_same_photograph: bool
    search_ms: float
    is_by_todays: bool = False
    differs_from_todays: bool = False


def model_for(desk: Desk, entry: RosterEntryRow | None) -> LoadedModel:
    """The model to look at a photograph with: the claimed candidate's, or the one in use."""
    return desk.serving.model_of(entry.subject_id if entry else None)


def compare(desk: Desk, expected: Expected, probe: Embedding) -> Comparison:
    """Compare with the claimed candidate, or search the roster where nobody was claimed.

    Args:
        desk: With the models.
        expected: The session, and the claimed candidate.
        probe: Of `model_for` the claimed candidate.

    Raises:
        NothingToCompare: If there is no template of a present model to compare with.
    """
    started = time.perf_counter()
    entry = expected.entry
    if entry is not None:
        model = model_for(desk, entry)
        nearest, policy = (
            claimed(model, entry, probe),
            policy_in_force(desk, expected.session, expected.exam, model),
        )
        used = policy
    else:
        entry, found, people = searched(desk, expected, probe)
        model, nearest = found.model, found.nearest
        policy = policy_in_force(desk, expected.session, expected.exam, model)
        used = policy_among(policy, people)
    rivals, everybody = rivals_of(desk, expected, probe, model, entry)
    decision = decide(nearest.d, used)
    return Comparison(
        model=model,
        entry=entry,
        nearest=nearest,
        policy=used,
        decision=decision,
        rivals=rivals,
        same_face=same_face_d(model.calibration, policy.match_fmr, everybody),
        is_same_photograph=decision is not Outcome.NO_MATCH and is_enrolment(desk, entry, nearest, probe),
        search_ms=(time.perf_counter() - started) * 1000,
    )


def is_enrolment(desk: Desk, entry: RosterEntryRow | None, nearest: Nearest, probe: Embedding) -> bool:
    """Whether the camera saw the candidate's enrolment photograph; known only where its crop is kept."""
    subject_id = entry.subject_id if entry else None
    if subject_id is None:
        return False
    return is_of_subject(desk.database, desk.cipher, probe.crop, subject_id, nearest.template_id)


def claimed(model: LoadedModel, entry: RosterEntryRow, probe: Embedding) -> Nearest:
    """The claimed candidate's nearest template; nobody else is looked at.

    Raises:
        NothingToCompare: If there is none of a present model.
        TemplateDamaged: If one does not open.
        ManualIdentificationAgreed: If the legal basis has ended meanwhile.
    """
    if entry.subject_id is None:
        raise NothingToCompare("The candidate")
    try:
        return model.gallery.distance_to(entry.subject_id, model.template_of(probe))
    except LegalBasisExpired as error:
        raise ManualIdentificationAgreed from error
    except TemplateUnreadable as error:
        raise TemplateDamaged from error
    except (NoTemplate, SubjectNotFound, ModelMismatch) as error:
        raise NothingToCompare("The candidate") from error


def searched(desk: Desk, expected: Expected, probe: Embedding) -> tuple[RosterEntryRow | None, Found, int]:
    """The nearest candidate of the session, if near enough at the rates of a search among so many.

    Returns:
        The candidate, who was nearest in any case, and among how many was searched.

    Whoever agreed to be identified by a document is not searched.

    Raises:
        NothingToCompare: If nobody on the roster has a template.
    """
    query = select(RosterEntryRow).where(
        RosterEntryRow.session_id == expected.session.id, may_be_looked_for()
    )
    with desk.database.read() as db:
        people = {entry.subject_id: entry for entry in db.scalars(query) if entry.subject_id}
    found = desk.serving.nearest(probe, 1, lambda model: LARGEST_D, within=people)
    if not found:
        raise NothingToCompare("Nobody on the roster")
    model, nearest = found[0].model, found[0].nearest
    strict = policy_among(policy_in_force(desk, expected.session, expected.exam, model), len(people))
    is_near = decide(nearest.d, strict) is not Outcome.NO_MATCH
    return people[nearest.subject_id] if is_near else None, found[0], len(people)


def session_people(database: Database, session_id: UUID) -> set[UUID]:
    """The subjects on a session's roster who may be looked for by their face.

    Raises:
        SessionNotFound: If there is no such session.
    """
    query = select(RosterEntryRow.subject_id).where(
        RosterEntryRow.session_id == session_id, may_be_looked_for()
    )
    with database.read() as db:
        session_row(db, session_id)
        return {subject_id for subject_id in db.scalars(query) if subject_id is not None}


def rivals_of(
    desk: Desk, expected: Expected, probe: Embedding, model: LoadedModel, entry: RosterEntryRow | None
) -> tuple[list[Near], int]:
    """Other people whose face is within the match threshold, and how many people the exam has."""
    own = entry.subject_id if entry else None
    with desk.database.read() as db:
        within, people = people_of(db, expected.exam.id)
    k = RIVALS + 1 if within is not None else GALLERY_RIVALS
    found = desk.serving.nearest(
        probe, k, lambda one: policy_in_force(desk, expected.session, expected.exam, one).match, within
    )
    return [near_of(one, model) for one in found if one.nearest.subject_id != own], people


def near_of(found: Found, model: LoadedModel) -> Near:
    """A find of any model, as it compares under the model of the decision."""
    d = found.nearest.d
    return Near(found.nearest.subject_id, d, same_rate_d(d, found.model.calibration, model.calibration))


def is_of_the_day(exam_id: UUID) -> ColumnElement[bool]:
    """The condition for a session of the exam, or for an admission to another one within a day.

    One face under two numbers is found across exams; the rows have to be joined with their admissions.
    """
    now = utc_now()
    # By the sessions' windows: there are few sessions, and admissions of years.
    today = SessionRow.opens_at <= now, SessionRow.closes_at > now - SAME_DAY
    return or_(SessionRow.exam_id == exam_id, and_(*today, AdmissionRow.entry_id.is_not(None)))


def people_of(db: OrmSession, exam_id: UUID) -> tuple[Collection[UUID] | None, int]:
    """Who may be looked for by their face: expected in any session of an exam, or let into another today.

    Returns:
        Their ids, or None where they are too many to be searched alone; and how many they are.
    """
    query = (
        select(RosterEntryRow.subject_id)
        .distinct()
        .join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
        .outerjoin(AdmissionRow, AdmissionRow.entry_id == RosterEntryRow.id)
        .where(is_of_the_day(exam_id), may_be_looked_for())
    )
    few = db.scalars(query.limit(SEARCHED_ALONE + 1)).all()
    if len(few) > SEARCHED_ALONE:
        return None, db.scalar(select(func.count()).select_from(query.subquery())) or 0
    return {one for one in few if one is not None}, len(few)
