"""What the papers say: an exam as it is set, how the installation keeps data, and the model in use."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session as OrmSession

from embedding.bundle import Bundle
from embedding.manifest import Provenance
from index.tables import SubjectRow, utc_now
from service.exams.case_pictures import KEPT_AFTER_CLOSING
from service.exams.context import Desk
from service.exams.exams import exam_document, exam_row
from service.exams.paperwork.figures import DoorLine, door_lines
from service.exams.policies import rates_in_force
from service.exams.schemas import Exam
from service.exams.tables import RosterEntryRow, SessionRow


@dataclass(frozen=True)
class Installed:
    """How the installation keeps data, as its settings say.

    Attributes:
        store_crops: Whether the aligned face of an enrolment is kept.
        crop_days: For how long.
        has_key: Whether templates and pictures are encrypted at rest.
        replay_hours: How long an answer can be replayed.
        expired_days: How long after the end of the legal basis people are erased; None: not by itself.
        link_days: How long a link for a withdrawal works.
    """

    store_crops: bool
    crop_days: int
    has_key: bool
    replay_hours: float
    expired_days: int | None
    link_days: int


@dataclass(frozen=True)
class Room:
    """One session of the exam, with the rates that are in force there."""

    room: str
    opens_at: datetime
    closes_at: datetime
    match_fmr: float
    refer_fmr: float
    attempts_allowed: int


@dataclass(frozen=True)
class Basis:
    """A legal basis as it is recorded, and of how many candidates; None: none is recorded."""

    name: str | None
    candidates: int


@dataclass(frozen=True)
class ModelFacts:
    """The model in use."""

    name: str
    id: str
    calibration_id: str
    calibration_data: str
    identities: int
    non_mated: int
    smallest_fmr: float
    dim: int
    provenance: Provenance
    door: list[DoorLine]

    def door_at(self, fmr: float) -> list[DoorLine]:
        """What was measured at this false match rate."""
        return [line for line in self.door if line.is_at(fmr)]


@dataclass(frozen=True)
class Facts:
    """Everything that the papers say of their own knowledge; the rest is left for a person to fill in."""

    exam: Exam
    rooms: list[Room]
    candidates: int
    by_document: int
    bases: list[Basis]
    installed: Installed
    model: ModelFacts
    case_picture_hours: int
    written_at: datetime
    version: str

    @property
    def compares(self) -> bool:
        """Whether faces are compared at all."""
        return self.exam.faces != "off"

    @property
    def records_go_at(self) -> datetime | None:
        """When rosters and attempts go; None: they are kept."""
        days = self.exam.retention_days
        return None if days is None else self.exam.appeal_ends_at + timedelta(days=days)


def collect_facts(desk: Desk, exam_id: UUID, installed: Installed) -> Facts:
    """Read what the papers about one exam say.

    Raises:
        ExamNotFound: If there is no such exam.
    """
    with desk.database.read() as db:
        row = exam_row(db, exam_id)
        sessions = db.scalars(
            select(SessionRow).where(SessionRow.exam_id == exam_id).order_by(SessionRow.opens_at)
        )
        rooms = [room_of(desk, db, session) for session in sessions]
        candidates, by_document = count_candidates(db, exam_id)
        return Facts(
            exam=exam_document(desk, row),
            rooms=rooms,
            candidates=candidates,
            by_document=by_document,
            bases=count_bases(db, exam_id),
            installed=installed,
            model=model_facts(desk.serving.active.embedder.bundle),
            case_picture_hours=KEPT_AFTER_CLOSING // timedelta(hours=1),
            written_at=utc_now(),
            version=version("invigil"),
        )


def room_of(desk: Desk, db: OrmSession, session: SessionRow) -> Room:
    """A session with what is in force."""
    exam = exam_row(db, session.exam_id)
    match, refer = rates_in_force(desk, session, exam)
    attempts = session.attempts_allowed or exam.attempts_allowed
    return Room(session.room, session.opens_at, session.closes_at, match, refer, attempts)


def count_candidates(db: OrmSession, exam_id: UUID) -> tuple[int, int]:
    """How many people are expected, and how many of them by document."""
    by_document = func.max(case((RosterEntryRow.is_for_a_person, 1), else_=0))
    query = select(RosterEntryRow.external_key, by_document)
    query = query.join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
    found = db.execute(query.where(SessionRow.exam_id == exam_id).group_by(RosterEntryRow.external_key)).all()
    return len(found), sum(one for _, one in found)


def count_bases(db: OrmSession, exam_id: UUID) -> list[Basis]:
    """The recorded legal bases of the exam's candidates, the most frequent first."""
    query = select(SubjectRow.id, SubjectRow.legal_basis).join(
        RosterEntryRow, RosterEntryRow.subject_id == SubjectRow.id
    )
    query = query.join(SessionRow, SessionRow.id == RosterEntryRow.session_id)
    found_bases = db.execute(query.where(SessionRow.exam_id == exam_id))
    people = {one.id: one.legal_basis for one in found_bases}
    names = [basis.get("basis") if basis else None for basis in people.values()]
    found = [Basis(name, names.count(name)) for name in dict.fromkeys(names)]
    return sorted(found, key=lambda one: -one.candidates)


def model_facts(bundle: Bundle) -> ModelFacts:
    """What a bundle says of itself."""
    manifest, calibration = bundle.manifest, bundle.calibration
    return ModelFacts(
        name=manifest.name,
        id=bundle.model_id,
        calibration_id=calibration.id,
        calibration_data=calibration.data,
        identities=calibration.identities,
        non_mated=calibration.non_mated,
        smallest_fmr=calibration.smallest_fmr,
        dim=bundle.dim,
        provenance=manifest.provenance,
        door=door_lines(bundle),
    )
