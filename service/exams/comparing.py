"""A probe against the claimed candidate, or against the roster; and against the rest of the exam."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session as OrmSession

from embedding.template import Template
from index.database import Database
from index.errors import NoTemplate, SubjectNotFound, WrongModel
from index.neighbours import Nearest
from service.decision import Outcome, Policy, decide
from service.exams.desk import Desk, policy_among
from service.exams.door import Expected
from service.exams.errors import NothingToCompare
from service.exams.judgement import same_face_d
from service.exams.sessions import policy_of, session_row
from service.exams.tables import RosterEntryRow, SessionRow

RIVALS = 8
LARGEST_D = 4.0

SEARCHED_ALONE = 2_000
"""Up to so many people, an exam is searched by itself; beyond, the gallery is, and the exam picked out."""
GALLERY_RIVALS = 64


@dataclass(frozen=True)
class Comparison:
    """What the probe was found to be near to.

    Attributes:
        entry: The candidate that the decision is about; None where a search found nobody.
        nearest: The template compared with; in a fruitless search the nearest one, which is not named.
        policy: The thresholds that apply: a search among n people has stricter ones.
        rivals: Other people of the exam within the session's match threshold, nearest first.
        same_face: As `judgement.same_face_d`.
    """

    entry: RosterEntryRow | None
    nearest: Nearest
    policy: Policy
    decision: Outcome
    rivals: Sequence[Nearest]
    same_face: float
    search_ms: float


def compare(desk: Desk, expected: Expected, probe: Template) -> Comparison:
    """Compare with the claimed candidate, or search the roster where nobody was claimed.

    Raises:
        NothingToCompare: If there is no template of the present model to compare with.
    """
    started = time.perf_counter()
    policy = policy_of(desk, expected.session, expected.exam)
    entry = expected.entry
    if entry is not None:
        nearest, used = claimed(desk, entry, probe), policy
        decision = decide(nearest.d, used)
    else:
        entry, nearest, used = searched(desk, expected.session, probe, policy)
        decision = decide(nearest.d, used)
    rivals, people = rivals_of(desk, expected, probe, policy, entry)
    return Comparison(
        entry=entry,
        nearest=nearest,
        policy=used,
        decision=decision,
        rivals=rivals,
        same_face=same_face_d(desk.calibration, policy.match_fmr, people),
        search_ms=(time.perf_counter() - started) * 1000,
    )


def claimed(desk: Desk, entry: RosterEntryRow, probe: Template) -> Nearest:
    """The claimed candidate's nearest template; nobody else is looked at.

    Raises:
        NothingToCompare: If there is none of the present model.
    """
    if entry.subject_id is None:
        raise NothingToCompare("The candidate")
    try:
        return desk.gallery.distance_to(entry.subject_id, probe)
    except (NoTemplate, SubjectNotFound, WrongModel) as error:
        raise NothingToCompare("The candidate") from error


def searched(
    desk: Desk, row: SessionRow, probe: Template, policy: Policy
) -> tuple[RosterEntryRow | None, Nearest, Policy]:
    """The nearest candidate of the session, if near enough at the rates of a search among so many.

    Whoever agreed to be identified by a document is not searched.

    Raises:
        NothingToCompare: If nobody on the roster has a template.
    """
    query = select(RosterEntryRow).where(
        RosterEntryRow.session_id == row.id,
        RosterEntryRow.subject_id.is_not(None),
        RosterEntryRow.manual_identification.is_(False),
    )
    with desk.database.read() as session:
        people = {entry.subject_id: entry for entry in session.scalars(query) if entry.subject_id}
    found = desk.gallery.nearest(probe, 1, max_d=LARGEST_D, within=people)
    if not found:
        raise NothingToCompare("Nobody on the roster")
    strict = policy_among(policy, len(people))
    is_near = decide(found[0].d, strict) is not Outcome.NO_MATCH
    return people[found[0].subject_id] if is_near else None, found[0], strict


def session_people(database: Database, session_id: UUID) -> set[UUID]:
    """The subjects on a session's roster who may be looked for by their face.

    Raises:
        SessionNotFound: If there is no such session.
    """
    query = select(RosterEntryRow.subject_id).where(
        RosterEntryRow.session_id == session_id, RosterEntryRow.manual_identification.is_(False)
    )
    with database.read() as session:
        session_row(session, session_id)
        return {subject_id for subject_id in session.scalars(query) if subject_id is not None}


def rivals_of(
    desk: Desk, expected: Expected, probe: Template, policy: Policy, entry: RosterEntryRow | None
) -> tuple[list[Nearest], int]:
    """Other people of the exam whose face is within the match threshold, and how many people there are."""
    own = entry.subject_id if entry else None
    with desk.database.read() as session:
        people = people_count(session, expected.exam.id)
        within = people_of(session, expected.exam.id) if people <= SEARCHED_ALONE else None
    k = RIVALS + 1 if within is not None else GALLERY_RIVALS
    found = desk.gallery.nearest(probe, k, max_d=policy.match, within=within)
    return [one for one in found if one.subject_id != own], people


def people_count(session: OrmSession, exam_id: UUID) -> int:
    """How many candidates the exam has, in all its sessions."""
    query = select(func.count(RosterEntryRow.subject_id)).join(
        SessionRow, SessionRow.id == RosterEntryRow.session_id
    )
    return session.scalar(query.where(SessionRow.exam_id == exam_id)) or 0


def people_of(session: OrmSession, exam_id: UUID) -> Collection[UUID]:
    """The candidates of an exam, in all its sessions."""
    query = select(RosterEntryRow.subject_id).join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
    found = session.scalars(query.where(SessionRow.exam_id == exam_id))
    return {subject_id for subject_id in found if subject_id is not None}
