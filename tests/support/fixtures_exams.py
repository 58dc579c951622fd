"""Exams to test with: over HTTP with real faces, and at the desk with faces made of numbers.

A made picture is text: `3` is person 3 as enrolled, `3@40` the same person 40° off, `3+7@40` a face 40° from
person 3 on the way to person 7. The text may follow behind a real picture and `#`.
Between unit vectors θ apart, d = 2 − 2 cos θ; two made people are 90° apart: d = 2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import cos, radians, sin
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx2 as httpx
import numpy as np
import pytest
from fixtures_service import Service
from made_templates import DIM, MODEL, open_gallery

from embedding.calibration import Calibration, CurvePoint
from embedding.embedder import Embedder, Embedding, Timings
from embedding.errors import FaceNotFound, QualityRefused
from embedding.quality import Assessment, Purpose
from embedding.template import Template
from index.audit import Origin
from index.database.database import Database
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from service.decisions.decision import Policy
from service.exams.checkin.photograph import Result, check_in
from service.exams.checkin.rules import Arrival
from service.exams.context import Desk
from service.exams.exams import create_exam
from service.exams.roster.file import rows_of_csv
from service.exams.roster.importing import import_roster
from service.exams.roster.report import RosterReport
from service.exams.schemas import Exam, Session
from service.exams.sessions import create_session
from service.exams.terms import ExamTerms, SessionTerms
from service.models.loaded import LoadedModel, Serving

ORIGIN = Origin("test", "request-1", is_admin=True)

# Where the made people are: match up to 53° (d = 0.8), refer up to 66° (d = 1.2).
CALIBRATION = Calibration.new(
    created=datetime(2026, 1, 1, tzinfo=UTC),
    data="made",
    identities=1000,
    mated=10_000,
    non_mated=5_000_000,
    curve=[
        CurvePoint(d=d, fmr=fmr) for d, fmr in ((0.2, 1e-6), (0.4, 1e-5), (0.8, 1e-4), (1.2, 1e-3), (4, 1))
    ],
    targets=[],
)
GOOD = Assessment(acceptable=True, reasons=(), measures={"sharpness": 0.9}, limits={"sharpness_min": 0.04})

DARK = Assessment(
    acceptable=False,
    reasons=("under_exposed", "low_sharpness"),
    measures={"luminance": 0.02, "sharpness": 0.01},
    limits={"luminance_min": 0.1},
)


def hours_from_now(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def made_face(text: str) -> Template:
    """The template of a made picture."""
    people, _, degrees = text.partition("@")
    first, _, second = people.partition("+")
    vector = np.zeros(DIM, np.float32)
    # Whoever is on the way to nobody goes towards an axis that no person has.
    vector[int(second) if second else DIM - 1] = sin(radians(float(degrees or 0)))
    vector[int(first)] = cos(radians(float(degrees or 0)))
    return Template(vector, MODEL)


class MadeEmbedder:
    """Reads made pictures; `waits` is called while one is worked on. `dark` and `nobody` cannot be used."""

    def __init__(self) -> None:
        self.looked_at: list[bytes] = []
        self.waits: Callable[[], object] = lambda: None

    def embed(self, picture: bytes, purpose: Purpose) -> Embedding:
        self.looked_at.append(picture)
        self.waits()
        if picture.endswith(b"#dark"):
            raise QualityRefused(DARK)
        if picture.endswith(b"#nobody"):
            raise FaceNotFound
        face, crop = cast(Any, SimpleNamespace()), np.zeros((112, 112, 3), np.uint8)
        template = made_face(picture.rpartition(b"#")[2].decode())
        return Embedding(template, face, GOOD, Timings(1.0, 2.0, 3.0), crop)


@dataclass
class ExamDay:
    """An exam with one open session at a desk of made faces."""

    desk: Desk
    embedder: MadeEmbedder
    exam: Exam
    session: Session
    subjects: dict[str, UUID] = field(default_factory=dict)

    def enrol(self, external_id: str, *pictures: str) -> UUID:
        """A subject with a template of each picture."""
        subject = Subjects(self.desk.database).add(external_id=external_id, actor="test").id
        for picture in pictures:
            self.desk.gallery.enrol(
                subject,
                made_face(picture),
                quality={"sharpness": 0.9},
                duplicate_threshold=0.0,
                actor="test",
                force_reason="made",
            )
        self.subjects[external_id] = subject
        return subject

    def roster(
        self, *rows: str, header: str = "external_id,display_name,seat", **options: Any
    ) -> RosterReport:
        """Import rows of CSV."""
        return self.roster_of(self.session.id, *rows, header=header, **options)

    def roster_of(
        self, session_id: UUID, *rows: str, header: str = "external_id,display_name,seat", **options: Any
    ) -> RosterReport:
        """Import rows of CSV into another session."""
        data = "\n".join((header, *rows)).encode()
        return import_roster(self.desk, session_id, rows_of_csv(data), ORIGIN, **options)

    def arrive(
        self,
        external_id: str | None,
        picture: str,
        *,
        session_id: UUID | None = None,
        checkin_id: UUID | None = None,
        photograph: bytes = b"",
        **details: Any,
    ) -> Result:
        """One check-in by a made picture, which may be written behind a real one."""
        arrival = Arrival(session_id or self.session.id, external_id, **details)
        data = photograph + b"#" + picture.encode()
        return check_in(self.desk, arrival, data, ORIGIN, checkin_id or uuid7())

    def another_session(self, **terms: Any) -> Session:
        """Another open session of the same exam."""
        values = {"room": "R2", "opens_at": hours_from_now(-1), "closes_at": hours_from_now(1), **terms}
        return create_session(self.desk, self.exam.id, SessionTerms(**values), ORIGIN)


@pytest.fixture
def open_exam_day() -> Callable[..., ExamDay]:
    """Open an exam with one session, now, on any database; terms of both may be given.

    Faces may be looked for without a claim unless `identification` says otherwise.
    """

    def opened(database: Database, *, cipher: TemplateCipher | None = None, **terms: Any) -> ExamDay:
        session_names = {"room", "opens_at", "closes_at"}
        embedder = MadeEmbedder()
        policy = Policy.of(CALIBRATION, 1e-4, 1e-3)
        gallery = open_gallery(database, cipher=cipher)
        model = LoadedModel(cast(Embedder, embedder), gallery, policy, duplicate_fmr=1e-5, duplicate_d=0.4)
        desk = Desk(database, Serving(model), cipher)
        exam_terms = {name: value for name, value in terms.items() if name not in session_names}
        session_terms = {name: value for name, value in terms.items() if name in session_names}
        times = {"starts_at": hours_from_now(-1), "ends_at": hours_from_now(2), "identification": True}
        exam = create_exam(desk, ExamTerms(**{"name": "Mathematics", **times, **exam_terms}), ORIGIN)
        window = {"room": "R1", "opens_at": hours_from_now(-1), "closes_at": hours_from_now(1)}
        session = create_session(desk, exam.id, SessionTerms(**{**window, **session_terms}), ORIGIN)
        return ExamDay(desk, embedder, exam, session)

    return opened


@pytest.fixture
def exam_day(database: Database, open_exam_day: Callable[..., ExamDay]) -> ExamDay:
    """An exam day on each kind of database."""
    return open_exam_day(database)


@pytest.fixture
def sqlite_exam_day(
    sqlite_url: str, open_database: Callable[[str], Database], open_exam_day: Callable[..., ExamDay]
) -> ExamDay:
    """An exam day on SQLite, where the kind of database does not matter."""
    database = open_database(sqlite_url)
    database.upgrade()
    return open_exam_day(database)


@dataclass(frozen=True)
class ExamService:
    """A running service with an exam and one open session, as callers meet them."""

    service: Service
    exam_id: str
    session_id: str

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request with an admin key, or another; `{session}` and `{exam}` in the path are filled in."""
        full = path.replace("{session}", self.session_id).replace("{exam}", self.exam_id)
        return self.service.call(method, f"/v1/{full}", **options)

    def put_csv(self, text: str | bytes, query: str = "", **options: Any) -> httpx.Response:
        """Import a roster."""
        data = text.encode() if isinstance(text, str) else text
        headers = {"content-type": "text/csv"}
        return self.call(
            "PUT", f"sessions/{{session}}/roster{query}", content=data, headers=headers, **options
        )

    def check_in(
        self, picture: bytes, key: str | None = None, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """One check-in."""
        path = "sessions/{session}/checkins"
        return self.call("POST", path, key=key, headers=headers, files={"image": picture}, data=fields)

    def kiosk_key(self) -> str:
        """The text of a new kiosk's key."""
        answer = self.call("POST", "sessions/{session}/kiosk-keys", json={})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])


