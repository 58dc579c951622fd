"""/v1/exams/{exam_id}/sessions and /v1/sessions: rooms and windows, and the keys of their kiosks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer, shown_to
from service.api.cursors import page_of, read_id
from service.api.exams import Staff, Writer, origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.exams import sessions
from service.exams.roster.readiness import ExamReadiness, Readiness, exam_readiness, readiness
from service.exams.schemas import KioskKey, Session
from service.exams.terms import SessionChanges, SessionTerms

router = APIRouter(prefix="/v1", tags=["sessions"])
OfExams = Annotated[
    list[UUID], Query(min_length=1, max_length=100, description="the sessions of these exams")
]
Anybody = Annotated[Caller, needs(Scope.EXAMS_WRITE, Scope.OVERRIDE, Scope.AUDIT_READ, Scope.CHECKIN)]


class SessionList(BaseModel):
    """One page of sessions in the order they were made."""

    items: list[Session]
    next_cursor: str | None


class NewKioskKey(BaseModel):
    """What is asked of a kiosk's key."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="kiosk", min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")


@router.post("/exams/{exam_id}/sessions", status_code=201, response_model=Session)
def create_session(
    request: Request, parts: PartsHere, caller: Writer, exam_id: UUID, terms: SessionTerms, once: OnceHere
) -> Response:
    """Make a session: one room, one window of time."""

    def work(session_id: UUID) -> Answer:
        made = sessions.create_session(parts.desk, exam_id, terms, origin_of(request, caller), session_id)
        return answer(made, 201)

    return once.run([terms.model_dump_json().encode()], work)


@router.get("/exams/{exam_id}/sessions", response_model=SessionList)
def list_sessions(
    parts: PartsHere, caller: Staff, exam_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> SessionList:
    """The sessions of an exam."""
    found = sessions.sessions_page(parts.desk, exam_id, limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda session: session.id)
    return SessionList(items=items, next_cursor=following)


@router.get("/sessions", response_model=SessionList)
def list_sessions_of_exams(
    parts: PartsHere, caller: Staff, exam_id: OfExams, limit: Limit = 50, cursor: Cursor = None
) -> SessionList:
    """The sessions of several exams; to an operator who is held to some, those of these."""
    exams = set(exam_id) if caller.exam_ids is None else caller.exam_ids.intersection(exam_id)
    found = sessions.sessions_of(parts.desk, exams, limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda session: session.id)
    return SessionList(items=items, next_cursor=following)


@router.get("/sessions/{session_id}", response_model=Session)
def show_session(parts: PartsHere, caller: Anybody, session_id: UUID) -> Session:
    """One session with the rates in force and the server's clock."""
    caller.require_session(session_id)
    return sessions.find_session(parts.desk, session_id)


@router.patch("/sessions/{session_id}", response_model=Session)
def change_session(
    request: Request, parts: PartsHere, caller: Writer, session_id: UUID, changes: SessionChanges
) -> Session:
    """Change a session; the keys of its kiosks follow its window."""
    return sessions.change_session(parts.desk, session_id, changes, origin_of(request, caller))


@router.get("/sessions/{session_id}/readiness", response_model=Readiness)
def show_readiness(parts: PartsHere, caller: Staff, session_id: UUID) -> Response:
    """Who cannot be verified and why, and which candidates look alike."""
    return shown_to(readiness(parts.desk, session_id), caller)


@router.get("/exams/{exam_id}/readiness", response_model=ExamReadiness)
def show_exam_readiness(parts: PartsHere, caller: Staff, exam_id: UUID) -> Response:
    """Who cannot be verified in any room of an exam and why, and which candidates look alike."""
    return shown_to(exam_readiness(parts.desk, exam_id), caller)


@router.post("/sessions/{session_id}/kiosk-keys", status_code=201, response_model=KioskKey)
def create_kiosk_key(
    request: Request, parts: PartsHere, caller: Writer, session_id: UUID, new: NewKioskKey, once: OnceHere
) -> Response:
    """Make a key that can do nothing but check people in to this session, until it closes."""

    def work(key_id: UUID) -> Answer:
        origin = origin_of(request, caller)
        made = sessions.create_kiosk_key(parts.desk, session_id, new.name, origin, key_id)
        return answer(made, 201)

    return once.run([new.model_dump_json().encode()], work)