@pytest.fixture
def start_exam(start_service: Callable[..., Service]) -> Callable[..., ExamService]:
    """Start the service with an exam and one open session; terms of both, and settings, may be given.

    Faces may be looked for without a claim unless `identification` says otherwise.
    """

    def start(
        exam: dict[str, Any] | None = None, session: dict[str, Any] | None = None, **settings: Any
    ) -> ExamService:
        service = start_service(**settings)
        times = {"starts_at": hours_from_now(-1).isoformat(), "ends_at": hours_from_now(2).isoformat()}
        terms = {"name": "Mathematics", "identification": True, **times, **(exam or {})}
        made = service.call("POST", "/v1/exams", json=terms)
        assert made.status_code == 201, made.text
        window = {"opens_at": hours_from_now(-1).isoformat(), "closes_at": hours_from_now(1).isoformat()}
        path = f"/v1/exams/{made.json()['id']}/sessions"
        opened = service.call("POST", path, json={"room": "R1", **window, **(session or {})})
        assert opened.status_code == 201, opened.text
        return ExamService(service, made.json()["id"], opened.json()["id"])

    return start


@pytest.fixture
def exam_service(start_exam: Callable[..., ExamService]) -> ExamService:
    """The service on SQLite with an exam."""
    return start_exam()


@pytest.fixture
def staffed_exam(exam_service: ExamService, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> ExamService:
    """Two enrolled candidates, A1 and B1, and C1 without a template, on the roster."""
    exam_service.service.enrolled(astronaut_jpeg, "A1")
    exam_service.service.enrolled(stranger_jpeg, "B1")
    roster = "external_id,display_name,seat\nA1,Ann Arbor,1\nB1,Bob Burns,2\nC1,Cy Cole,3\n"
    answer = exam_service.put_csv(roster, "?create_subjects=true")
    assert answer.status_code == 200, answer.text
    return exam_service
